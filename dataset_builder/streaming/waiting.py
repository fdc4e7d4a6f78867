"""What a player shows while it waits: the last frame, or that frame darkened under a turning spinner. In integers."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dataset_builder.encode import exact_rate
from dataset_builder.filtering import looked_up
from dataset_builder.frame import BLACK, GREY, WHITE, Frame
from dataset_builder.video import Pixels
from schemas.session import Shown

DOTS = 12
"""Dots of the spinner, which turns once a second: the brightest one moves on by one in 1/12 s."""
RING, DOT = 10, 60
"""Radius of the ring and of a dot as parts of the shorter side: a tenth and a sixtieth."""
_LEVELS = np.arange(256, dtype=np.int16)
DARKER: Pixels = (BLACK + np.maximum(_LEVELS - BLACK, 0) // 2).astype(np.uint8)
"""Luma at half its height above black."""
PALER: Pixels = (GREY + (_LEVELS - GREY) // 2).astype(np.uint8)
FAINTEST = 70
COSINES = (1000, 866, 500, 0, -500, -866, -1000, -866, -500, 0, 500, 866)
"""Thousand times the cosine of each dot's place on the ring: no rounding is left to the processor."""

Spots = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of pixels."""


def waiting_frames(last: Frame, shown: Shown, count: int, fps: float, *, black: bool = False) -> Iterator[Frame]:
    """Give the `count` frames of one wait after the frame `last`, or, with `black`, before there is any.

    `last` gives size and form even then; `fps` is frames per second.
    """
    if count < 1:
        return
    under = _black(last) if black else last
    if shown == "frozen":
        yield from (under for _ in range(count))
        return
    y, u, v = under.planes()
    dark = under.with_planes(looked_up(y, DARKER), looked_up(u, PALER), looked_up(v, PALER))
    rate, turned, frame = exact_rate(fps), -1, dark
    for number in range(count):
        at = int(number * DOTS / rate) % DOTS
        if at != turned:
            turned, frame = at, _with_spinner(dark, at)
        yield frame


def _black(like: Frame) -> Frame:
    y, u, v = like.planes()
    return like.with_planes(np.full_like(y, BLACK), np.full_like(u, GREY), np.full_like(v, GREY))


def _with_spinner(frame: Frame, at: int) -> Frame:
    """Draw the spinner with its brightest dot at place `at`; the dots behind it fade."""
    planes = [plane.copy() for plane in frame.planes()]
    for index, plane in enumerate(planes):
        for dot, spots in enumerate(_dots(*plane.shape)):
            age = (at - dot) % DOTS
            plane[spots] = GREY if index else WHITE - age * (WHITE - FAINTEST) // (DOTS - 1)
    return frame.with_planes(*planes)


@functools.lru_cache(maxsize=4)
def _dots(height: int, width: int) -> list[Spots]:
    """Find the pixels of each dot in a plane, clockwise from the top."""
    side = min(height, width)
    radius, dot = max(2, side // RING), max(1, side // DOT)
    rows, columns = np.mgrid[:height, :width]
    found = []
    for number in range(DOTS):
        row = height // 2 - _part(radius, COSINES[number])
        column = width // 2 + _part(radius, COSINES[number - DOTS // 4])
        found.append(((rows - row) ** 2 + (columns - column) ** 2 <= dot * dot).nonzero())
    return found


def _part(radius: int, thousandths: int) -> int:
    return (radius * thousandths + 500) // 1000
