"""A streaming session: what was played at which bitrate, and where playback waited. Times are media time, in seconds.

The fields are those that streaming logs and ITU-T P.1203 (its inputs I.13 and I.23) agree on.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

import msgspec

Shown = Literal["frozen", "spinner"]

SIDES = (16, 8192)
"""The smallest and the largest width and height of a representation, in pixels: from one block of H.264 on."""
MOST_KBPS = 1_000_000.0


class Segment(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A stretch of the media in one representation: its name or number, its size in pixels, its bitrate, its length.

    `bitrate_kbps` is in kbit/s (10^3 bits), `duration` in seconds.
    """

    representation: int | str
    width: int
    height: int
    bitrate_kbps: float
    duration: float

    def __post_init__(self) -> None:
        """Refuse sizes, rates and lengths that no segment has."""
        if not all(SIDES[0] <= side <= SIDES[1] for side in (self.width, self.height)):
            raise ValueError(
                f"a segment has {SIDES[0]} to {SIDES[1]} pixels each way, not {self.width} x {self.height}"
            )
        if not 0 < self.bitrate_kbps <= MOST_KBPS:
            raise ValueError(f"a bitrate is above 0 and at most {MOST_KBPS:g} kbit/s, not {self.bitrate_kbps:g}")
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"a segment lasts above 0 s, not {self.duration:g}")


class StallEvent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Playback stops when `media_time` seconds of the media have been shown, and waits for `duration` seconds."""

    media_time: float
    duration: float

    def __post_init__(self) -> None:
        """Refuse times that cannot be, and what is called initial buffering."""
        if not (math.isfinite(self.media_time) and self.media_time >= 0):
            raise ValueError(f"a stall lies at a media time of 0 s or later, not {self.media_time:g}")
        if self.media_time == 0:
            raise ValueError("a stall at 0 s comes before the first frame: say initial_buffering")
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"a stall lasts above 0 s, not {self.duration:g}")


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One playback of one clip: its segments in order, which cover the clip, and where it waits.

    `initial_buffering` is the wait before the first frame, in seconds; `shown` is what a viewer sees of a wait: the
    last frame `frozen` (black before the first one), or that frame darkened under a turning `spinner`.
    """

    segments: list[Segment]
    stalls: list[StallEvent] = []
    initial_buffering: float = 0.0
    shown: Shown = "frozen"

    def __post_init__(self) -> None:
        """Refuse a session that nobody can have seen."""
        if not self.segments:
            raise ValueError("segments: a session has at least one")
        if not (math.isfinite(self.initial_buffering) and self.initial_buffering >= 0):
            raise ValueError(f"initial_buffering is 0 s or more, not {self.initial_buffering:g}")
        length, times = self.duration, [stall.media_time for stall in self.stalls]
        for before, after in itertools.pairwise(times):
            if after == before:
                raise ValueError(f"stalls: two lie at {after:g} s: write them as one")
            if after < before:
                raise ValueError(f"stalls: the one at {after:g} s stands behind the one at {before:g} s: sort them")
        if times and times[-1] > length:
            raise ValueError(
                f"stalls: the one at {times[-1]:g} s lies beyond the media, whose segments last {length:g} s"
            )

    @property
    def duration(self) -> float:
        """Seconds of media, without waits."""
        return math.fsum(segment.duration for segment in self.segments)


class ClipSession(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A session to be rendered, as a line of a file of sessions.

    `clip` is the name that the label table has for the rendered session; `media` the file that is played, None where
    it is called like the session; either `session` says what happens, or the file `log`, relative to this one.
    """

    clip: str
    media: str | None = None
    session: Session | None = None
    log: str | None = None

    def __post_init__(self) -> None:
        """Refuse a line without session, and one with two."""
        if (self.session is None) == (self.log is None):
            raise ValueError("give either session or log")
