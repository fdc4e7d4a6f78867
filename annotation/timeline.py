"""The timeline of Label Studio against seconds: frames count from 1, and both ends of a range belong to it."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_WRITTEN = re.compile(r"\d{1,9}(/\d{1,9}|\.\d{1,18})?")
_EXACT = 1e-9
_SLOWEST, _FASTEST = Fraction(1, 1000), Fraction(10**6)
_DENOMINATOR = 1001
"""That of the NTSC rates, 24000/1001, 30000/1001 and 60000/1001: the largest that a frame rate is published with."""


def exact_rate(fps: object) -> Fraction:
    """Give a frame rate as the fraction that it was before it became a float: 29.97002997002997 is 30000/1001.

    A text may be a fraction, `30000/1001`. Raises ValueError for what is no rate above 0.
    """
    match fps:
        case int() | float() if not isinstance(fps, bool) and _SLOWEST <= fps <= _FASTEST:
            rate = Fraction(fps)
        case str() if _WRITTEN.fullmatch(fps) and not re.search(r"/0+$", fps):
            rate = Fraction(fps)
        case _:
            raise ValueError(f"no frame rate: {fps!r}")
    near = rate.limit_denominator(_DENOMINATOR)
    if abs(near - rate) <= rate * Fraction(_EXACT):
        rate = near
    if not _SLOWEST <= rate <= _FASTEST:
        raise ValueError(f"no frame rate: {fps!r}")
    return rate


def seconds_of(start: int, end: int, rate: Fraction) -> tuple[float, float]:
    """Give the seconds from the beginning of frame `start` to the end of frame `end`: ((start - 1) / fps, end / fps).

    Raises ValueError for a range that starts before frame 1 or ends before it starts.
    """
    if not 1 <= start <= end:
        raise ValueError(f"a range of frames starts at 1 or later and ends no earlier than that, got {start} to {end}")
    return float((start - 1) / rate), float(end / rate)


def frames_of(start: float, end: float, rate: Fraction, frames: int) -> tuple[int, int]:
    """Give the range of frames that covers the seconds from `start` to `end`: the inverse of `seconds_of`.

    A time within a thousandth of a frame of the edge between two frames means the edge. The range lies within the
    clip's `frames`. Raises ValueError for a span that is empty or begins when the clip is over.
    """
    if not 0 <= start < end < math.inf:
        raise ValueError(f"0 <= start < end must hold, got {start}, {end}")
    slack = Fraction(1, 1000)
    first = math.floor(Fraction(start) * rate + slack) + 1
    last = min(frames, max(first, math.ceil(Fraction(end) * rate - slack)))
    if first > frames:
        raise ValueError(f"the span starts at {start} s, the clip ends at {float(frames / rate)} s")
    return first, last
