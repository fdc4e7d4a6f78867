"""Motion blur: what moves while the shutter is open is smeared (Potmesil and Chakravarty, SIGGRAPH 1983).

A video frame is the mean of all frames within the time that the shutter is open, up to its own, which smears what moves
in the scene; and camera motion spreads every point evenly over a straight line, whose direction is drawn once a clip
and whose length is a share of the picture's shorter side. A still has the line alone. Light is summed up as the signal
holds it, gamma-coded: linear light would need R, G and B in more than 8 bits, at twice the cost, and the highlights
whose streaks it would brighten are clipped in the signal anyway.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.video import Pixels

NAME = "motion blur"
STILLS = True
STEPS = tuple(
    {"travel_share": travel, "shutter_seconds": shutter}
    for travel, shutter in ((0.008, 0.04), (0.016, 0.06), (0.03, 0.08), (0.055, 0.1), (0.1, 0.125))
)
_ONE = 4096
_DIRECTIONS = np.rint(_ONE * np.exp(1j * np.pi * np.arange(16) / 16).view(float).reshape(-1, 2)).astype(int)
"""Unit vectors (x, y) in 1/4096, spread over half a turn."""

Sums = NDArray[np.uint16]


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Smear every frame."""
    x, y = (int(part) for part in _DIRECTIONS[int(rng.integers(len(_DIRECTIONS)))])
    length = max(step["travel_share"] * min(shape.width, shape.height), 1.0)
    # A sum of more than 256 frames would not fit into 16 bits.
    exposed = min(max(1, round(step["shutter_seconds"] * shape.fps)), 256)
    for frame in _through_shutter(frames, exposed):
        if frame.is_rgb:
            yield frame.with_rgb(_smeared(frame.rgb(), x * length, y * length))
            continue
        luma, *chroma = frame.planes()
        part = length / 2 if frame.subsampled else length
        u, v = (_smeared(plane, x * part, y * part) for plane in chroma)
        yield frame.with_planes(_smeared(luma, x * length, y * length), u, v)


def _through_shutter(frames: Iterator[Frame], exposed: int) -> Iterator[Frame]:
    """Average each frame with those before it, `exposed` in all, by running sums."""
    if exposed == 1:
        yield from frames
        return
    held: deque[Frame] = deque()
    sums: list[Sums] = []
    for frame in frames:
        if frame.is_rgb:
            yield frame
            continue
        planes = frame.planes()
        sums = sums or [np.zeros(plane.shape, np.uint16) for plane in planes]
        left = held.popleft().planes() if len(held) == exposed else None
        held.append(frame)
        for index, plane in enumerate(planes):
            sums[index] += plane
            if left:
                sums[index] -= left[index]
        count = len(held)
        y, u, v = (((total + count // 2) // count).astype(np.uint8) for total in sums)
        yield frame.with_planes(y, u, v)


def _smeared(plane: Pixels, x: float, y: float) -> Pixels:
    """Spread every pixel over a line, `x` and `y` the distance of its ends in 1/4096 pixel, `y` not negative.

    The mean of 2^n points of a line is the mean of two means of 2^(n-1) points, so that n sums do. Outside, the picture
    goes on as at its edge.
    """
    if x < 0:
        return _smeared(plane[:, ::-1], -x, y)[:, ::-1]
    # 8 doublings of 8 bits fill 16.
    doublings = min(math.ceil(max(x, y) / _ONE).bit_length(), 8)
    moves = [tuple(math.floor(part * 2**n / 2**doublings / _ONE + 0.5) for part in (y, x)) for n in range(doublings)]
    margins = [(total // 2, total - total // 2) for total in (sum(move[axis] for move in moves) for axis in (0, 1))]
    sums = np.pad(plane, (*margins, *[(0, 0)] * (plane.ndim - 2)), "edge").astype(np.uint16)
    for down, right in moves:
        height, width = sums.shape[:2]
        sums = sums[down:, right:] + sums[: height - down, : width - right]
    smeared: Pixels = ((sums + (2**doublings >> 1)) >> doublings).astype(np.uint8)
    return smeared


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the mean absolute luma gradient that is gone, as a share, along the direction that lost most."""
    return float(1 - (directional_gradients(frames) / directional_gradients(clean)).min())


def directional_gradients(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Measure the mean absolute luma difference two pixels apart: rightwards, down, and along both diagonals."""
    lumas = [frame.planes()[0].astype(np.int16) for frame in frames]
    pairs = [
        ((slice(None), slice(2, None)), (slice(None), slice(None, -2))),
        ((slice(2, None), slice(None)), (slice(None, -2), slice(None))),
        ((slice(2, None), slice(2, None)), (slice(None, -2), slice(None, -2))),
        ((slice(2, None), slice(None, -2)), (slice(None, -2), slice(2, None))),
    ]
    return np.array([np.mean([np.abs(luma[a] - luma[b]).mean() for luma in lumas]) for a, b in pairs])
