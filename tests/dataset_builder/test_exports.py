"""Exports: every format holds every sample or refuses it by name, and its rows are read back into equal samples."""

import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import dataset_builder.exporters
from dataset_builder.build import build
from dataset_builder.corpus import read_samples
from dataset_builder.exporters._motion import without_motion
from dataset_builder.exporting import Means, export, is_folder, read_export, write_rows
from dataset_builder.video import read_clip
from schemas.errors import CallError, DataError
from schemas.levels import LEVELS, level_of_unit
from schemas.plugins import load_plugin, plugin_names
from schemas.recipe import BuildRecipe, convert, load
from schemas.sample import MediaRef, Provenance, Sample, Target, Turn
from stages.wording import prompts
from tests.conftest import Cli
from tests.schemas.test_sample import media, sample

CONFIGS = ["stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"]
FORMATS = plugin_names(dataset_builder.exporters)
READ_BACK = [name for name in FORMATS if name != "published"]
EXPORTERS = {name: load_plugin(dataset_builder.exporters, name) for name in FORMATS}
AS_A_TRAINER_SEES = ["llama_factory", "ms_swift", "q_align", "qwen", "trl"]
"""Formats that feed no motion features."""


def samples(corpus: Path, config: str, split: str | None = None) -> list[Sample]:
    return [located.sample for located in read_samples(corpus, config, split)]


def rows_of(name: str, given: list[Sample]) -> list[dict[str, Any]]:
    file = io.BytesIO()
    assert write_rows(EXPORTERS[name], given, file) == len(given)
    text = file.getvalue()
    return json.loads(text) if text.startswith(b"[") else [json.loads(line) for line in text.splitlines()]  # type: ignore[no-any-return]


def row_of(name: str, given: Sample) -> dict[str, Any]:
    (row,) = rows_of(name, [given])
    return row


def files_below(folder: Path) -> dict[str, bytes]:
    if folder.is_file():
        return {"": folder.read_bytes()}
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", FORMATS)
def test_every_exporter_keeps_the_contract(name: str, corpus: Path) -> None:
    exporter = EXPORTERS[name]
    assert exporter.__doc__
    assert exporter.LOSES
    assert re.fullmatch(r"(\{config\}|\w+)?\.jsonl?", exporter.DATA)
    assert hasattr(exporter, "frame_files") == getattr(exporter, "FRAMES", False)
    for config in CONFIGS:
        given = samples(corpus, config)
        if name == "published":  # holds only what others published: test_conversations.py writes that
            with pytest.raises(DataError, match=re.escape(given[0].id)):
                exporter.row(given[0])
            continue
        assert len(rows_of(name, given)) == len(given) > 0


@pytest.mark.parametrize("name", READ_BACK)
def test_an_export_of_any_config_is_read_back_into_equal_samples(name: str, corpus: Path, tmp_path: Path) -> None:
    exporter = EXPORTERS[name]
    for config in CONFIGS:
        out = tmp_path / name / config
        done = export(corpus, config, out, exporter, means=Means(workers=2))
        assert out.is_dir() == is_folder(exporter)
        assert list(read_export(out, exporter)) == samples(corpus, config)
        assert done.samples == len(samples(corpus, config))
    export(corpus, config, out.with_name("again"), exporter, means=Means(workers=1))
    assert files_below(out) == files_below(out.with_name("again"))
    assert not [path for path in (tmp_path / name).iterdir() if path.name.startswith(".")]


def test_one_split_alone(corpus: Path, tmp_path: Path) -> None:
    for split in ("train", "test"):
        export(corpus, "stage3", tmp_path / split, EXPORTERS["llava"], split=split)
        assert list(read_export(tmp_path / split, EXPORTERS["llava"])) == samples(corpus, "stage3", split)
    with pytest.raises(CallError, match="no split 'dev'"):
        export(corpus, "stage3", tmp_path / "x", EXPORTERS["llava"], split="dev")


# Made-up samples: any text, any number of clips and images, several turns, with and without a score.

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="<>"), max_size=20).filter(
    lambda text: "motion" not in text.lower()
)


