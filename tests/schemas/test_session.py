"""Sessions that nobody can have seen are refused with a line."""

import math
from typing import Any

import msgspec
import pytest

from schemas.session import ClipSession, Session, StallEvent
from schemas.validate import Problem, check_bytes

SEGMENT = {"representation": "720p", "width": 1280, "height": 720, "bitrate_kbps": 2000.0, "duration": 4.0}


def stalls(*events: tuple[float, float]) -> dict[str, Any]:
    return {"stalls": [{"media_time": time, "duration": duration} for time, duration in events]}


def test_a_session_keeps_what_it_says() -> None:
    said = {"segments": [SEGMENT, SEGMENT | {"representation": 0}], **stalls((2, 1), (8, 0.5)), "shown": "spinner"}
    session = msgspec.convert(said, Session)
    assert session.duration == 8
    assert msgspec.json.decode(msgspec.json.encode(session), type=Session) == session


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"segments": []}, "at least one"),
        ({"segments": [SEGMENT | {"duration": 0}]}, "lasts above 0 s, not 0"),
        ({"segments": [SEGMENT | {"duration": -1}]}, "lasts above 0 s, not -1"),
        ({"segments": [SEGMENT | {"duration": math.nan}]}, "lasts above 0 s, not nan"),
        ({"segments": [SEGMENT | {"bitrate_kbps": 0}]}, "a bitrate is above 0"),
        ({"segments": [SEGMENT | {"bitrate_kbps": math.inf}]}, "a bitrate is above 0"),
        ({"segments": [SEGMENT | {"width": 0}]}, "16 to 8192 pixels each way, not 0 x 720"),
        ({"segments": [SEGMENT | {"height": 99999}]}, "pixels each way"),
        (stalls((-1, 1)), "0 s or later, not -1"),
        (stalls((math.nan, 1)), "0 s or later, not nan"),
        (stalls((0, 1)), "say initial_buffering"),
        (stalls((1, 0)), "a stall lasts above 0 s, not 0"),
        (stalls((1, math.inf)), "a stall lasts above 0 s, not inf"),
        (stalls((1, 1), (1, 2)), "two lie at 1 s"),
        (stalls((2, 1), (1, 2)), "the one at 1 s stands behind the one at 2 s"),
        (stalls((4.5, 1)), "lies beyond the media, whose segments last 4 s"),
        ({"initial_buffering": -0.1}, "initial_buffering is 0 s or more"),
        ({"initial_buffering": math.nan}, "initial_buffering is 0 s or more"),
        ({"shown": "ring"}, "Invalid enum value 'ring'"),
        ({"stall": []}, "unknown field `stall`"),
    ],
)
def test_impossible_sessions_are_refused(said: dict[str, Any], reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=reason):
        msgspec.convert({"segments": [SEGMENT]} | said, Session)


def test_a_stall_may_come_after_the_last_frame() -> None:
    assert msgspec.convert({"segments": [SEGMENT], **stalls((4, 1))}, Session).stalls == [
        StallEvent(media_time=4, duration=1)
    ]


def test_a_line_of_a_file_of_sessions_is_told_by_its_field() -> None:
    good = b'{"clip": "a", "session": {"segments": [' + msgspec.json.encode(SEGMENT) + b"]}}"
    assert isinstance(check_bytes(good, ClipSession, "s.jsonl", 1), ClipSession)
    problem = check_bytes(good.replace(b"2000.0", b'"fast"'), ClipSession, "s.jsonl", 7)
    assert isinstance(problem, Problem)
    assert (problem.line, problem.field) == (7, "session/segments/0/bitrate_kbps") or "fast" in problem.rule
    neither = check_bytes(b'{"clip": "a"}', ClipSession, "s.jsonl", 1)
    assert isinstance(neither, Problem)
    assert "either session or log" in neither.rule
