"""Streaming sessions as a viewer saw them: each segment really encoded at its bitrate, playback stopped where it waits.

A segment is scaled to its representation's size, encoded by an encoder of its own (so it starts with a key frame),
decoded, and scaled back, as a player does. Times become frames by rounding the time that has passed, never single
durations, so that no error adds up: every event starts and ends within one frame of its time.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec

from dataset_builder.encode import RateError, at_bitrate, encode_frames, exact_rate, named_by_bytes
from dataset_builder.frame import Frame, frames_of
from dataset_builder.streaming.waiting import waiting_frames
from dataset_builder.video import inspect
from schemas.errors import DataError
from schemas.record import Media, Stall
from schemas.session import Session

HALF = Fraction(1, 2)

Clip = Callable[[], Iterable[Frame]]
"""Gives the frames of a clip from their start on; it is asked twice, once for each pass of the encoder."""
Spent = Callable[[int, int], None]
"""Is told the number of a segment, from 0, and the bytes of each of its packets."""


class SessionError(DataError):
    """A session that cannot have been played of this clip; the message says why."""


@dataclass(frozen=True)
class Plan:
    """A session in whole frames of its clip.

    `segments` are the frames of each segment; `waits` are (frames of the media shown before, frames waited), in order,
    the first before frame 0 if playback has to buffer.
    """

    fps: float
    segments: tuple[int, ...]
    waits: tuple[tuple[int, int], ...]

    @property
    def frames(self) -> int:
        """How many frames the rendered session has."""
        return sum(self.segments) + sum(length for _, length in self.waits)

    @property
    def stalled(self) -> list[tuple[int, int]]:
        """Where the rendered session stands still: first frame, and the one after the last, of each wait."""
        spans, waited = [], 0
        for before, length in self.waits:
            spans.append((before + waited, before + waited + length))
            waited += length
        return spans

    @property
    def flags(self) -> str:
        """One character a frame of the rendered session, `1` where it stands still."""
        flags = bytearray(b"0" * self.frames)
        for first, end in self.stalled:
            flags[first:end] = b"1" * (end - first)
        return flags.decode()

    @property
    def stalls(self) -> list[Stall]:
        """The same in seconds of the rendered session, as its record has it."""
        return [Stall(start=first / self.fps, duration=(end - first) / self.fps) for first, end in self.stalled]


def plan_of(session: Session, frames: int, fps: float) -> Plan:
    """Lay a session out over a clip of `frames` frames. Raises SessionError where the two do not fit."""
    rate = exact_rate(fps)
    ends = [_whole(time * rate) for time in itertools.accumulate(_exact(s.duration) for s in session.segments)]
    total = sum((_exact(segment.duration) for segment in session.segments), Fraction())
    if abs(total * rate - frames) > 1:
        raise SessionError(
            f"the segments last {float(total):g} s, the clip {float(frames / rate):g} s: make them cover it"
        )
    # Media are cut to whole frames: the last segment has what is there.
    ends[-1] = frames
    lengths = [end - start for start, end in itertools.pairwise([0, *ends])]
    for number, (length, segment) in enumerate(zip(lengths, session.segments, strict=True), 1):
        if length < 1:
            raise SessionError(f"segment {number} lasts {segment.duration:g} s, not one frame at {float(rate):g} per s")
    return Plan(fps, tuple(lengths), tuple(_waits(session, frames, rate)))


def _waits(session: Session, frames: int, rate: Fraction) -> Iterator[tuple[int, int]]:
    events = [(stall.media_time, stall.duration) for stall in session.stalls]
    if session.initial_buffering:
        events.insert(0, (0.0, session.initial_buffering))
    passed, last = Fraction(), -1
    for media_time, duration in events:
        if duration * rate < 1 - Fraction(1, 1_000_000):
            what = f"the stall at {media_time:g} s" if media_time else "initial_buffering"
            raise SessionError(f"{what} lasts {duration:g} s, less than one frame at {float(rate):g} per s")
        before = min(_whole(_exact(media_time) * rate), frames)
        if before == last:
            raise SessionError(f"the stall at {media_time:g} s falls on the same frame as the one before it")
        waited = _whole(passed * rate)
        passed += _exact(duration)
        yield before, _whole(passed * rate) - waited
        last = before


def _exact(seconds: float) -> Fraction:
    """Give the number that was written: 0.1, not the double next to it."""
    return Fraction(str(seconds))


def _whole(frames: Fraction) -> int:
    return int(frames + HALF)


def render(clip: Clip, session: Session, plan: Plan, spent: Spent | None = None) -> Iterator[Frame]:
    """Show a clip as a session. `plan` is that of the session and this clip (`plan_of`).

    Raises SessionError where the clip has another number of frames than the plan, or a bitrate is too low for its
    representation. Memory does not grow with the clip's length.
    """
    return with_waits(played(clip, session, plan, spent), session, plan)


def played(clip: Clip, session: Session, plan: Plan, spent: Spent | None = None) -> Iterator[Frame]:
    """Show the segments of a session without its waits: as many frames as the clip has, in its size."""
    ahead, behind = iter(clip()), iter(clip())
    head = next(behind, None)
    if head is None:
        raise SessionError("the clip has no frames")
    behind = itertools.chain([head], behind)
    for number, (segment, length) in enumerate(zip(session.segments, plan.segments, strict=True)):
        first, again = (
            (frame.scaled(segment.width, segment.height) for frame in itertools.islice(frames, length))
            for frames in (ahead, behind)
        )
        told = None if spent is None else functools.partial(spent, number)
        count = 0
        try:
            for frame in at_bitrate(first, again, plan.fps, segment.bitrate_kbps, spent=told):
                yield frame.scaled(head.width, head.height)
                count += 1
        except RateError as error:
            raise SessionError(f"segment {number + 1}: {error}") from None
        if count != length:
            raise SessionError(f"the clip ends in segment {number + 1}, {length - count} frames before its end")
    if next(behind, None) is not None:
        raise SessionError(f"the clip has more than the {sum(plan.segments)} frames of the session")


def with_waits(frames: Iterable[Frame], session: Session, plan: Plan) -> Iterator[Frame]:
    """Let playback wait where the plan says: frames stay as they are, and waits come between them."""
    waits = dict(plan.waits)
    last: Frame | None = None
    number = 0
    for number, frame in enumerate(frames):
        yield from waiting_frames(last or frame, session.shown, waits.get(number, 0), plan.fps, black=last is None)
        yield frame
        last = frame
    if last is not None:
        yield from waiting_frames(last, session.shown, waits.get(number + 1, 0), plan.fps)


@dataclass(frozen=True)
class Rendered:
    """What was written: frames per second, a 0/1 character a frame, stalls in playback time, kbit/s (asked, spent)."""

    fps: float
    flags: str
    stalls: list[Stall]
    kbps: list[tuple[float, float]]


def render_file(
    clip: Path,
    session: Session,
    out: Path,
    *,
    track: Callable[[str, int], Callable[[], None]] = lambda _what, _total: lambda: None,
) -> Rendered:
    """Render a clip as a session into the file `out`. Raises SessionError, and MediaError for what is no clip."""
    media = inspect(clip, clip.name)
    if media.kind == "image" or media.variable_frame_rate:
        what = "a still image is" if media.kind == "image" else "a clip of a varying frame rate is"
        raise SessionError(f"{clip}: {what} not streamed")
    plan = plan_of(session, media.frames, media.fps)
    spent = [0] * len(plan.segments)

    def add(segment: int, size: int) -> None:
        spent[segment] += size

    advance = track("rendering", plan.frames)

    def shown() -> Iterator[Frame]:
        for frame in render(lambda: frames_of(clip), session, plan, add):
            advance()
            yield frame

    partial = out.with_name(f".{out.name}.partial")
    try:
        encode_frames(shown(), media.fps, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    lengths = [length / media.fps for length in plan.segments]
    kbps = [size * 8 / 1000 / length for size, length in zip(spent, lengths, strict=True)]
    asked = [segment.bitrate_kbps for segment in session.segments]
    return Rendered(media.fps, plan.flags, plan.stalls, list(zip(asked, kbps, strict=True)))


def render_item(item: dict[str, Any]) -> dict[str, Any]:
    """Render one session as work for the engine.

    Takes {source, media, session, out_folder}: the clip that is played, its Media, the Session; writes
    `out_folder/ab/<sha256>.mp4` and gives its path relative to `out_folder` and its sha256.
    """
    media, session = msgspec.convert(item["media"], Media), msgspec.convert(item["session"], Session)
    plan = plan_of(session, media.frames, media.fps)
    shown = render(lambda: frames_of(Path(item["source"])), session, plan)
    return named_by_bytes(Path(item["out_folder"]), ".mp4", lambda path: encode_frames(shown, media.fps, path))