@st.composite
def refs(draw: st.DrawFn) -> MediaRef:
    number = draw(st.integers(0, 99))
    if draw(st.booleans()):
        return media("image", 1, 1.0, path=f"media/{number}é.png", sha256=f"{number:02x}", record_id="s/i")
    frames, fps = draw(st.integers(1, 400)), draw(st.sampled_from([23.976, 25.0, 29.97, 60.0, 0.4]))
    return media("video", frames, fps, path=f"media/{number}é.mp4", sha256=f"{number:02x}", record_id="s/v")


@st.composite
def made_up(draw: st.DrawFn) -> Sample:
    shown = draw(st.lists(refs(), max_size=3))
    pairs = draw(st.integers(1, 3))
    questions = [draw(WORDS) for _ in range(pairs)]
    for ref in shown:
        turn = draw(st.integers(0, pairs - 1)) if len(shown) == 1 else 0
        announced = draw(st.sampled_from(["", ". And its motion features:\n", "\nMotion features: ", " "]))
        questions[turn] += "<video>" + announced + "<motion>" if ref.motion_frames else "<video>"
        if ref.kind == "image":
            questions[turn] = questions[turn].removesuffix("<video>") + "<image>"
        questions[turn] += draw(WORDS)
    target, answers = None, [draw(WORDS) for _ in range(pairs)]
    if draw(st.booleans()):
        mos = draw(st.floats(0, 1))
        level = level_of_unit(mos)
        target = Target(level=level, mos=mos, raw=mos * 4 + 1, lo=1.0, hi=5.0, synthetic=False)
        answers[-1] += draw(
            st.sampled_from([f" It is {level}.", f" The quality of this video is {level}. It's {level}"])
        )
    texts = [text for pair in zip(questions, answers, strict=True) for text in pair]
    return Sample(
        id=draw(st.sampled_from(["x", "ü/ä->b", "日本"])),
        stage="stage2-ugc",
        task="scoring",
        media=shown,
        turns=[
            Turn(role="assistant" if i % 2 else "user", text=text if text.strip() else text + "?")
            for i, text in enumerate(texts)
        ],
        target=target,
        provenance=Provenance(
            source="s",
            licence="l",
            group="g",
            wording="w",
            generator="g",
            family="",
            evidence=draw(st.lists(WORDS, max_size=2)),
            recipe="r",
            original=draw(st.sampled_from(["", '{"row":{"conversations":[]},"written":[],"answer":null}'])),
        ),
    )


@pytest.mark.parametrize("name", READ_BACK)
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_sample_comes_back_equal_or_is_refused_by_name(name: str, data: st.DataObject) -> None:
    made = data.draw(made_up())
    exporter = EXPORTERS[name]
    try:
        row = row_of(name, made)
    except DataError as refused:
        assert str(refused).startswith(f"{made.id}: ")  # noqa: PT017
        return
    assert exporter.sample_of(row) == made
    assert exporter.row(exporter.sample_of(row)) == row
    if name in AS_A_TRAINER_SEES:
        shown = json.dumps({key: value for key, value in row.items() if key != "vqa2"}, ensure_ascii=False)
        assert "<motion>" not in shown
        assert "motion feature" not in shown.lower()


STILL = media("image", 1, 1.0, path="media/aa/a.png")
TWO_CLIPS = sample("First <video><motion>, second <video><motion>: which?", "The first.", [media(), media()])
TWO_IMAGES = sample("<image> or <image>?", "The first.", [STILL, STILL])
CLIP_AND_IMAGE = sample("<image> and <video><motion>", "Yes.", [STILL, media()])
SHORT = sample("<video> How?", "Fine.", [media(frames=3)])
TEXT = sample("What is blur?", "Lost detail.", [])


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("llava", {"two clips", "clip and image", "short", "text"}),
        ("qwen", {"two clips", "clip and image", "short"}),
        ("llama_factory", set()),
        ("ms_swift", set()),
        ("trl", set()),
        ("q_align", {"two clips", "clip and image", "short"}),
    ],
)
def test_what_a_format_holds_beside_one_clip(name: str, refused: set[str]) -> None:
    kinds = {
        "two clips": TWO_CLIPS,
        "two images": TWO_IMAGES,
        "clip and image": CLIP_AND_IMAGE,
        "short": SHORT,
        "text": TEXT,
    }
    found = set()
    for kind, made in kinds.items():
        try:
            assert EXPORTERS[name].sample_of(row_of(name, made)) == made
        except DataError as error:
            assert str(error).startswith("x: ")  # noqa: PT017
            found.add(kind)
    assert found == refused


