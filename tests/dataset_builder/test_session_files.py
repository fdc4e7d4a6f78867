"""Sessions in the shapes in which they are published, from hand-typed rows."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest
import scipy.io

from dataset_builder.sources import itu_p1203
from dataset_builder.sources._stalls import on_playback
from dataset_builder.sources._waterloo import _stalls
from dataset_builder.streaming.files import read_session
from schemas.errors import CallError, DataError
from schemas.session import Segment, Session, StallEvent

LOG = """\
representation_index,rebuffering_duration,video_bitrate,chunk_duration,qp,framerate,width,height
2,1.5,900.5,2.0,30,25,1280,720
1,0.0,410.0,2.0,33,25,640,360
1,3.0,420.0,1.5,33,25,640,360
"""
P1203: dict[str, Any] = {
    "I11": {"segments": [], "streamId": 1},
    "I13": {
        "segments": [
            {"bitrate": 700.5, "codec": "h264", "duration": 5.5, "fps": 25.0, "resolution": "1280x720", "start": 0},
            {"bitrate": 4200, "codec": "h264", "duration": 5.0, "fps": 25.0, "resolution": "1920x1080", "start": 5.5}
            | {"representation": "hd"},
        ],
        "streamId": 1,
    },
    "I23": {"stalling": [[0, 2], [5.5, 1.25]], "streamId": 1},
    "IGen": {"device": "pc", "displaySize": "1920x1080", "viewingDistance": "150cm"},
}


def netflix(path: Path, **changed: Any) -> Path:
    fields: dict[str, Any] = {
        "is_rebuffered_bool": np.array([[1, 0, 0, 0, 1, 1, 0, 0]]),
        "frame_rate": 25.0,
        "playout_bitrate": np.array([[0, 300.0, 300, 300, 0, 0, 900, 900]]),
        "scene_cuts": np.array([[0, 3]]),
        "per_segment_encoding_width": np.array([[320, 640]]),
        "per_segment_encoding_height": np.array([[180, 360]]),
    } | changed
    scipy.io.savemat(path, {key: value for key, value in fields.items() if value is not None})
    return path


def test_a_waterloo_log_is_a_session(tmp_path: Path) -> None:
    (tmp_path / "7.csv").write_text(LOG)
    session = read_session(tmp_path / "7.csv")
    assert session.segments[0] == Segment(representation="2", width=1280, height=720, bitrate_kbps=900.5, duration=2.0)
    assert [segment.duration for segment in session.segments] == [2, 2, 1.5]
    assert (session.initial_buffering, session.stalls) == (1.5, [StallEvent(media_time=4, duration=3)])
    assert _stalls(tmp_path / "7.csv") == on_playback([(0, 1.5), (4, 3)])


def test_the_inputs_of_p1203_are_a_session(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps(P1203))
    session = read_session(tmp_path / "a.json")
    assert [(s.representation, s.width, s.height, s.bitrate_kbps, s.duration) for s in session.segments] == [
        (0, 1280, 720, 700.5, 5.5),
        ("hd", 1920, 1080, 4200, 5),
    ]
    assert (session.initial_buffering, session.stalls) == (2, [StallEvent(media_time=5.5, duration=1.25)])
    assert [stall.start for stall in itu_p1203._stalls(tmp_path / "a.json") or []] == [0, 7.5]


def test_a_video_of_live_nflx_ii_is_a_session(tmp_path: Path) -> None:
    session = read_session(netflix(tmp_path / "a.mat"))
    assert [(s.width, s.height, s.bitrate_kbps, s.duration) for s in session.segments] == [
        (320, 180, 300, 3 / 25),
        (640, 360, 900, 2 / 25),
    ]
    assert (session.initial_buffering, session.stalls) == (
        1 / 25,
        [StallEvent(media_time=3 / 25, duration=2 / 25)],
    )


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"scene_cuts": np.array([[0, 3, 4]])}, "scene_cuts make 3 segments, there are 2"),
        ({"playout_bitrate": None}, "the file has no playout_bitrate"),
        ({"playout_bitrate": np.ones((1, 3))}, "playout_bitrate has 3 frames, is_rebuffered_bool 8"),
        ({"frame_rate": 0}, "no frame rate"),
    ],
)
def test_a_video_of_no_use_is_told(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read_session(netflix(tmp_path / "a.mat", **changed))


def test_sessions_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "segments:\n  - {representation: low, width: 64, height: 48, bitrate_kbps: 50, duration: 2}\n"
        "stalls: [{media_time: 1, duration: 0.5}]\nshown: spinner\n"
    )
    session = read_session(tmp_path / "a.yaml")
    assert (session.shown, session.stalls[0].media_time) == ("spinner", 1)
    (tmp_path / "a.json").write_bytes(msgspec.json.encode(session))
    assert read_session(tmp_path / "a.json") == session
    assert isinstance(session, Session)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.yaml", "segments: [", "a.yaml: no session"),
        ("a.yaml", "[]", "Expected `object`"),
        ("a.json", '{"segments": [{"representation": 1}]}', "at `segments\\[0\\]`"),
        ("a.json", '{"I13": {"segments": [{"bitrate": 1}]}}', "no inputs of P.1203"),
        ("a.json", '{"I13": {"segments": []}}', "at least one"),
        ("a.csv", "rebuffering_duration,video_bitrate,width,height\n0,9,64,64\n", "a segment has no chunk_duration"),
        ("a.csv", "rebuffering_duration,video_bitrate,chunk_duration\n0,100,2\n", "a segment has no width"),
        ("a.mat", "MATLAB 5.0 and no more", "no MATLAB file"),
    ],
)
def test_files_of_no_use_are_told(tmp_path: Path, name: str, text: str, reason: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=reason):
        read_session(tmp_path / name)


def test_files_that_are_none_are_wrong_calls(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    for name, reason in (("a.txt", r"a session is a \.json"), ("b.json", "no such session")):
        with pytest.raises(CallError, match=reason):
            read_session(tmp_path / name)
