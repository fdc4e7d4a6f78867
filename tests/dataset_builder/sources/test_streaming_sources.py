"""Streaming sets: sessions with stalls on their own playback, from hand-typed rows in the published shapes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from dataset_builder.labels import LabelRow, Remark
from dataset_builder.sources import Labelled, itu_p1203, live_nflx_ii, waterloo_i, waterloo_iv
from dataset_builder.sources._stalls import on_playback
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.recipe import SourceRecipe
from schemas.record import Stall

LOG = "representation_index,rebuffering_duration,video_bitrate,chunk_duration,mos,vmaf\n"


def read(source: Any, folder: Path, table: str, **options: Any) -> list[Labelled]:
    recipe = SourceRecipe(name="s", source="s", table=table, clips=".", licence="l", **options)
    return list(source.labels(recipe, folder))


def only(rows: list[Labelled]) -> LabelRow:
    (row,) = [row for row in rows if not isinstance(row, Remark)]
    assert isinstance(row, LabelRow), row
    return row


def refused(rows: list[Labelled]) -> Quarantined:
    (row,) = [row for row in rows if not isinstance(row, Remark)]
    assert isinstance(row, Quarantined), row
    return row


def waterloo(folder: Path, log: str | None, row: str = "001.csv,50,Harbour,H264,hdtv") -> Path:
    (folder / "data.csv").write_text(f"streaming_log,mos,content,encoding_profile,device\n{row}\n")
    (folder / "streaming_logs").mkdir(exist_ok=True)
    if log is not None:
        (folder / "streaming_logs/001.csv").write_text(log)
    return folder


def test_stalls_move_from_media_time_to_playback() -> None:
    assert on_playback([(10, 12), (20, 12)]) == [Stall(start=10, duration=12), Stall(start=32, duration=12)]
    assert on_playback([(4, 1), (0, 2), (4, 0.5), (6, 0)]) == [Stall(start=0, duration=2), Stall(start=6, duration=1.5)]
    assert on_playback([]) == []
    for bad in [(-1.0, 1.0), (1.0, -1.0)]:
        with pytest.raises(ValueError, match="0 or more"):
            on_playback([bad])


def test_a_waterloo_log_tells_initial_buffering_and_stalls_before_segments(tmp_path: Path) -> None:
    log = LOG + "0,1.5,400,2.0,77,60\n0,0.0,400,2.0,77,60\n1,3.0,800,2.0,77,70\n1,0.25,800,2.0,77,70\n"
    row = only(read(waterloo_i, waterloo(tmp_path, log), "data.csv"))
    assert row.stalls == [
        Stall(start=0, duration=1.5),
        Stall(start=2 + 2 + 1.5, duration=3),
        Stall(start=2 + 2 + 1.5 + 3 + 2, duration=0.25),
    ]
    assert row.score is not None
    assert (row.clip, row.group, row.remark) == ("001", "waterloo_i/Harbour", "")
    assert (row.score.value, row.score.lo, row.score.hi, row.score.std) == (50, 0, 100, None)  # not the log's 77


def test_a_smooth_session_has_no_stalls_and_one_without_log_unknown_ones(tmp_path: Path) -> None:
    smooth = only(read(waterloo_i, waterloo(tmp_path, LOG + "0,0.0,400,2.0,50,60\n"), "data.csv"))
    assert smooth.stalls == []
    (tmp_path / "streaming_logs/001.csv").unlink()
    unknown = only(read(waterloo_i, tmp_path, "data.csv"))
    assert unknown.stalls is None
    assert unknown.score is not None
    assert "stalls are unknown" in unknown.remark


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ("", "it is empty"),
        ("representation_index,rebuffering_duration\n0,1.0\n", "a segment has no chunk_duration"),
        (LOG + "0,long,400,2.0,50,60\n", "'long' is not a number"),
        (LOG + "0,-1,400,2.0,50,60\n", "times are 0 or more"),
        (LOG + "0,1.0,400\n", "3 cells, the header 6"),
    ],
)
def test_a_log_of_no_use_quarantines_its_session(tmp_path: Path, log: str, reason: str) -> None:
    row = refused(read(waterloo_i, waterloo(tmp_path, log), "data.csv"))
    assert (row.row, row.field) == (1, "streaming_log")
    assert "001.csv" in row.reason
    assert reason in row.reason


def test_a_log_outside_the_folder_is_refused(tmp_path: Path) -> None:
    row = refused(read(waterloo_i, waterloo(tmp_path, None, "../001.csv,50,Harbour,H264,hdtv"), "data.csv"))
    assert "'..'" in row.reason


def test_single_scores_of_waterloo_iv_give_spread_and_number(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(
        "streaming_log,mos,individual_scores,abr,content,encoding_profile,device,trace\n"
        'a.csv,61,"[55 60\n 68]",x,market,H264,phone,t\nb.csv,40,[40],x,market,H264,phone,t\n'
        "c.csv,40,[],x,market,H264,phone,t\nd.csv,40,[4 x],x,market,H264,uhdtv,t\n"
    )
    three, one, none, bad = read(waterloo_iv, tmp_path, "data.csv")
    assert isinstance(three, LabelRow)
    assert three.score is not None
    assert three.score.std == pytest.approx(np.std([55, 60, 68], ddof=1))
    assert three.score.ratings == 3
    assert isinstance(one, LabelRow)
    assert one.score is not None
    assert (one.score.std, one.score.ratings) == (None, 1)
    assert isinstance(none, LabelRow)
    assert none.score is not None
    assert (none.score.std, none.score.ratings) == (None, None)
    assert isinstance(bad, Quarantined)
    assert bad.field == "individual_scores"
    *phones, other = read(waterloo_iv, tmp_path, "data.csv", where={"device": "phone"})
    assert all(isinstance(row, LabelRow) for row in phones)
    assert other == Remark("left out by where: device is not phone", "data.csv")


def test_another_table_is_not_taken_for_sessions(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("name,mos\na,3\n")
    with pytest.raises(CallError, match="no column 'streaming_log', so this is not a label table"):
        read(waterloo_i, tmp_path, "data.csv")


MEANS = (
    "pvs_id,context,mos,n,sd,ci\nTR04_SRC901_HRC01,pc,4.5,24,0.51,0.22\nTR04_SRC901_HRC01,mobile,4,20,0.44,0.21\n"
    "TR04_SRC902_HRC02,pc,2.25,24,0.9,0.38\n"
)


def p1203(folder: Path, stalling: str) -> Path:
    (folder / "subjective_scores").mkdir()
    (folder / "subjective_scores/mos.csv").write_text(MEANS)
    (folder / "mode0").mkdir()
    for context in ("pc", "mobile"):
        path = folder / f"mode0/046-TR04_SRC902_HRC02-{context}-input.json"
        path.write_text(stalling if context == "pc" else '{"I23": {"stalling": [[1, 1]]}}')
    return folder


def test_p1203_means_come_with_stalls_of_their_own_context_on_playback(tmp_path: Path) -> None:
    p1203(tmp_path, '{"I23": {"stalling": [[0, 2], [10, 4], [20, 4]]}}')
    rows = read(itu_p1203, tmp_path, "subjective_scores/mos.csv", where={"context": "pc"})
    first, left_out, second = rows
    assert isinstance(first, LabelRow)
    assert first.score is not None
    assert (first.score.value, first.score.std, first.score.ratings, first.score.ci95) == (4.5, 0.51, 24, 0.22)
    assert (first.stalls, first.group) == (None, "itu_p1203/TR04_SRC901")
    assert left_out == Remark("left out by where: context is not pc", "subjective_scores/mos.csv")
    assert isinstance(second, LabelRow)
    assert [(stall.start, stall.duration) for stall in second.stalls or []] == [(0, 2), (12, 4), (26, 4)]


@pytest.mark.parametrize("where", [{}, {"context": ["pc", "mobile"]}])
def test_p1203_contexts_are_never_mixed(tmp_path: Path, where: dict[str, Any]) -> None:
    p1203(tmp_path, "{}")
    with pytest.raises(CallError, match=r"rated under mobile and pc.*where: \{context: pc\}"):
        read(itu_p1203, tmp_path, "subjective_scores/mos.csv", where=where)


@pytest.mark.parametrize("stalling", ["{}", "[", '{"I23": {"stalling": [[1]]}}', '{"I23": {"stalling": [[1, -2]]}}'])
def test_a_p1203_stall_list_of_no_use_quarantines_its_clip(tmp_path: Path, stalling: str) -> None:
    p1203(tmp_path, stalling)
    rows = read(itu_p1203, tmp_path, "subjective_scores/mos.csv", where={"context": "pc"})
    (bad,) = [row for row in rows if isinstance(row, Quarantined)]
    assert (bad.row, bad.field) == (3, "pvs_id")
    assert "046-TR04_SRC902_HRC02-pc-input.json is of no use" in bad.reason


def test_p1203_single_ratings_become_scores(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(
        "pvs_id,context,subject,rating\nTR04_SRC901_HRC01,pc,S1,5\nTR04_SRC901_HRC01,pc,S2,4\n"
        "TR04_SRC901_HRC01,pc,S3,x\nTR04_SRC901_HRC01,pc,S4,3\nVL04_SRC901_HRC01,pc,S1,2\nVL04_SRC901_HRC01,pc,,2\n"
    )
    rows = read(itu_p1203, tmp_path, "ratings.csv")
    first, second = [row for row in rows if isinstance(row, LabelRow)]
    assert first.score is not None
    assert (first.score.value, first.score.std, first.score.ratings, first.score.opinion) == (4, 1, 3, "mos")
    assert second.score is not None
    assert (second.clip, second.score.value, second.score.std, second.score.ratings) == (
        "VL04_SRC901_HRC01",
        2,
        None,
        1,
    )
    assert [(row.row, row.reason[-20:]) for row in rows if isinstance(row, Quarantined)] == [
        (3, "'x' is not a number"[-20:]),
        (6, "the row names no subject"[-20:]),
    ]


def test_p1203_subjects_of_two_databases_are_two_people(tmp_path: Path) -> None:
    """One S1 is generous, the other strict: taken for one person, the bias that p913 takes off would be 0."""
    lines = [
        f"{base}_SRC{clip}_HRC01,pc,S{subject},{rating}"
        for base, ratings in {"TR04": (5, 3, 3), "VL04": (1, 3, 3)}.items()
        for clip in (1, 2)
        for subject, rating in enumerate(ratings, 1)
    ]
    (tmp_path / "ratings.csv").write_text("pvs_id,context,subject,rating\n" + "\n".join(lines))
    rows = read(itu_p1203, tmp_path, "ratings.csv", opinion="p913")
    spreads = [row.score.std for row in rows if isinstance(row, LabelRow) and row.score]
    assert spreads == pytest.approx([0, 0, 0, 0])


def netflix(folder: Path, name: str = "Harbour_RB_Trace_0", **changed: Any) -> Path:
    fields: dict[str, Any] = {
        "distorted_mp4_video": f"{name}.mp4",
        "content_name": "Harbour",
        "retrospective_zscored_mos": -0.75,
        "is_rebuffered_bool": np.array([[1, 1, 0, 0, 0, 1, 0, 1]], np.uint8),
        "frame_rate": 25,
        "VMAF": np.ones((1, 4)),
    }
    fields |= changed
    scipy.io.savemat(folder / f"{name}.mat", {key: value for key, value in fields.items() if value is not None})
    return folder


def test_live_nflx_ii_reads_a_file_a_video_and_its_stalled_frames(tmp_path: Path) -> None:
    netflix(netflix(tmp_path), "Harbour_BB_Trace_1", is_rebuffered_bool=np.zeros((5, 1)))
    smooth, stalled, missing = read(live_nflx_ii, tmp_path, "*.mat")
    assert isinstance(stalled, LabelRow)
    assert stalled.score is not None
    assert (stalled.clip, stalled.table, stalled.row) == ("Harbour_RB_Trace_0.mp4", "Harbour_RB_Trace_0.mat", 1)
    assert (stalled.score.value, stalled.group) == (-0.75, "live_nflx_ii/Harbour")
    assert [stall.start for stall in stalled.stalls or []] == pytest.approx([0, 5 / 25, 7 / 25])
    assert [stall.duration for stall in stalled.stalls or []] == pytest.approx([2 / 25, 1 / 25, 1 / 25])
    assert isinstance(smooth, LabelRow)
    assert smooth.stalls == []
    assert missing == Remark("*.mat names 2 videos, the set publishes 420")


@pytest.mark.parametrize(
    ("changed", "field", "reason"),
    [
        ({"is_rebuffered_bool": None}, "is_rebuffered_bool", "has no is_rebuffered_bool"),
        ({"frame_rate": 0}, "frame_rate", "no frame rate"),
        ({"frame_rate": None}, "frame_rate", "no frame rate"),
        ({"retrospective_zscored_mos": 3.5}, "retrospective_zscored_mos", "outside the declared scale -3 to 3"),
        ({"distorted_mp4_video": None}, "distorted_mp4_video", "names no clip"),
    ],
)
def test_live_nflx_ii_quarantines_by_file_and_field(
    tmp_path: Path, changed: dict[str, Any], field: str, reason: str
) -> None:
    row = refused(read(live_nflx_ii, netflix(tmp_path, **changed), "*.mat"))
    assert (row.file, row.field) == ("Harbour_RB_Trace_0.mat", field)
    assert reason in row.reason


def test_live_nflx_ii_outlives_a_broken_file_and_unpickles_none(tmp_path: Path) -> None:
    (tmp_path / "a.mat").write_bytes(b"MATLAB 5.0 and no more")
    assert "no MATLAB file" in refused(read(live_nflx_ii, tmp_path, "*.mat")).reason
    (tmp_path / "a.pkl").write_bytes(b"")
    with pytest.raises(CallError, match=r"a\.pkl: the labels of s are read from its \.mat files"):
        read(live_nflx_ii, tmp_path, "*.pkl")
