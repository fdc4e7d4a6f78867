"""Tables on luma and chroma planes: contrast and saturation, and what measures them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from dataset_builder.filtering import looked_up
from dataset_builder.frame import BLACK, GREY, WHITE, Frame
from dataset_builder.video import Pixels
from schemas.errors import DataError

MIDTONES = (64, 172)
"""Luma between which the pivot of a contrast lies."""
LEAST_COLOUR = 2.0
"""Mean chroma magnitude, in 8-bit steps, below which a clip counts as grey."""
_LEAST_CHROMA, _MOST_CHROMA = 16, 240


def scaled(pivot: float, gain: float, least: int = 0, most: int = 255) -> Pixels:
    """Make the table that takes each of 256 values to `pivot` + `gain` (value - `pivot`), held in `least` to `most`."""
    return np.rint(np.clip(pivot + gain * (np.arange(256) - pivot), least, most)).astype(np.uint8)


def toned(frame: Frame, luma: Pixels | None = None, chroma: Pixels | None = None) -> Frame:
    """Replace every value of the planes by its entry in a table of 256: of luma, of both chromas, or of all three."""
    y, u, v = frame.planes()
    return frame.with_planes(
        None if luma is None else looked_up(y, luma),
        None if chroma is None else looked_up(u, chroma),
        None if chroma is None else looked_up(v, chroma),
    )


def contrasted(frames: Iterable[Frame], gain: float, chroma_gain: float = 1.0) -> Iterator[Frame]:
    """Scale luma about the mean of the first frame, kept within MIDTONES; one pivot for all, so nothing flickers."""
    table: Pixels | None = None
    chroma = None if chroma_gain == 1 else scaled(GREY, chroma_gain)
    for frame in frames:
        if table is None:
            luma = frame.planes()[0]
            # In whole numbers: a sum of floats depends on the order, and the order on the processor.
            mean = int(luma.sum(dtype=np.int64)) // luma.size
            table = scaled(min(max(mean, MIDTONES[0]), MIDTONES[1]), gain, BLACK, WHITE)
        yield toned(frame, table, chroma)


def saturated(frames: Iterable[Frame], gain: float) -> Iterator[Frame]:
    """Scale chroma about grey. Raises DataError after the last frame if no frame had any colour."""
    table = scaled(GREY, gain, _LEAST_CHROMA, _MOST_CHROMA)
    coloured = False
    for frame in frames:
        coloured = coloured or chroma_magnitude([frame]) >= LEAST_COLOUR
        yield toned(frame, chroma=table)
    if not coloured:
        raise DataError("the clip is grey: there is no colour to strengthen or to weaken")


def chroma_magnitude(frames: Sequence[Frame]) -> float:
    """Measure how far chroma lies from grey: the mean over pixels, both chromas and frames, in 8-bit steps."""
    return float(np.mean([np.abs(plane.astype(np.int16) - GREY).mean() for f in frames for plane in f.planes()[1:]]))
