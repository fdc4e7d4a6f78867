"""Sources of user-made, phone, gaming and generated videos: their tables in every published shape, with their traps."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import scipy.io

import dataset_builder.sources
from dataset_builder.labels import LabelRow, Remark
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin
from schemas.recipe import SourceRecipe, convert


def read(name: str, folder: Path, table: str, **options: Any) -> tuple[list[LabelRow], list[Quarantined]]:
    plain = {"name": name, "source": name, "table": table, "clips": ".", "licence": "l", **options}
    found = list(load_plugin(dataset_builder.sources, name).labels(convert(plain, SourceRecipe, name), folder))
    assert not [row for row in found if isinstance(row, Remark)]
    return [row for row in found if isinstance(row, LabelRow)], [row for row in found if isinstance(row, Quarantined)]


def scores(rows: list[LabelRow]) -> dict[str, float | None]:
    return {row.clip: row.score.value if row.score else None for row in rows}


def expected(name: str, table: str) -> int | None:
    count: int | None = load_plugin(dataset_builder.sources, name).ABOUT.expected(table)
    return count


def cells(*names: str) -> np.ndarray[Any, Any]:
    """Make a cell array as MATLAB saves it: an object array of strings, N x 1."""
    made = np.empty((len(names), 1), dtype=object)
    made[:, 0] = names
    return made


@pytest.mark.parametrize(
    ("name", "path", "clip"),
    [
        ("lsvq", "ia-batch3/night,market_2.mp4", "ia-batch3/night,market_2.mp4"),
        ("konvid_1k", "KoNViD_1k_videos/1234500009.mp4", "1234500009.mp4"),
        ("live_vqc", "Video/A903.mp4", "A903.mp4"),
        ("live_yt_gaming", "SnowRally-004.mp4", "SnowRally-004.mp4"),
        ("cvd2014", "Test3/Newspaper/Test03_Newspaper_D93.avi", "Test03_Newspaper_D93"),
        ("live_qualcomm", "Focus/0102tram_GS6_02.mp4", "0102tram_GS6_02"),
        ("youtube_ugc", "Sports_720P-00dd.mkv", "Sports_720P-00dd"),
        ("youtube_ugc_h264", "Sports_720P-00dd_crf_10_ss_00_t_20.0.mp4", "Sports_720P-00dd_crf_10_ss_00_t_20.0.mp4"),
    ],
)
def test_text_lists_of_fast_vqa(tmp_path: Path, name: str, path: str, clip: str) -> None:
    (tmp_path / "labels.txt").write_text(f"{path}, -1, -1, 2.5\n\n{path.replace('0', '1')}, 8.008, 29.97, high\nb\n")
    rows, (word, short) = read(name, tmp_path, "labels.txt")
    assert scores(rows) == {clip: 2.5}
    assert (word.row, word.field) == (2, "mos")
    assert (short.row, "1 cells, the header 4" in short.reason) == (3, True)


def test_lsvq_splits_by_its_column_or_its_file_name(tmp_path: Path) -> None:
    header = "name,p1,height,width,mos_p1,mos,frame_number,is_test,is_valid\n"
    (tmp_path / "labels_train_test.csv").write_text(
        header + 'a/1,"[0, 9, 0, 9, 0, 9]",540,960,10,20.5,99,False,False\na/2,"[]",540,960,10,30.5,99,True,True\n'
        'a/3,"[]",540,960,10,,99,True,True\na/4,[],540,960,10,40,99,maybe,True\na/5,[0, 9],540,960,10,40,99,True,True\n'
    )
    rows, (maybe, ragged) = read("lsvq", tmp_path, "labels_train_test.csv")
    assert [(row.clip, row.split) for row in rows] == [("a/1", "train"), ("a/2", "test"), ("a/3", "test")]
    assert scores(rows) == {"a/1": 20.5, "a/2": 30.5, "a/3": None}
    assert (maybe.row, maybe.field) == (4, "is_test")
    assert (ragged.row, "10 cells, the header 9" in ragged.reason) == (5, True)
    for table, split in (
        ("labels_test_1080p.csv", "test"),
        ("a1080p.csv", "test"),
        ("train.csv", "train"),
        ("labels.csv", None),
    ):
        (tmp_path / table).write_text("name,mos,is_valid\na/1,20.5,False\n")
        ((row,), _) = read("lsvq", tmp_path, table)
        assert row.split == split
    assert expected("lsvq", "labels_test_1080p.csv") == 3573
    assert expected("lsvq", "x/labels_train_test.csv") == 35238
    assert (expected("lsvq", "labels_test.txt"), expected("lsvq", "labels_train.txt")) == (7182, 28056)


def test_konvid_names_by_id_by_file_name_and_in_matlab(tmp_path: Path) -> None:
    (tmp_path / "attributes.csv").write_text(
        '"flickr_id","file_name","MOS"\n"77","77_original_centercrop_960x540_8s.mp4","3.1"\n"78","","3.2"\n'
    )
    rows, (nameless,) = read("konvid_1k", tmp_path, "attributes.csv")
    assert scores(rows) == {"77_original_centercrop_960x540_8s.mp4": 3.1}
    assert nameless.reason == "the row names no clip"
    info = {"video_names": cells("77.mp4", "1200000078.mp4"), "scores": [[3.1], [4.2]], "index": np.ones((9, 2))}
    scipy.io.savemat(tmp_path / "info.mat", info)
    rows, _ = read("konvid_1k", tmp_path, "info.mat")
    assert scores(rows) == {"77.mp4": 3.1, "1200000078.mp4": 4.2}
    (tmp_path / "mos.csv").write_text('"flickr_id","mos"\n"77","31"\n')
    _, (outside,) = read("konvid_1k", tmp_path, "mos.csv")
    assert "outside the declared scale 1 to 5" in outside.reason


def test_names_in_a_matrix_of_characters_lose_their_padding(tmp_path: Path) -> None:
    scipy.io.savemat(tmp_path / "d.mat", {"video_list": ["A1.mp4", "B12345.mp4"], "mos": [[50.0, 60.0]]})
    assert scipy.io.loadmat(tmp_path / "d.mat")["video_list"][0] == "A1.mp4    "
    assert scores(read("live_vqc", tmp_path, "d.mat")[0]) == {"A1.mp4": 50.0, "B12345.mp4": 60.0}


def test_youtube_ugc_originals_and_copies_are_two_sets_of_the_same_contents(tmp_path: Path) -> None:
    copy = "Vlog_360P-00bb_crf_10_ss_00_t_20.0.mp4"
    (tmp_path / "mos.csv").write_text(f"vid,MOSFull,MOSChunk00,stdFull\nVlog_360P-00bb,2.5,9,0.7\n{copy},2.5,9,0.7\n")
    (original,), (refused,) = read("youtube_ugc", tmp_path, "mos.csv")
    assert original.score is not None
    assert (original.clip, original.score.value, original.score.std) == ("Vlog_360P-00bb", 2.5, 0.7)
    assert (refused.row, "source youtube_ugc_h264" in refused.reason) == (2, True)
    names = cells(copy, "HDR_2160P-00cc_crf_10_ss_00_t_20.0.mp4")
    scipy.io.savemat(tmp_path / "d.mat", {"index": np.ones((5, 2)), "scores": [[2.5, 4.0]], "video_names": names})
    for table in ("d.mat", "mos.csv"):
        rows, refused_rows = read("youtube_ugc_h264", tmp_path, table)
        assert not refused_rows
        assert (rows[0].clip, rows[0].group) == (copy, original.group)
    assert (expected("youtube_ugc", "mos.csv"), expected("youtube_ugc_h264", "d.mat")) == (1380, 1020)


def test_gaming_groups_by_game(tmp_path: Path) -> None:
    clips = cells("Tile-Quest-001", "Tile-Quest-002", "Chess")
    scipy.io.savemat(tmp_path / "d.mat", {"video_list": clips, "MOS": [[10.0], [95.95], [50.0]], "index": [[1, 2, 3]]})
    rows, _ = read("live_yt_gaming", tmp_path, "d.mat")
    groups = [row.group for row in rows]
    assert groups == ["live_yt_gaming/Tile-Quest", "live_yt_gaming/Tile-Quest", "live_yt_gaming/Chess"]
    assert rows[1].score is not None
    assert rows[1].score.value == 95.95


def test_cvd2014_has_decimal_commas_negative_scores_and_a_blank_tail(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(
        b"\xef\xbb\xbfContent;File_name;Original MOS;Realignment MOS;;;;\r\nCity;Test01_City_D91;4,44;-6,50;;;;\r\n"
        b"Talking head;Test05_Talking_Head_D92;71,5;93,38;;;;\r\nTalking head;Test06_Talking_head_D93;20;-6,51;;;;\r\n"
        + b";;;;;;;\r\n"
        * 3
    )
    rows, (below,) = read("cvd2014", tmp_path, "t.csv")
    assert scores(rows) == {"Test01_City_D91": -6.5, "Test05_Talking_Head_D92": 93.38}
    assert "outside the declared scale" in below.reason
    originals, _ = read("cvd2014", tmp_path, "t.csv", variant="original")
    assert [row.score and row.score.value for row in originals] == [4.44, 71.5, 20.0]
    assert [row.group for row in originals] == ["cvd2014/city", "cvd2014/talking_head", "cvd2014/talking_head"]
    (tmp_path / "list.txt").write_text("Test1/City/Test01_City_D91.avi, 15.0, 25.0, -6.5\n")
    with pytest.raises(CallError, match="no column 'Original MOS'"):
        read("cvd2014", tmp_path, "list.txt", variant="original")


def qualcomm(folder: Path, types: list[list[int]], **more: Any) -> str:
    video = {
        "vidNames": cells("0912_CheerLeader1_GS5_01.yuv", "0912_Cheerleader1_LGG2_02.yuv", "0913taiZi_Note4_1.yuv"),
        "distortionType": np.array(types, dtype=np.uint8),
        **more,
    }
    mos = {"unBiasedMOS": [[52.5], [31.25], [44.0]], "biasedMOS": [[50.0], [35.0], [41.5]]}
    scipy.io.savemat(folder / "q.mat", {"qualcommVideoData": video, "qualcommSubjectiveData": mos})
    return "q.mat"


KINDS = {"distortionNames": cells("Artifacts", "Color", "Exposure", "Focus", "Sharpness", "Stabilization")}


def test_qualcomm_distortions_scenes_and_two_scores(tmp_path: Path) -> None:
    rows, _ = read("live_qualcomm", tmp_path, qualcomm(tmp_path, [[4], [6], [1]], **KINDS))
    assert [row.clip for row in rows] == ["0912_CheerLeader1_GS5_01", "0912_Cheerleader1_LGG2_02", "0913taiZi_Note4_1"]
    assert [row.distortions for row in rows] == [["spatial blur"], ["camera shake"], []]
    assert [row.remark for row in rows] == [
        "",
        "",
        "the distortion 'Artifacts' has no one counterpart in the taxonomy",
    ]
    assert rows[0].group == rows[1].group != rows[2].group
    biased, _ = read("live_qualcomm", tmp_path, "q.mat", variant="biased")
    assert [row.score and row.score.value for row in biased] == [50.0, 35.0, 41.5]


def test_qualcomm_says_what_is_wrong_with_a_distortion(tmp_path: Path) -> None:
    rows, (unknown,) = read("live_qualcomm", tmp_path, qualcomm(tmp_path, [[1], [7], [0 + 3]], **KINDS))
    assert len(rows) == 2
    assert (unknown.row, "7 is none of the 6 distortions" in unknown.reason) == (2, True)
    with pytest.raises(CallError, match=r"there is no qualcommVideoData.distortionNames"):
        read("live_qualcomm", tmp_path, qualcomm(tmp_path, [[1], [2], [3]]))
    (tmp_path / "list.txt").write_text(
        "Stabilization/0101pier_GS5.mp4, -1, -1, 40\nBlur/0101pier_GS6.mp4, -1, -1, 41\n0101pier_GS7.mp4, -1, -1, 42\n"
    )
    (shaken, plain), (blur,) = read("live_qualcomm", tmp_path, "list.txt")
    assert (shaken.clip, shaken.distortions) == ("0101pier_GS5", ["camera shake"])
    assert (plain.distortions, plain.remark) == ([], "")
    assert "'Blur' is none of the set's distortions" in blur.reason


def test_t2vqa_prompts_are_groups_and_quotes_are_letters(tmp_path: Path) -> None:
    (tmp_path / "info.txt").write_text(
        '1.mp4|"stop" sign in fog|10\n2.mp4|"unclosed, in the rain|20.5\n3.mp4|"STOP"  sign in fog|30\n4.mp4|a|b|40\n'
    )
    rows, (piped,) = read("t2vqa_db", tmp_path, "info.txt")
    assert scores(rows) == {"1.mp4": 10.0, "2.mp4": 20.5, "3.mp4": 30.0}
    assert rows[0].group == rows[2].group == 't2vqa_db/"stop" sign in fog'
    assert (piped.row, "4 cells, the header 3" in piped.reason) == (4, True)


def test_video_feedback_by_dimension_split_and_count(tmp_path: Path) -> None:
    row = {"images": ["f.jpg"], "text prompt": "Two foxes", "visual quality": 2, "text-to-video alignment": 4}
    for name, clip in (("train-00000-of-00001.parquet", "p1"), ("test-00000-of-00001.parquet", "p2")):
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"id": clip, **row}]), tmp_path / name)
    rows, _ = read("video_feedback", tmp_path, "*.parquet")
    assert [(row.clip, row.split, row.group) for row in rows] == [
        ("p2", "test", "video_feedback/two foxes"),
        ("p1", "train", "video_feedback/two foxes"),
    ]
    assert scores(rows) == {"p1": 2.0, "p2": 2.0}
    other, _ = read("video_feedback", tmp_path, "train-*", variant="text_to_video_alignment")
    assert scores(other) == {"p1": 4.0}
    with pytest.raises(CallError, match="no column 'dynamic degree'"):
        read("video_feedback", tmp_path, "train-*", variant="dynamic_degree")
    assert expected("video_feedback", "annotated/train-00000-of-00001.parquet") == 32901
    assert expected("video_feedback", "real/test-00000-of-00001.parquet") == 80
    assert expected("video_feedback", "train-00000-of-00001.parquet") is None


def test_rating_lists_need_a_scale_and_keep_odd_names(tmp_path: Path) -> None:
    rated = [{"img_path": "-Abc-00004.mp4", "mos": 70.5}, {"img_path": "-Abc-00005.mp4", "mos": 70}]
    (tmp_path / "UGC_test.json").write_text(json.dumps(rated))
    with pytest.raises(CallError, match="by variant \\(lsvq_test, .*\\) or by scale"):
        read("vqa2_ratings", tmp_path, "UGC_test.json")
    rows, _ = read("vqa2_ratings", tmp_path, "UGC_test.json", variant="ugc_test")
    assert [(row.clip, row.group, row.split) for row in rows] == [
        ("-Abc-00004.mp4", "ugc_test/-Abc", "test"),
        ("-Abc-00005.mp4", "ugc_test/-Abc", "test"),
    ]
    _, outside = read("vqa2_ratings", tmp_path, "UGC_test.json", variant="lsvq_1080p")
    assert len(outside) == 2
    declared, _ = read("vqa2_ratings", tmp_path, "UGC_test.json", scale={"lo": 0, "hi": 100})
    assert [(row.group, row.split) for row in declared] == [(None, None)] * 2
    assert expected("vqa2_ratings", "rating/LSVQ(test).json") == 7182


@pytest.mark.parametrize("keys", [("VIDEO_path", "mos"), ("img_path", "GT_SCORE"), ("image", "gt_score")])
def test_rating_lists_by_any_keys_and_as_json_lines(tmp_path: Path, keys: tuple[str, str]) -> None:
    rated: list[dict[str, Any]] = [
        dict(zip(keys, ("7.mp4", 1.0), strict=True)),
        dict(zip(keys, ("8.mp4", "0.25"), strict=True)),
    ]
    (tmp_path / "a.json").write_text("\n".join(json.dumps({**row, "level": 6 - i}) for i, row in enumerate(rated)))
    rows, _ = read("vqa2_ratings", tmp_path, "a.json", variant="konvid_1k")
    assert scores(rows) == {"7.mp4": 1.0, "8.mp4": 0.25}
    assert [row.remark for row in rows] == ["its level 6 is none of 1 to 5, and is not used", ""]


def test_a_table_of_another_set_is_refused_by_its_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("clip,score\na,1\n")
    for name in ("lsvq", "konvid_1k", "live_vqc", "live_yt_gaming", "youtube_ugc", "live_qualcomm", "video_feedback"):
        with pytest.raises(CallError, match=f"not a label table of {name}; it has: clip, score"):
            read(name, tmp_path, "t.csv")
