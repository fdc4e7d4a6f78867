"""A build renders rated sessions: records with stalls, origin, group and split, and whatever does not fit is told."""

import shutil
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from dataset_builder.build import Built, build
from dataset_builder.check import check
from dataset_builder.corpus import read_records, read_samples
from dataset_builder.regenerate import regenerate
from dataset_builder.streaming.render import plan_of
from dataset_builder.video import rgb_frames
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, RecipeError, load
from schemas.record import Stall
from schemas.session import Session

RECIPE = """\
name: streamed
sources:
  - name: live
    table: ratings.csv
    clips: clips
    sessions: sessions.jsonl
    licence: private
    columns: {clip: session, score: mos}
    scale: {lo: 0, hi: 100}
stages: [stage2-streaming]
"""
RATINGS = "session,mos\nsmooth,80\nstalled,30\nlogged,55\nlost,50\n"
SEGMENTS = [
    {"representation": 1, "width": 176, "height": 144, "bitrate_kbps": 120, "duration": 2.0},
    {"representation": 0, "width": 88, "height": 72, "bitrate_kbps": 30, "duration": 2.004},
]
STALLED = {"segments": SEGMENTS, "stalls": [{"media_time": 2.0, "duration": 1.0}], "initial_buffering": 0.5}
LOG = (
    "representation_index,rebuffering_duration,video_bitrate,chunk_duration,width,height\n"
    "0,0.0,60,2.0,176,144\n1,0.5,90,2.004,176,144\n"
)


def folder_of(tmp_path: Path, clip: Path, rows: list[dict[str, Any]]) -> Path:
    folder = tmp_path / "own"
    (folder / "clips").mkdir(parents=True)
    (folder / "logs").mkdir()
    shutil.copy(clip, folder / "clips" / "phone.mp4")
    (folder / "logs" / "7.csv").write_text(LOG)
    (folder / "ratings.csv").write_text(RATINGS)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "sessions.jsonl").write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return folder


GOOD: list[dict[str, Any]] = [
    {"clip": "smooth", "media": "phone", "session": {"segments": SEGMENTS}},
    {"clip": "stalled", "media": "phone.mp4", "session": STALLED},
    {"clip": "logged", "media": "phone", "log": "logs/7.csv"},
]


def make(folder: Path, out: str = "corpus", *overrides: str) -> Built:
    path = folder / "recipe.yaml"
    return build(load(path, BuildRecipe, overrides), path, folder.parent / out)


