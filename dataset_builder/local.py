"""Distortions in a part of the frame: a rectangle cut out, distorted, and laid back with a soft edge. In integers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dataset_builder.frame import Frame
from dataset_builder.video import Pixels
from schemas.errors import CallError
from schemas.record import Box

EDGE_SHARE = 1 / 8
"""Width of the soft edge, inside the rectangle, as a share of its shorter side."""
LEAST_SIDE = 16
"""Pixels that a rectangle must have each way: a codec's block."""


@dataclass(frozen=True)
class PixelBox:
    """A rectangle in pixels, all four numbers even."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, frame: Frame) -> Frame:
        """Cut the rectangle out of a frame."""
        return frame.cropped(self.x, self.y, self.width, self.height)


def box_of(box: Box, width: int, height: int) -> PixelBox:
    """Give the pixels of a box in fractions of the frame. Raises CallError where it lies outside, or is too small."""
    x, y, w, h = box
    left, top = 2 * round(x * width / 2), 2 * round(y * height / 2)
    right, bottom = (
        min(2 * round((x + w) * width / 2), width // 2 * 2),
        min(2 * round((y + h) * height / 2), height // 2 * 2),
    )
    inside = min(x, y) >= 0 and x + w <= 1 + 1e-9 and y + h <= 1 + 1e-9
    if not inside or right - left < LEAST_SIDE or bottom - top < LEAST_SIDE:
        raise CallError(
            f"the box {list(box)} (x, y, width, height, in fractions of the frame) lies outside a frame of "
            f"{width} x {height} pixels, or covers fewer than {LEAST_SIDE} of them each way"
        )
    return PixelBox(left, top, right - left, bottom - top)


def blended(frames: Iterable[Frame], parts: Iterable[Frame], box: PixelBox) -> Iterator[Frame]:
    """Lay distorted parts back into their frames, with weights from 0 at the rectangle's edge to 255 inside."""
    weights: dict[tuple[int, ...], Pixels] = {}
    for frame, part in zip(frames, parts, strict=True):
        if frame.is_rgb:
            pixels = frame.rgb().copy()
            _lay(pixels, part.rgb(), box.x, box.y, weights)
            yield frame.with_rgb(pixels)
            continue
        planes = []
        for index, (own, laid) in enumerate(zip(frame.planes(), part.planes(), strict=True)):
            half = 2 if frame.subsampled and index else 1
            plane = own.copy()
            _lay(plane, laid, box.x // half, box.y // half, weights)
            planes.append(plane)
        yield frame.with_planes(*planes)


def _lay(plane: Pixels, part: Pixels, x: int, y: int, weights: dict[tuple[int, ...], Pixels]) -> None:
    height, width = part.shape[:2]
    weight = weights.setdefault(part.shape, _weights(height, width)[(...,) + (None,) * (part.ndim - 2)])
    under = plane[y : y + height, x : x + width]
    mixed = part.astype(np.uint16) * weight + under.astype(np.uint16) * (255 - weight) + 127
    under[:] = (mixed // 255).astype(np.uint8)


def _weights(height: int, width: int) -> Pixels:
    """Rise from 0 at the edge to 255, linearly each way; the smaller of the two counts."""
    edge = max(1, round(min(height, width) * EDGE_SHARE))

    def ramp(length: int) -> Pixels:
        from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 1
        weights: Pixels = np.minimum(from_edge * 255 // (edge + 1), 255).astype(np.uint8)
        return weights

    weights: Pixels = np.minimum(ramp(height)[:, None], ramp(width)[None, :])
    return weights
