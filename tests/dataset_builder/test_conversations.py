"""Conversations that others published: into a corpus and out again without loss, their level words held to scores."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dataset_builder.build import Built, build
from dataset_builder.check import check
from dataset_builder.corpus import read_samples
from dataset_builder.engine import LocalEngine
from dataset_builder.exporters import llava, published
from dataset_builder.exporting import write_rows
from dataset_builder.gathering.state import Means
from schemas.errors import CallError, DataError
from schemas.recipe import BuildRecipe, convert
from schemas.sample import Sample

FED = "Key frames:\n <image>. In addition, motion features:\n <image>. The question: {} "


def row(image: str, question: str, answer: str, **more: Any) -> dict[str, Any]:
    turns = [{"from": "human", "value": FED.format(question)}, {"from": "gpt", "value": answer}]
    return {"image": image, "frames per sec": 1, **more, "conversations": turns}


@pytest.fixture
def folder(tmp_path: Path, real_clips: dict[str, Path], photograph: Path) -> Path:
    clips = tmp_path / "clips" / "LSVQ" / "yfcc-batch1"
    clips.mkdir(parents=True)
    for index, path in enumerate(real_clips.values(), 1):
        shutil.copyfile(path, clips / f"{index}.mp4")
    shutil.copyfile(photograph, tmp_path / "clips" / "a.png")
    shutil.copyfile(photograph, tmp_path / "clips" / "b.png")
    return tmp_path


def built(folder: Path, rows: list[dict[str, Any]], **source: Any) -> Built:
    (folder / "rows.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    whole = {"name": "own", "table": "rows.json", "clips": "clips", "licence": "own", **source}
    recipe = convert({"name": "c", "sources": [whole]}, BuildRecipe, "recipe")
    result = build(recipe, folder / "recipe.yaml", folder / "corpus", Means(LocalEngine(2)))
    assert not list(check(folder / "corpus"))
    return result


def samples(folder: Path, config: str) -> list[Sample]:
    return [located.sample for located in read_samples(folder / "corpus", config)]


def exported(folder: Path, config: str) -> list[dict[str, Any]]:
    out = folder / "out.json"
    with out.open("wb") as file:
        write_rows(published, samples(folder, config), file)
    return json.loads(out.read_bytes())  # type: ignore[no-any-return]


def unordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row) for row in rows)  # the order of keys counts


STREAMING = [
    row("LSVQ/yfcc-batch1/1.mp4", "How?", "The quality of this video is fair.", gt_score="41.98516827982996"),
    row("LSVQ/yfcc-batch1/2.mp4", "Ünd nun?", "The quality of this video is high.", gt_score="100.0"),
    row("LSVQ/yfcc-batch1/3.mp4", "How?", "The quality of this video is good.", gt_score="12"),
]


def test_streaming_conversations_come_in_and_go_out_unchanged(folder: Path) -> None:
    result = built(folder, STREAMING, source="vqa2_streaming")
    first, second, third = samples(folder, "stage2-streaming")
    assert first.target is not None
    assert (first.target.level, first.target.raw) == ("fair", 41.98516827982996)
    assert first.target.mos == 41.98516827982996 / 100
    assert first.turns[0].text == FED.format("How?").replace("<image>", "<video>", 1).replace("<image>", "<motion>", 1)
    assert second.target is not None
    assert second.target.level == "high"
    assert third.target is None
    assert third.turns[1].text == "The quality of this video is good."
    assert third.provenance.evidence == ["published", "the published answer says good, the score makes low"]
    assert "own: 1 of 3 answers say 'good' where the score makes 'low' (first: rows.json row 3)" in (
        result.manifest.remarks
    )
    assert unordered(exported(folder, "stage2-streaming")) == unordered(STREAMING)


def test_rederived_level_words_replace_published_ones_and_are_kept(folder: Path) -> None:
    built(folder, STREAMING, source="vqa2_streaming", levels="rederived")
    third = samples(folder, "stage2-streaming")[2]
    assert third.turns[1].text == "The quality of this video is low."
    assert third.target is not None
    assert third.target.level == "low"
    assert unordered(exported(folder, "stage2-streaming")) == unordered(STREAMING)


def test_many_stage3_conversations_of_one_clip(folder: Path) -> None:
    rows = [
        row("LSVQ/yfcc-batch1/1.mp4", "Does it flicker?", "Yes, slightly."),
        row("LSVQ/yfcc-batch1/1.mp4", "Is it blurred? A. Yes B. No", "B. No"),
        row("LSVQ/yfcc-batch1/1.mp4", "Is it blurred? A. Yes B. No", "B. No"),
        row("LSVQ/yfcc-batch1/2.mp4", "How is it?", "Sharp. Hence, The quality of this video is good."),
    ]
    result = built(folder, rows, source="vqa2_stage3")
    assert result.manifest.configs["stage3"].splits == {"train": 4}
    assert result.manifest.records == 2
    assert [q.file for q in result.quarantine] == ["LSVQ/yfcc-batch1/3.mp4", "a.png", "b.png"]
    assert unordered(exported(folder, "stage3")) == unordered(rows)


def test_a_config_of_ones_own_and_other_spellings(folder: Path) -> None:
    turns = [{"role": "user", "content": "<video>\nSharp?"}, {"role": "assistant", "content": "Yes."}]
    rows: list[dict[str, Any]] = [{"video": "LSVQ/yfcc-batch1/1.mp4", "x": [None, 1.5], "conversations": turns}]
    built(folder, rows, source="vqa2_stage3", config="stage3-mix")
    (sample,) = samples(folder, "stage3-mix")
    assert sample.turns[0].text == "<video><motion>\nSharp?"
    assert exported(folder, "stage3-mix") == rows


def q_align(name: str, image: str | list[str], said: str, tags: int = 1) -> dict[str, Any]:
    turns = [{"from": "human", "value": "Rate it.\n" + "<|image|>" * tags}, {"from": "gpt", "value": f"It is {said}."}]
    return {"id": name, "image": image, "conversations": turns}


def test_q_align_words_are_held_to_the_scores_behind_them(folder: Path) -> None:
    rows = [
        q_align("a.png->4.6", "a.png", "excellent"),
        q_align("b.png->2.0", "b.png", "bad"),
        q_align("1.mp4->3.0", "LSVQ/yfcc-batch1/1.mp4", "fair", tags=8),
        q_align("2.mp4->3.0", "LSVQ/yfcc-batch1/2.mp4", "pristine", tags=8),
    ]
    scale = {"lo": 1, "hi": 5, "range": "nominal"}
    result = built(folder, rows, source="q_align", scale=scale, levels="rederived")
    by_answer = {sample.turns[1].text: sample for sample in samples(folder, "stage2-ugc")}
    assert set(by_answer) == {"It is high.", "It is poor.", "It is fair.", "It is pristine."}
    assert by_answer["It is fair."].turns[0].text == "Rate it.\n<video><motion>"
    assert by_answer["It is pristine."].target is None
    assert "own: 1 scored answers hold no level word, or several: they get no target" in result.manifest.remarks
    assert any("1 of 3 answers say 'bad' where the score makes 'poor'" in r for r in result.manifest.remarks)
    assert unordered(exported(folder, "stage2-ugc")) == unordered(rows)
    with pytest.raises(CallError, match="scale"):
        built(folder, rows, source="q_align")


def test_comparisons_of_images_and_of_videos(folder: Path) -> None:
    turns = [{"from": "human", "value": "First: <|image|>\nSecond: <|image|>"}, {"from": "gpt", "value": "The second."}]
    pair = {"id": 7, "image": ["a.png", "b.png"], "conversations": turns}
    clips = ["LSVQ/yfcc-batch1/1.mp4", "LSVQ/yfcc-batch1/2.mp4"]
    asked = [{"from": "human", "value": "<image><image> or <image><image>?"}, {"from": "gpt", "value": "The first."}]
    both = {"image": clips, "frames per sec": 1, "conversations": asked}
    result = built(folder, [pair, both], source="co_instruct")
    texts = {sample.turns[0].text for sample in samples(folder, "stage3")}
    assert texts == {"First: <image>\nSecond: <image>", "<video><motion> or <video><motion>?"}
    assert result.manifest.records == 4
    assert "own: 'own/b.png' is the same file as 'own/a.png'" in result.manifest.remarks
    assert unordered(exported(folder, "stage3")) == unordered([pair, both])


def test_rows_that_cannot_be_used_say_why(folder: Path) -> None:
    with av.open(str(folder / "clips" / "short.mp4"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8))
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    good = row("LSVQ/yfcc-batch1/1.mp4", "How?", "Well.")
    bad: list[dict[str, Any]] = [
        row("LSVQ/yfcc-batch1/9.mp4", "How?", "Well."),
        {**good, "conversations": good["conversations"][:1]},
        {**good, "conversations": [{"from": "gpt", "value": "hello"}, *good["conversations"]]},
        {**good, "conversations": [{"from": "human", "value": "No tag?"}, {"from": "gpt", "value": "None."}]},
        {**good, "image": "../a.mp4"},
        {**good, "image": []},
        {**good, "gt_score": "101"},
        {**good, "gt_score": "much"},
        row("short.mp4", "How?", "Well."),
        {**good, "conversations": [{"from": "human", "value": "<image> How?"}, {"from": "gpt", "value": "Well."}]},
    ]
    result = built(folder, [good, *bad], source="vqa2_streaming")
    reasons = {q.row: q.reason for q in result.quarantine if q.row}
    assert sorted(reasons) == list(range(2, 12))
    for at, told in {
        2: "no clip is called",
        3: "turns come in pairs",
        4: "turn 0 is no text of the user",
        5: "0 tags for 1 videos",
        6: "'..'",
        7: "names no media",
        8: "outside the scale",
        9: "not a number",
        10: "the media need <video>",
        11: "two tags a video",
    }.items():
        assert told in reasons[at], (at, reasons[at])
    assert len(samples(folder, "stage2-streaming")) == 1


def test_samples_made_here_are_no_published_rows(corpus: Path) -> None:
    made = [located.sample for located in read_samples(corpus, "stage2-ugc")]
    with (corpus.parent / "x.json").open("wb") as file, pytest.raises(DataError, match="made here"):
        write_rows(published, made, file)


def test_a_config_is_for_conversations_only(folder: Path) -> None:
    (folder / "t.csv").write_text("clip\na.png\n")
    source = {"name": "s", "table": "t.csv", "clips": "clips", "licence": "l", "columns": {"clip": "clip"}}
    recipe = convert({"name": "c", "sources": [{**source, "config": "stage3"}], "stages": ["stage1"]}, BuildRecipe, "r")
    with pytest.raises(CallError, match="config is for published conversations"):
        build(recipe, folder / "recipe.yaml", folder / "corpus")


def test_published_samples_go_to_other_formats_too(folder: Path) -> None:
    built(folder, STREAMING, source="vqa2_streaming")
    with (folder / "llava.json").open("wb") as file:
        assert write_rows(llava, samples(folder, "stage2-streaming"), file) == 3