def test_rated_sessions_are_rendered_with_their_stalls(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    built = make(folder_of(tmp_path, real_clips["carphone_pristine"], GOOD))
    records = {record.id: record for record in read_records(built.folder)}
    assert set(records) == {"live/phone.mp4", *(f"live/phone.mp4@{n}" for n in ("smooth", "stalled", "logged"))}
    source, stalled = records["live/phone.mp4"], records["live/phone.mp4@stalled"]
    fps = source.media.fps
    assert stalled.stalls == [Stall(start=0, duration=15 / fps), Stall(start=75 / fps, duration=30 / fps)]
    assert stalled.origin is not None
    assert (stalled.origin.record_id, stalled.origin.sha256) == (source.id, source.media.sha256)
    assert stalled.origin.session == msgspec.convert(STALLED, Session)
    assert records["live/phone.mp4@smooth"].stalls == []
    assert [s.duration for s in records["live/phone.mp4@logged"].stalls or []] == [15 / fps]
    assert {(record.group, record.split) for record in records.values()} == {(source.group, source.split)}
    assert (stalled.score.value if stalled.score else None) == 30
    assert len(list(rgb_frames(built.folder / stalled.media.path))) == 120 + 45
    asked = [located.sample for located in read_samples(built.folder, "stage2-streaming")]
    assert len(asked) == 2 * 3
    (flags,) = [s.turns[0].text for s in asked if s.id.endswith("stalled/stalls-as-sequence")]
    assert "1" * 15 + "0" * 60 + "1" * 30 + "0" * 59 in flags
    assert [row.reason for row in built.quarantine] == ["sessions.jsonl has no session of 'lost'"]
    assert not list(check(built.folder))


@pytest.mark.full
def test_a_corpus_of_recipes_renders_its_sessions_again(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    folder = folder_of(tmp_path, real_clips["carphone_pristine"], GOOD)
    whole, bare = make(folder), make(folder, "bare", "media=recipes")
    assert not (bare.folder / "media").exists()
    assert not list(check(bare.folder))
    done = regenerate(bare.folder, [folder / "clips"])
    assert (done.rendered, done.problems) == (3, [])
    for path in (whole.folder / "media").rglob("*.mp4"):
        assert (bare.folder / path.relative_to(whole.folder)).read_bytes() == path.read_bytes()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "late": ({"session": STALLED | {"stalls": [{"media_time": 9.0, "duration": 1.0}]}}, "beyond the media"),
    "short": ({"session": STALLED | {"segments": SEGMENTS[:1], "stalls": []}}, "segments last 2 s, the clip 4.004 s"),
    "brief": ({"session": STALLED | {"stalls": [{"media_time": 2.0, "duration": 0.01}]}}, "less than one frame"),
    "starved": (
        {"session": {"segments": [SEGMENTS[0] | {"bitrate_kbps": 1, "duration": 4.004}]}},
        "segment 1: 1 kbit/s are too few for pictures of 176 x 144",
    ),
    "gone": ({"log": "logs/8.csv"}, "there is no such session"),
    "outside": ({"log": "../8.csv"}, "component '..'"),
    "both": ({"log": "logs/7.csv", "session": STALLED}, "either session or log"),
    "who": ({"session": STALLED, "media": "who"}, "no clip is called 'who'"),
}


def test_a_session_that_cannot_be_is_told(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    rows = [GOOD[0], *({"clip": name, "media": "phone", **row} for name, (row, _) in BAD.items())]
    folder = folder_of(tmp_path, real_clips["carphone_pristine"], rows)
    (folder / "ratings.csv").write_text("session,mos\nsmooth,80\n" + "".join(f"{name},50\n" for name in BAD))
    built = make(folder)
    told = [(row.file, row.row, row.reason) for row in built.quarantine]
    for name, (_, reason) in BAD.items():
        assert any(reason in found for _, _, found in told), (name, told)
    rated = {number for file, number, _ in told if file == "ratings.csv"}
    assert rated == set(range(2, len(BAD) + 2))
    assert {record.id for record in read_records(built.folder)} == {"live/phone.mp4", "live/phone.mp4@smooth"}


def test_stalls_of_the_table_are_held_to_the_session(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    folder = folder_of(tmp_path, real_clips["carphone_pristine"], GOOD)
    (folder / "ratings.csv").write_text(
        'session,mos,stalls\nstalled,30,"[[0, 0.5], [2.5, 1.0]]"\nlogged,20,"[[2.0, 0.6]]"\nsmooth,90,[]\n'
    )
    built = make(folder, "corpus", "sources.0.columns.stalls=stalls")
    (bad,) = built.quarantine
    assert (bad.file, bad.row, bad.reason) == (
        "ratings.csv",
        2,
        "logged: the stalls of its row are not those of its session",
    )


def test_sessions_of_one_clip_never_straddle_splits(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    folder = folder_of(tmp_path, real_clips["carphone_pristine"], GOOD)
    (folder / "ratings.csv").write_text(
        "session,mos,part,who\nstalled,30,train,a\nlogged,20,test,b\nsmooth,90,test,b\n"
    )
    with pytest.raises(DataError, match=r"'phone.mp4' is played in sessions of test and of train"):
        make(folder, "corpus", "sources.0.columns.split=part", "sources.0.columns.group=who")


def test_wrong_calls_are_refused(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    folder = folder_of(tmp_path, real_clips["carphone_pristine"], GOOD)
    with pytest.raises(CallError, match="did you mean 'sessions.jsonl'"):
        make(folder, "corpus", "sources.0.sessions=session.jsonl")
    with pytest.raises(CallError, match="no sessions"):
        make(folder, "corpus", "media=reference")
    with pytest.raises(RecipeError, match="neither annotations nor config"):
        make(folder, "corpus", "sources.0.annotations=a.jsonl")


def test_a_still_image_is_not_streamed(tmp_path: Path, photograph: Path) -> None:
    built = make(folder_of(tmp_path, photograph, GOOD[:1]), "corpus")
    assert any("a still image is not streamed" in row.reason for row in built.quarantine)


def test_a_plan_follows_written_numbers() -> None:
    session = msgspec.convert(STALLED, Session)
    assert plan_of(session, 120, 30000 / 1001).stalled == [(0, 15), (75, 105)]
