"""Stalls told in media time, as logs and stall lists have them, moved to the time that a viewer sees pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from schemas.record import Stall
from schemas.session import Segment, Session, StallEvent

UNKNOWN = "its stalls are unknown: the set's log of the session does not lie beside the table"


def on_playback(events: Iterable[tuple[float, float]]) -> list[Stall]:
    """Place stalls, given as (media time, duration) in seconds, on the clip's own playback.

    Before a stall at a media time, that much media and all stalls before it have been on screen. Stalls at one media
    time are one stall; one of no duration is none. Raises ValueError for a time below 0.
    """
    stalls: list[Stall] = []
    stalled = 0.0
    for media_time, duration in _merged(events):
        stalls.append(Stall(start=media_time + stalled, duration=duration))
        stalled += duration
    return stalls


def session_of(segments: list[Segment], events: Iterable[tuple[float, float]]) -> Session:
    """Make a session of its segments and of stalls, given as (media time, duration) in seconds.

    What waits at 0 s is its initial buffering. Raises ValueError for a session that cannot be.
    """
    merged = _merged(events)
    return Session(
        segments=segments,
        stalls=[StallEvent(media_time=time, duration=duration) for time, duration in merged if time > 0],
        initial_buffering=sum((duration for time, duration in merged if time == 0), 0.0),
    )


def _merged(events: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    at: defaultdict[float, float] = defaultdict(float)
    for media_time, duration in events:
        if media_time < 0 or duration < 0:
            raise ValueError(f"a stall at {media_time:g} s for {duration:g} s: times are 0 or more")
        if duration > 0:
            at[media_time] += duration
    return sorted(at.items())
