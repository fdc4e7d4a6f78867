"""Interlacing: the two fields of a frame, taken one after the other and woven: what moves shows a comb.

A camera for 50i or 60i takes the even lines of a frame first and the odd ones half a frame later (ITU-R BT.709, systems
with interlaced scanning); shown as one picture without deinterlacing, the edges of what has moved in between are torn
line by line. Here the odd lines of every plane, the chroma ones of 4:2:0 included, come from a later time: of a frame
that follows or, between two, of their weighted mean. Half a frame is what an interlaced camera gives, a whole one and
more what fields of the wrong frames give. Frames are counted at about 25 a second in clips of higher rates.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.video import Pixels

NAME = "interlacing"
STILLS = False
STEPS = tuple({"frames": frames} for frames in (0.5, 1.0, 1.75, 2.75, 4.0))
"""How much later the odd lines were taken."""
FRAMES_PER_SECOND = 25
FARTHEST = 5
"""Frames ahead among which the probe looks for the odd lines."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Take the odd lines of every frame from later; the last frames have nothing later than the last."""
    later = round(256 * step["frames"] * max(1, round(shape.fps / FRAMES_PER_SECOND)))
    whole, part = divmod(later, 256)
    ahead: deque[Frame] = deque()
    for frame in frames:
        ahead.append(frame)
        if len(ahead) == whole + 2:
            yield _woven(ahead, whole, part)
            ahead.popleft()
    while ahead:
        yield _woven(ahead, whole, part)
        ahead.popleft()


def _woven(ahead: Sequence[Frame], whole: int, part: int) -> Frame:
    """Weave the first frame's even lines with the odd ones of `whole` + `part` / 256 frames later."""
    first, near, far = ahead[0], ahead[min(whole, len(ahead) - 1)], ahead[min(whole + 1, len(ahead) - 1)]
    planes = []
    for own, one, other in zip(first.planes(), near.planes(), far.planes(), strict=True):
        plane = own.copy()
        plane[1::2] = _between(one[1::2], other[1::2], part)
        planes.append(plane)
    return first.with_planes(*planes)


def _between(one: Pixels, other: Pixels, part: int) -> Pixels:
    if part == 0:
        return one
    mixed = one.astype(np.uint16) * np.uint16(256 - part) + other.astype(np.uint16) * np.uint16(part) + np.uint16(128)
    between: Pixels = (mixed >> 8).astype(np.uint8)
    return between


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure how many frames later than the even lines of luma the odd ones are.

    Each field is found between two of the clean frames that follow, by least squares over the whole clip. Only what
    moves most is looked at, one pixel in twenty: slight differences are lost to a codec.
    """
    reach = min(FARTHEST, len(frames) - 1)
    if reach < 1:
        return 0.0
    sums = np.zeros((2, reach, 3))
    for index in range(len(frames) - reach):
        seen = frames[index].planes()[0].astype(np.float64)
        known = [frame.planes()[0].astype(np.float64) for frame in clean[index : index + reach + 1]]
        for field in (0, 1):
            change = np.abs(known[1] - known[0])[field::2]
            moving = change >= np.quantile(change, 0.95)
            for later in range(reach):
                rest = (seen - known[later])[field::2][moving]
                way = (known[later + 1] - known[later])[field::2][moving]
                sums[field, later] += np.sum(rest**2), np.sum(rest * way), np.sum(way**2)
    rests, alike, ways = np.moveaxis(sums, 2, 0)
    part = np.clip(alike / np.maximum(ways, 1), 0, 1)
    best = np.argmin(rests - 2 * part * alike + part**2 * ways, axis=1)
    even, odd = best + part[(0, 1), best]
    return float(odd - even)
