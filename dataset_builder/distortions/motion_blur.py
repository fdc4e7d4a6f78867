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
    for travel, shutter in ((0.014, 0.04), (0.03, 0.06), (0.055, 0.08), (0.09, 0.1), (0.14, 0.125))
)
_ONE = 4096
_DIRECTIONS = np.rint(_ONE * np.exp(1j * np.pi * np.arange(16) / 16).view(float).reshape(-1, 2)).astype(int)
"""Unit vectors (x, y) in 1/4096, spread over half a turn."""
_LITTLE, _LEAST_OF_PEAK = 0.02, 0.2
"""Of the point spread's estimate: what keeps it from dividing by nothing, and what of it counts."""

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
    """Measure how wide the point spread is where it is widest: standard deviation in pixels."""
    return point_spread(frames, clean)[0]


def point_spread(frames: Sequence[Frame], clean: Sequence[Frame]) -> tuple[float, float]:
    """Measure the point spread that takes clean frames to these: its widest and its narrowest width, in pixels.

    A width is a standard deviation: a line of length l has l / sqrt(12). The spread is the quotient of cross spectrum
    and power spectrum over all frames, as of Wiener's filter; codec errors, alike in no two frames, hardly touch it.
    """
    height, width = clean[0].height, clean[0].width
    window = np.outer(np.hanning(height), np.hanning(width))

    def spectrum(frame: Frame) -> NDArray[np.complex128]:
        luma = frame.planes()[0]
        return np.fft.rfft2(window * (luma - luma.mean()))

    pairs = [(spectrum(a), spectrum(b)) for a, b in zip(frames, clean, strict=True)]
    cross, power = sum(a * b.conj() for a, b in pairs), np.sum([np.abs(b) ** 2 for _, b in pairs], axis=0)
    spread = np.fft.fftshift(np.fft.irfft2(cross / (power + _LITTLE * power.mean()), s=(height, width)))
    # What lies far off, or is little against the peak, is the estimate's own noise.
    near = min(height, width) // 6
    spread = spread[height // 2 - near :, width // 2 - near :][: 2 * near + 1, : 2 * near + 1]
    spread = np.where(spread >= _LEAST_OF_PEAK * spread.max(), spread, 0)
    widths = np.linalg.eigvalsh(np.cov(np.indices(spread.shape).reshape(2, -1), aweights=spread.ravel(), ddof=0))
    narrow, wide = np.sqrt(np.maximum(widths, 0))
    return float(wide), float(narrow)
