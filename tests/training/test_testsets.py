"""The contract of every test set, and label files in the shapes in which they are published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import training.testsets
from dataset_builder.sources import Example
from schemas.errors import CallError
from schemas.plugins import load_plugin, plugin_names
from tests.conftest import Cli
from tests.dataset_builder.test_sources import write_example
from training.testsets import About, Items, QuestionItem, ScoredItem
from training.testsets._questions import prompt_of

VIDEO_ROW = {
    "video_name": "pier.mp4",
    "question": "Is it sharp?",
    "question_type": "yes-or-no",
    "context": "Single",
    "answers": ["Yes", "No"],
    "correct_choice": "A",
}
IMAGE_ROW = {
    "img_path": "1.jpg",
    "question": "Is it sharp?",
    "candidates": ["Yes", "No"],
    "correct_ans": "No",
    "type": 0,
    "concern": 2,
}


def read(name: str, labels: Path, part: str | None = None) -> Items:
    found: Items = load_plugin(training.testsets, name).items(labels, part)
    return found


def written(path: Path, rows: Any) -> Path:
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", plugin_names(training.testsets))
def test_every_test_set_keeps_the_contract(name: str, tmp_path: Path) -> None:
    testset = load_plugin(training.testsets, name)
    assert testset.__doc__
    about, example = testset.ABOUT, testset.EXAMPLE
    assert isinstance(about, About)
    assert about.title
    assert about.homepage.startswith("http") or about.paper
    assert about.expected
    assert set(about.expected) <= {"", *about.parts}
    assert all(n > 100 for n in about.expected.values())
    assert isinstance(example, Example)
    write_example(example, tmp_path)
    found = testset.items(tmp_path / example.table, None)
    assert isinstance(found, Items)
    assert len(found.items) >= 2
    assert found.refused == []
    assert found.expected == about.expected[found.part]
    ids = [item.id for item in found.items]
    assert len(set(ids)) == len(ids)
    if about.kind == "scores":
        assert found.scale is not None
        assert all(isinstance(item, ScoredItem) for item in found.items)
        assert all(found.scale.lo <= item.raw <= found.scale.hi for item in found.scored)
    else:
        assert all(isinstance(item, QuestionItem) for item in found.items)
        for item in found.questions:
            assert item.open_ended == (item.right is None) == bool(item.reference)
            assert item.concerns
    for part in about.parts:
        if part in about.expected and about.kind == "questions":
            assert testset.items(tmp_path / example.table, part).part == part
    with pytest.raises(CallError, match="part"):
        testset.items(tmp_path / example.table, "no such part")
    gone = tmp_path / f"gone_{about.parts[0] if about.parts else ''}{Path(example.table).suffix}"
    with pytest.raises(CallError, match="gone"):
        testset.items(gone, None)


@pytest.mark.parametrize(
    ("name", "hi", "key"),
    [
        ("konvid_1k", 1, "VIDEO_path"),
        ("live_vqc", 100, "img_path"),
        ("lsvq_test", 100, "img_path"),
        ("lsvq_1080p", 1, "img_path"),
        ("youtube_ugc", 5, "img_path"),
        ("live_yt_gaming", 1, "img_path"),
    ],
)
def test_the_papers_json_lists_are_read(name: str, hi: float, key: str, tmp_path: Path) -> None:
    rows = [{key: "yfcc-batch1/-7.mp4", "mos": 1.0}, {key: "Vlog_360P-00bb.mp4", "mos": 1.0}, {key: "c.mp4", "mos": -2}]
    found = read(name, written(tmp_path / "list.json", rows))
    assert [item.id for item in found.items] == ["yfcc-batch1/-7", "Vlog_360P-00bb"]
    assert found.scored[0].clip == "yfcc-batch1/-7.mp4"
    assert found.scale is not None
    assert found.scale.hi == hi
    assert len(found.refused) == 1
    assert "row 3" in found.refused[0]


def test_lsvq_test_leaves_the_train_split_out_and_ids_have_no_suffix(tmp_path: Path) -> None:
    rows = "name,mos,is_test\na/1,60,True\na/2,50,False\na/3,40,True\n"
    (tmp_path / "labels_train_test.csv").write_text(rows)
    (tmp_path / "labels_test.txt").write_text("a/1.mp4, -1, -1, 60\na/3.mp4, 8, 25, 40\n")
    tables = [read("lsvq_test", tmp_path / name) for name in ("labels_train_test.csv", "labels_test.txt")]
    assert [[(item.id, item.raw) for item in found.scored] for found in tables] == [[("a/1", 60), ("a/3", 40)]] * 2


def test_a_clip_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mos.csv").write_text('"flickr_id","mos"\n"1","3"\n"2","4"\n"1","2"\n')
    found = read("konvid_1k", tmp_path / "mos.csv")
    assert [item.id for item in found.items] == ["2"]
    assert found.refused == ["1 is listed more than once"]


def waterloo(folder: Path) -> Path:
    rows = ["streaming_log,mos,content"]
    for index, content in enumerate(["zoo", "arch", "bike", "cafe", "dam"] * 2):
        rows.append(f"log{index}.csv,{40 + index},{content}")
    (folder / "data.csv").write_text("\n".join(rows))
    return folder / "data.csv"


def test_waterloo_rounds_leave_one_content_out_each(tmp_path: Path) -> None:
    found = read("waterloo_iv", waterloo(tmp_path))
    assert found.expected == 1350
    rounds = {item.id: item.part for item in found.scored}
    assert rounds == {
        "log0": "round5", "log1": "round1", "log2": "round2", "log3": "round3", "log4": "round4",
        "log5": "round5", "log6": "round1", "log7": "round2", "log8": "round3", "log9": "round4",
    }  # fmt: skip
    third = read("waterloo_iv", tmp_path / "data.csv", "round3")
    assert ([item.id for item in third.items], third.expected, third.part) == (["log3", "log8"], 270, "round3")


def test_waterloo_rounds_are_the_papers_lists_where_they_are_given(tmp_path: Path) -> None:
    written(tmp_path / "waterloo_IV_round_1_test.json", [{"img_path": "/a.mp4", "mos": 30}, {"img_path": "", "mos": 3}])
    written(
        tmp_path / "waterloo_IV_round_2_test_ver1.json",
        [{"img_path": "a.mp4", "mos": 30}, {"img_path": "b.mp4", "mos": 101}],
    )
    found = read("waterloo_iv", tmp_path)
    assert [(item.id, item.clip, item.part) for item in found.scored] == [
        ("round1/a", "a.mp4", "round1"),
        ("round2/a", "a.mp4", "round2"),
    ]
    assert len(found.refused) == 2
    assert read("waterloo_iv", tmp_path, "round2").expected == 1
    with pytest.raises(CallError, match="nothing of round5"):
        read("waterloo_iv", tmp_path, "round5")
    with pytest.raises(CallError, match="which round"):
        read("waterloo_iv", written(tmp_path / "list.json", []))


def test_questions_about_pairs_name_two_clips(tmp_path: Path) -> None:
    rows = [
        {
            **VIDEO_ROW,
            "video_name": "a.b.mp4_cat_c.mp4.mp4",
            "context": "Compare-Coarse",
            "question_type": ["What/How"],
        },
        {
            **VIDEO_ROW,
            "question_type": "Open_Ended",
            "answers": "Blur.",
            "correct_choice": None,
            "quality": "technical",
        },
        {**VIDEO_ROW, "correct_choice": "B.", "concern": ["Temporal", "AIGC"]},
    ]
    two, free, one = read("q_bench_video", written(tmp_path / "Q_Bench_Video_test.json", rows)).questions
    assert (two.clips, two.type, two.right) == (("a.b.mp4", "c.mp4"), "what/how", 0)
    assert (free.type, free.reference, free.options, free.concerns) == ("open_ended", "Blur.", (), ("Technical",))
    assert (one.right, one.concerns, one.clips) == (1, ("Temporal", "AIGC"), ("pier.mp4",))


@pytest.mark.parametrize(
    ("name", "row", "change", "why"),
    [
        ("q_bench_video", VIDEO_ROW, {"question_type": "riddle"}, "question_type is none of"),
        ("q_bench_video", VIDEO_ROW, {"correct_choice": "C"}, "'C' is none of its 2 options"),
        ("q_bench_video", VIDEO_ROW, {"correct_choice": ""}, "cannot be graded"),
        ("q_bench_video", VIDEO_ROW, {"answers": ["Yes"]}, "1 options"),
        ("q_bench_video", VIDEO_ROW, {"answers": "Yes"}, "no list"),
        ("q_bench_video", VIDEO_ROW, {"video_name": None}, "video_name is no text"),
        ("q_bench_image", IMAGE_ROW, {"correct_ans": None}, "correct_ans is missing"),
        ("q_bench_image", IMAGE_ROW, {"correct_ans": "Maybe"}, "none of the candidates"),
        ("q_bench_image", IMAGE_ROW, {"type": 3}, "type is 3"),
        ("q_bench_image", IMAGE_ROW, {"concern": "0"}, "concern is '0'"),
    ],
)
def test_a_row_that_cannot_be_graded_is_told(
    name: str, row: dict[str, Any], change: dict[str, Any], why: str, tmp_path: Path
) -> None:
    found = read(name, written(tmp_path / "x_dev.json", [row, {**row, **change}, row]))
    assert len(found.items) == 1
    assert "row 2" in found.refused[0]
    assert why in found.refused[0]
    assert "row 3: the same question is there before" in found.refused[1]


def test_llvisionqa_names_types_and_concerns(tmp_path: Path) -> None:
    (item,) = read("q_bench_image", written(tmp_path / "llvisionqa_test.json", [IMAGE_ROW])).questions
    assert (item.type, item.concerns, item.right, item.media) == ("yes-or-no", ("in-context distortion",), 1, "image")


@pytest.mark.parametrize("content", ["{}", "[1]", "no json"])
def test_no_list_of_questions_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "dev.json").write_text(content)
    with pytest.raises(CallError, match="no JSON list of questions"):
        read("q_bench_video", tmp_path / "dev.json")


def test_a_list_of_no_known_part_is_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path / "questions.json", [VIDEO_ROW])
    with pytest.raises(CallError, match="--part dev or test"):
        read("q_bench_video", path)
    assert read("q_bench_video", path, "dev").expected == 1192


def test_prompts_show_what_is_fed() -> None:
    item = QuestionItem("i", ("a",), "Sharp?", "yes-or-no", (), ("Yes", "No"), 0)
    one = prompt_of(item, [(7, 188)])
    assert "7 distinct frames" in one
    assert "all 188 frames" in one
    assert one.count("<video>") == one.count("<motion>") == 1
    assert "Sharp?\nA. Yes\nB. No\nPlease answer" in one
    assert "<motion>" not in prompt_of(item, [(1, 0)])
    two = prompt_of(item, [(7, 188), (5, 120)])
    assert "12 distinct frames in total. The first 7 frames and 8-12 frames" in two
    assert "all 188 frames of the first video and all 120 frames of the second" in two
    order = [two.index(part) for part in ("first video frames:<video>", "first video motion features:<motion>")]
    order += [two.index(part) for part in ("second video frames:<video>", "second video motion features:<motion>")]
    assert order == sorted(order)
    mixed = prompt_of(item, [(7, 188), (1, 0)])
    assert (mixed.count("<video>"), mixed.count("<motion>")) == (2, 1)


def test_list_shows_them_and_the_page_says_the_same_counts(vqa2: Cli, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text('"""My own set."""\n')
    found = json.loads(vqa2("list", "testsets", "--json", "--plugins", tmp_path).stdout)["testsets"]
    assert found.keys() == {*plugin_names(training.testsets), "mine"}
    page = (Path(__file__).parents[2] / "docs" / "testsets.md").read_text(encoding="utf-8")
    for name in plugin_names(training.testsets):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        for count in load_plugin(training.testsets, name).ABOUT.expected.values():
            assert f"{count:,}" in row
