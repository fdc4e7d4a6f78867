"""Stalls told in media time, as logs and stall lists have them, moved to the time that a viewer sees pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from schemas.record import Stall

UNKNOWN = "its stalls are unknown: the set's log of the session does not lie beside the table"


def on_playback(events: Iterable[tuple[float, float]]) -> list[Stall]:
    """Place stalls, given as (media time, duration) in seconds, on the clip's own playback.

    Before a stall at a media time, that much media and all stalls before it have been on screen. Stalls at one media
    time are one stall; one of no duration is none. Raises ValueError for a time below 0.
    """
    at: defaultdict[float, float] = defaultdict(float)
    for media_time, duration in events:
        if media_time < 0 or duration < 0:
            raise ValueError(f"a stall at {media_time:g} s for {duration:g} s: times are 0 or more")
        if duration > 0:
            at[media_time] += duration
    stalls: list[Stall] = []
    stalled = 0.0
    for media_time, duration in sorted(at.items()):
        stalls.append(Stall(start=media_time + stalled, duration=duration))
        stalled += duration
    return stalls