def test_nothing_is_written_where_one_sample_is_refused(corpus: Path, tmp_path: Path) -> None:
    path = next((corpus / "data" / "stage2-ugc").glob("train-*.jsonl"))
    row = json.loads(path.read_text().splitlines()[0])
    row["turns"][0]["text"] = row["turns"][0]["text"] + " Heed the motion features."
    path.write_text(path.read_text() + json.dumps(row) + "\n")
    before = files_below(tmp_path)
    for name in AS_A_TRAINER_SEES:
        with pytest.raises(DataError, match=rf"{re.escape(row['id'])}.* in words that cannot be taken out"):
            export(corpus, "stage2-ugc", tmp_path / name / "out", EXPORTERS[name])
        assert not list((tmp_path / name).iterdir())
        (tmp_path / name).rmdir()
    assert files_below(tmp_path) == before


# Motion features: announced nowhere where they are not fed.

WORDED = [*prompts.PUBLISHED.values(), *(text for texts in prompts.VARIED.values() for text in texts)]
SLOTS = {"seconds": 8.0, "images": 8, "frames": 240, "stalling": prompts.SMOOTH, "question": "Does it flicker?"}


@pytest.mark.parametrize("template", [text for text in WORDED if "<motion>" in text])
def test_every_wording_loses_what_announces_motion_features_and_nothing_else(template: str) -> None:
    text = template.format(**SLOTS)
    kept = without_motion(text)
    assert "<motion>" not in kept
    assert "motion feature" not in kept.lower()
    assert kept.count("<video>") == 1
    for part in re.split(r"(?<=[.?])\s", text):  # a sentence that says nothing of the features stays whole
        if "motion feature" not in part.lower() and "<" not in part:
            assert part.strip() in kept


def test_the_short_wordings_are_what_is_left_of_the_published_ones() -> None:
    for name in ("stage1/video-motion", "ours/stage1/video-spatial", "ugc/video"):
        assert without_motion(prompts.PUBLISHED[name]) == prompts.SHORT[name]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<video><motion>\nSharp?", "<video>\nSharp?"),
        ("Key frames:\n <video>. Motion:\n <motion>. Does it flicker? ", "Key frames:\n <video>. Does it flicker? "),
        ("What is the motion distortion? <video> <motion>", "What is the motion distortion? <video>"),
        ("<video>\nMotion features of A.B: <motion>", None),
        ("<video> Rate the motion blur <motion>", None),
        ("<video><motion> Do the motion features show shake?", None),
    ],
)
def test_words_that_cannot_be_told_apart_are_refused(text: str, kept: str | None) -> None:
    if kept is None:
        with pytest.raises(ValueError, match="cannot be taken out"):
            without_motion(text)
    else:
        assert without_motion(text) == kept


# Each format as its reader takes it, by rules written down here anew.


def one_video(corpus: Path, config: str) -> Sample:
    return next(s for s in samples(corpus, config) if s.media[0].kind == "video")


@pytest.mark.parametrize("config", CONFIGS)
def test_llava_rows_keep_the_rules_of_upstreams_reader(config: str, corpus: Path) -> None:
    """One record at a time, as that reader goes through it: its kind, its file, its tags, its turns."""
    for made, row in zip(samples(corpus, config), rows_of("llava", samples(corpus, config)), strict=True):
        is_video = "frames per sec" in row
        assert "video" not in row
        (path,) = [row["image"]] if isinstance(row["image"], str) else row["image"]
        assert (corpus / path).is_file()
        assert is_video == (made.media[0].kind == "video")
        speakers = [turn["from"] for turn in row["conversations"]]
        assert speakers == ["human", "gpt"] * (len(speakers) // 2)
        assert all(turn["value"].strip() for turn in row["conversations"])
        tags = sum(turn["value"].count("<image>") for turn in row["conversations"] if turn["from"] == "human")
        assert tags == (2 if is_video else 1)
        assert "<video>" not in str(row["conversations"])
        if made.target:
            assert float(row["gt_score"]) == pytest.approx(100 * made.target.mos)
        else:
            assert "gt_score" not in row


def test_what_llavas_trainer_would_replace_without_a_word_is_refused() -> None:
    with pytest.raises(DataError, match="B054"):
        row_of("llava", sample("<video><motion>", "fine", [media(path="clips/B054.mp4")]))


def test_what_upstreams_second_reader_would_feed_twice_is_refused() -> None:
    """It feeds all media of a row in every turn that has a tag."""
    two = msgspec.structs.replace(TWO_IMAGES, turns=[*TWO_IMAGES.turns, *TEXT.turns])
    assert row_of("qwen", two)["image"] == [STILL.path, STILL.path]
    first, answer = Turn(role="user", text="<image> How?"), Turn(role="assistant", text="Fine.")
    with pytest.raises(DataError, match="x: .*all media in one turn"):
        row_of("qwen", msgspec.structs.replace(TWO_IMAGES, turns=[first, answer, first, answer]))


@pytest.mark.parametrize("config", CONFIGS)
def test_qwen_rows_keep_the_rules_of_upstreams_second_reader(config: str, corpus: Path) -> None:
    for row in rows_of("qwen", samples(corpus, config)):
        key = "image" if "image" in row else "video"
        assert (corpus / row[key]).is_file()
        turns = [(turn["from"], turn["content"]) for turn in row["conversations"]]
        assert [speaker for speaker, _ in turns] == ["human", "gpt"] * (len(turns) // 2)
        assert sum(text.count(f"<{key}>") for _, text in turns) == 1
        assert f"<{key}>" in turns[0][1]


def test_llama_factory_declares_its_rows(corpus: Path, tmp_path: Path) -> None:
    export(corpus, "stage2-ugc", tmp_path / "out", EXPORTERS["llama_factory"])
    assert sorted(files_below(tmp_path / "out")) == ["dataset_info.json", "stage2-ugc.json"]
    declared = json.loads((tmp_path / "out" / "dataset_info.json").read_text())["stage2-ugc"]
    for row in json.loads((tmp_path / "out" / declared["file_name"]).read_text()):
        tags, columns = declared["tags"], declared["columns"]
        turns = row[columns["messages"]]
        assert [turn[tags["role_tag"]] for turn in turns] == [tags["user_tag"], tags["assistant_tag"]]
        text = "".join(turn[tags["content_tag"]] for turn in turns)
        for kind in ("video", "image"):
            assert text.count(f"<{kind}>") == len(row[columns[f"{kind}s"]])
            assert all((corpus / path).is_file() for path in row[columns[f"{kind}s"]])


@pytest.mark.parametrize("config", CONFIGS)
def test_ms_swift_rows_have_a_path_for_each_tag(config: str, corpus: Path) -> None:
    for row in rows_of("ms_swift", samples(corpus, config)):
        assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"] * (len(row["messages"]) // 2)
        text = "".join(turn["content"] for turn in row["messages"])
        for kind in ("video", "image"):
            assert text.count(f"<{kind}>") == len(row[f"{kind}s"])


@pytest.mark.parametrize(
    ("name", "tag"), [("llama_factory", "<audio>"), ("ms_swift", "<bbox>"), ("q_align", "<|image|>")]
)
def test_a_text_that_holds_a_tag_of_the_reader_is_refused(name: str, tag: str) -> None:
    with pytest.raises(DataError, match=f"x: the text holds {re.escape(tag)}"):
        row_of(name, sample(f"<video><motion> What is {tag}?", "A tag.", [media()]))


def test_trl_holds_the_pixels_of_the_key_frames_where_the_text_has_the_clip(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = export(corpus, "stage2-ugc", out, EXPORTERS["trl"])
    made = samples(corpus, "stage2-ugc")
    assert done.clips == len({ref.sha256 for s in made for ref in s.media}) > 1
    shown = set()
    for shown_by, line in zip(made, (out / "metadata.jsonl").read_text().splitlines(), strict=True):
        row = json.loads(line)
        keys = read_clip(corpus / shown_by.media[0].path).keys
        assert len(keys) == shown_by.media[0].key_frames == len(row["images_file_names"])
        for frame, name in zip(keys, row["images_file_names"], strict=True):
            assert np.array_equal(np.asarray(Image.open(out / name)), frame)
            shown.add(name)
        kinds = [part["type"] for part in row["messages"][0]["content"]]
        assert kinds.count("image") == len(keys)
        at = kinds.index("image")
        assert kinds == ["text"] * at + ["image"] * len(keys) + ["text"]
    assert shown | {"metadata.jsonl"} == files_below(out).keys()


def test_q_aligns_words_are_ours_by_position() -> None:
    words = []
    for mos in (0.1, 0.3, 0.5, 0.7, 0.9):
        level = level_of_unit(mos)
        target = Target(level=level, mos=mos, raw=mos, lo=0.0, hi=1.0, synthetic=False)
        row = row_of("q_align", sample("<video><motion> Rate.", f"In {level} light: it is {level}.", [media()], target))
        said = re.fullmatch(rf"In {level} light: it is (\w+)\.", row["conversations"][1]["value"])
        assert said
        words.append(said[1])
        assert float(row["id"].rpartition("->")[2]) == pytest.approx(100 * mos)
        assert row["conversations"][0]["value"] == "<|image|>" * 6 + " Rate."
    assert words == ["bad", "poor", "fair", "good", "excellent"]
    depicted = sample("<image>", "Low light. Hence, The quality of this image is low.", [STILL])
    assert row_of("q_align", depicted)["conversations"][1]["value"] == (
        "Low light. Hence, The quality of this image is bad."
    )
    assert "->" not in row_of("q_align", depicted)["id"]
    assert len(LEVELS) == 5


def test_q_align_refuses_what_its_trainer_would_read_wrong() -> None:
    webm = sample("<video><motion>", "Fine.", [media(path="a.webm")])
    brief = sample("<video><motion>", "Fine.", [media(frames=20)])
    for made, told in ((webm, r"\.mp4"), (brief, "whole second")):
        with pytest.raises(DataError, match=f"x: .*{told}"):
            row_of("q_align", made)


def test_an_export_to_q_align_can_be_built_again(corpus: Path, tmp_path: Path) -> None:
    """Its own source reads it: the same levels, the same words but for ours."""
    export(corpus, "stage2-ugc", tmp_path / "rows.json", EXPORTERS["q_align"])
    scale = {"lo": 0, "hi": 100, "range": "nominal"}
    whole = {
        "name": "q",
        "source": "q_align",
        "table": "rows.json",
        "clips": str(corpus),
        "licence": "own",
        "scale": scale,
    }
    recipe = convert({"name": "c", "sources": [{**whole, "levels": "rederived"}]}, BuildRecipe, "recipe")
    built = build(recipe, tmp_path / "recipe.yaml", tmp_path / "again").folder
    given = {s.media[0].sha256: s for s in samples(corpus, "stage2-ugc")}
    again = samples(built, "stage2-ugc")
    assert len(again) == len(given)
    for made in again:
        before = given[made.media[0].sha256]
        assert made.target
        assert before.target
        assert made.target.level == before.target.level
        assert made.target.mos == pytest.approx(before.target.mos)
        assert made.turns[1].text == before.turns[1].text


# Reading back.


def test_answers_that_were_mended_in_the_export_come_back_mended(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.json"
    export(corpus, "stage3", out, EXPORTERS["llava"])
    rows = json.loads(out.read_text())
    rows[0]["conversations"][-1]["value"] = "Ganz anders."
    rows[0]["note"] = "checked"
    out.write_text(json.dumps(rows, indent=2))
    first, *others = read_export(out, EXPORTERS["llava"])
    assert first.turns[-1].text == "Ganz anders."
    assert others == samples(corpus, "stage3")[1:]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (lambda row: row.pop("vqa2"), "row 1: there is no key 'vqa2'"),
        (lambda row: row.update(vqa2="{}"), "row 1: "),
        (lambda row: row["messages"][0].update(content="<video>\nOther words"), "row 1: 'messages' was changed"),
        (lambda row: row["videos"].append("b.mp4"), "row 1: 'videos' was changed"),
        (lambda row: row.pop("messages"), "row 1: no row of ms_swift"),
        (lambda row: row["messages"].pop(), "row 1: "),
        (lambda row: row["videos"].pop(), "row 1: "),
        (lambda row: row["videos"].__setitem__(0, "../b.mp4"), "row 1: "),
    ],
)
def test_rows_that_cannot_be_read_back_are_named(changed: Any, told: str, tmp_path: Path) -> None:
    row = row_of("ms_swift", sample("The key frames:\n<video>. Motion features:\n<motion>. Rate.", "Fine.", [media()]))
    changed(row)
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match=told):
        list(read_export(tmp_path / "rows.json", EXPORTERS["ms_swift"]))


def test_files_that_cannot_be_read_back_are_named(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text('[\n{"a": 1},\n{"b"\n]\n')
    with pytest.raises(DataError, match="rows.json: row 1"):
        list(read_export(tmp_path / "rows.json", EXPORTERS["llava"]))
    (tmp_path / "rows.json").write_text("[\n{,\n]\n")
    with pytest.raises(DataError, match="rows.json: line 2: no JSON"):
        list(read_export(tmp_path / "rows.json", EXPORTERS["llava"]))
    with pytest.raises(CallError, match="there is no"):
        list(read_export(tmp_path / "absent.json", EXPORTERS["llava"]))
    with pytest.raises(CallError, match="is a folder, llava is a file"):
        list(read_export(tmp_path, EXPORTERS["llava"]))
    with pytest.raises(CallError, match="holds no one file metadata.jsonl"):
        list(read_export(tmp_path, EXPORTERS["trl"]))
    with pytest.raises(CallError, match="published are not read back: .*by building a corpus of them again"):
        list(read_export(tmp_path, EXPORTERS["published"]))
    export(corpus, "stage1", tmp_path / "lf", EXPORTERS["llama_factory"])
    assert list(read_export(tmp_path / "lf" / "stage1.json", EXPORTERS["llama_factory"])) == samples(corpus, "stage1")


def test_an_empty_export_is_read_back_as_nothing(tmp_path: Path) -> None:
    for name in READ_BACK:
        with (tmp_path / name).open("wb") as file:
            write_rows(EXPORTERS[name], [], file)
        assert list(read_export(tmp_path / name, EXPORTERS[name])) == []


# Where exports appear, and clips that are not there.


@pytest.mark.parametrize("name", ["llama_factory", "ms_swift"])
def test_a_config_that_is_none_opens_nothing(name: str, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("mine")
    for config in ("stage9", "../x", "../../x", str(tmp_path / "x")):
        with pytest.raises(CallError, match="no config"):
            export(corpus, config, tmp_path / "out", EXPORTERS[name])
    assert {path.name for path in tmp_path.iterdir()} == {"x.json", "corpus"}
    assert (tmp_path / "x.json").read_text() == "mine"


def test_places_that_are_refused(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name, place, told in (
        ("llava", corpus / "rows.json", "inside the corpus"),
        ("trl", corpus / "data" / "rows", "inside the corpus"),
        ("llava", tmp_path / "full", "is a folder"),
        ("trl", tmp_path / "full", "is there already"),
        ("trl", tmp_path / "file", "is there already"),
        ("trl", corpus, "inside the corpus"),
    ):
        with pytest.raises(CallError, match=told):
            export(corpus, "stage1", place, EXPORTERS[name])
    assert (tmp_path / "full" / "mine.txt").read_text() == (tmp_path / "file").read_text() == "mine"


def test_a_clip_that_is_not_there_or_another_is_named(corpus: Path, tmp_path: Path) -> None:
    made = one_video(corpus, "stage2-ugc")
    clip = corpus / made.media[0].path
    kept = clip.read_bytes()
    clip.write_bytes(kept + b"\0")
    with pytest.raises(DataError, match=rf"{re.escape(made.id)}: .*another file than when"):
        export(corpus, "stage2-ugc", tmp_path / "out", EXPORTERS["trl"])
    clip.unlink()
    with pytest.raises(DataError, match=rf"{re.escape(made.id)}: .* is not there: .*vqa2 check"):
        export(corpus, "stage2-ugc", tmp_path / "out", EXPORTERS["trl"])
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize("mode", ["reference", "recipes"])
def test_corpora_without_clips_say_what_to_do(mode: str, own_folder: Path, tmp_path: Path, vqa2: Cli) -> None:
    built = build(
        load(own_folder / "recipe.yaml", BuildRecipe, [f"media={mode}"]), own_folder / "recipe.yaml", tmp_path / "c"
    )
    call = ["export", built.folder, "stage2-ugc", tmp_path / "out", "--to", "trl"]
    missing = vqa2(*call)
    assert missing.returncode == (2 if mode == "reference" else 1)
    assert (
        "--media-root" if mode == "reference" else f"vqa2 regenerate {built.folder} --clips FOLDER"
    ) in missing.stderr
    assert not (tmp_path / "out").exists()
    if mode == "recipes":
        assert vqa2("regenerate", built.folder, "--clips", own_folder / "clips").returncode == 0
    else:
        call += ["--media-root", own_folder / "clips"]
        llava = vqa2("export", built.folder, "stage2-ugc", tmp_path / "rows.json")
        assert llava.returncode == 0
        assert "relative to the folder of clips that the corpus refers to" in llava.stderr
    done = vqa2(*call, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["clips"] == len(list((tmp_path / "out" / "frames").glob("*/*"))) == 2
    assert list(read_export(tmp_path / "out", EXPORTERS["trl"])) == samples(built.folder, "stage2-ugc")


@pytest.mark.parametrize("name", READ_BACK)
def test_the_commands_write_and_read_back(name: str, corpus: Path, tmp_path: Path, vqa2: Cli) -> None:
    out = vqa2("export", corpus, "stage1", tmp_path / "out", "--to", name, "--json")
    assert json.loads(out.stdout)["samples"] == len(samples(corpus, "stage1")), out.stderr
    back = vqa2("import", tmp_path / "out", tmp_path / "back.jsonl", "--from", name, "--json")
    assert json.loads(back.stdout) == {"file": str(tmp_path / "back.jsonl"), "samples": len(samples(corpus, "stage1"))}
    assert sorted((tmp_path / "back.jsonl").read_bytes().splitlines()) == sorted(
        line for path in (corpus / "data" / "stage1").glob("*.jsonl") for line in path.read_bytes().splitlines()
    )


MINE = '''"""One line a sample, for a shell."""
LOSES = "everything but the answers"
DATA = ".jsonl"


def row(sample):
    return {"answer": sample.turns[-1].text}
'''


def test_an_exporter_of_ones_own(corpus: Path, tmp_path: Path, vqa2: Cli) -> None:
    """It does as it says; one that lacks something is told what."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "answers.py").write_text(MINE)
    own = ["--plugins", tmp_path / "mine"]
    done = vqa2("export", corpus, "stage1", tmp_path / "a.jsonl", "--to", "answers", *own)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert [row["answer"] for row in rows] == [s.turns[-1].text for s in samples(corpus, "stage1")]
    back = vqa2("import", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "--from", "answers", *own)
    assert back.returncode == 2
    assert "are not read back" in back.stderr
    assert not (tmp_path / "b.jsonl").exists()
    (tmp_path / "mine" / "answers.py").write_text(MINE.replace("DATA", "SUFFIX"))
    lacking = vqa2("export", corpus, "stage1", tmp_path / "c.jsonl", "--to", "answers", *own)
    assert lacking.returncode == 2
    assert "has no DATA" in lacking.stderr
