"""Plain transformers, fed by the processor, gives the scores and answers of `vqa2 score` and `vqa2 ask`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec.structs import replace
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from dataset_builder.video import MediaError
from schemas.errors import CallError
from schemas.sample import IMAGE, MOTION, VIDEO
from tests.conftest import ROOT
from tests.training.conftest import write_media
from tests.training.original_layout import SYSTEM, make_original
from tests.training.test_score import EXTRACTORS, PRESETS, checkpoint_of
from training.checkpoints.checkpoint import BLOCK, Base, Checkpoint, block_of, load_checkpoint, save_checkpoint
from training.converting.convert import convert
from training.inference.answering import generated
from training.inference.asking import question_about
from training.inference.processor import VQA2Processor
from training.inference.score import score_clips
from training.inputs.tokens import TURN_END

LONGEST = 6
"""Tokens of an answer: enough that answers differ, and need the cache."""


@pytest.fixture(scope="module")
def media(shared_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_media(tmp_path_factory.mktemp("shown"), shared_corpus, longer=40)


def made(folder: Path, preset: str, extractor: str) -> Path:
    save_checkpoint(folder, checkpoint_of(preset, extractor), {})
    return folder


@pytest.fixture(scope="module", params=[(p, e) for p in PRESETS for e in EXTRACTORS], ids="-".join)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of each backbone with each extractor."""
    return made(tmp_path_factory.mktemp("made") / "model", *request.param)


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    """The same as our own commands read it."""
    return load_checkpoint(folder)


@pytest.fixture(scope="module")
def model(folder: Path) -> Any:
    """The same as plain transformers reads it."""
    return AutoModelForImageTextToText.from_pretrained(folder)


@pytest.fixture(scope="module")
def processor(folder: Path) -> VQA2Processor:
    found = AutoProcessor.from_pretrained(folder)
    assert type(found) is VQA2Processor
    return found


def scored(model: Any, processor: VQA2Processor, clips: Sequence[Path]) -> list[float]:
    with torch.inference_mode():
        return processor.scores(model(**processor.score_inputs(clips)).logits)


def expected_scores(checkpoint: Checkpoint, clips: Sequence[Path]) -> list[float | None]:
    return [row.score for row in score_clips(checkpoint, clips)]


def answers(model: Any, processor: VQA2Processor, text: Any, clips: Any) -> list[str]:
    inputs = processor(text=text, clips=clips)
    out = model.generate(**inputs, max_new_tokens=LONGEST, do_sample=False)
    told = processor.batch_decode(out[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [answer.strip() for answer in told]


def test_scores_are_those_of_vqa2_score(
    model: Any, processor: VQA2Processor, checkpoint: Checkpoint, media: dict[str, Path]
) -> None:
    clips = list(media.values())
    expected = expected_scores(checkpoint, clips)
    assert len({round(score or 0, 4) for score in expected}) == len(clips)  # what is equal below is not by itself
    assert scored(model, processor, clips) == pytest.approx(expected, abs=1e-6)
    for clip, score in zip(clips, expected, strict=True):
        assert scored(model, processor, [clip]) == pytest.approx([score], abs=1e-5)  # padded with others, or alone


def test_the_logits_at_the_level_tokens_are_the_scores(
    model: Any, processor: VQA2Processor, checkpoint: Checkpoint, media: dict[str, Path]
) -> None:
    with torch.inference_mode():
        logits = model(**processor.score_inputs(media["video"])).logits[:, -1, processor.scoring.level_tokens]
    (row,) = score_clips(checkpoint, [media["video"]])
    assert row.levels is not None
    assert list(row.levels) == processor.scoring.levels
    assert logits.softmax(-1)[0].tolist() == pytest.approx(row.probabilities, abs=1e-6)


ASKED = [
    ("Is it blurred?", ["video"]),
    ("Which is sharper?", ["video", "longer"]),
    (f"Frames {VIDEO} sharp?", ["short"]),
    ("Is it noisy?", ["image"]),
    ("Are they alike?", ["image", "longer"]),
]


def test_answers_are_those_of_vqa2_ask_alone_and_in_a_batch(
    model: Any, processor: VQA2Processor, checkpoint: Checkpoint, media: dict[str, Path]
) -> None:
    text, clips = [text for text, _ in ASKED], [[media[name] for name in names] for _, names in ASKED]
    asked = [question_about(checkpoint, shown, question) for question, shown in zip(text, clips, strict=True)]
    expected = [generated(checkpoint, [question], longest=LONGEST)[0] for question in asked]
    assert len(set(expected)) > 1
    assert all(expected)
    assert [answers(model, processor, *question)[0] for question in zip(text, clips, strict=True)] == expected
    assert answers(model, processor, text, clips) == expected


def test_one_clip_needs_no_list_and_paths_may_be_text(processor: VQA2Processor, media: dict[str, Path]) -> None:
    one, other = media["video"], media["image"]
    alike = [("Sharp?", str(one)), ("Sharp?", [one]), (["Sharp?"], [[str(one)]]), (["Sharp?"], one)]
    first, *others = (processor(text, clips, return_tensors="pt") for text, clips in alike)
    assert first["input_ids"].shape[0] == 1
    for inputs in others:
        assert inputs.keys() == first.keys()
        assert all(torch.equal(value, first[name]) for name, value in inputs.items())
    assert processor(text=["Sharp?", "Dark?"], clips=[one, other])["input_ids"].shape[0] == 2


def test_motion_goes_in_as_the_model_takes_it(
    processor: VQA2Processor, checkpoint: Checkpoint, media: dict[str, Path]
) -> None:
    inputs = processor(text=["Sharp?", "Dark?"], clips=[[media["video"], media["longer"]], media["image"]])
    networked = checkpoint.config.motion_extractor == "slowfast"
    name = "motion_frames" if networked else "motion_features"
    assert {key for key in inputs if key.startswith("motion")} == {name, "motion_mask"}
    assert inputs[name].dtype is (torch.uint8 if networked else torch.float32)
    assert inputs[name].shape[:2] == (2, 56)
    assert inputs["motion_mask"].unique(return_counts=True)[1].tolist() == [56, 16, 40]
    assert inputs["attention_mask"][:, -1].tolist() == [1, 1]
    assert inputs["attention_mask"][1, 0] == 0
    assert "motion_mask" not in processor("Sharp?", media["short"])


def test_an_answer_ends_where_a_turn_does(model: Any, processor: VQA2Processor) -> None:
    assert model.generation_config.eos_token_id == processor.tokenizer.convert_tokens_to_ids(TURN_END)


def test_a_processor_is_saved_and_read_again(
    folder: Path, processor: VQA2Processor, media: dict[str, Path], tmp_path: Path
) -> None:
    processor.save_pretrained(tmp_path / "again")
    assert {path.name for path in (tmp_path / "again").iterdir()} < {path.name for path in folder.iterdir()}
    assert (tmp_path / "again" / BLOCK).read_bytes() == (folder / BLOCK).read_bytes()
    again = AutoProcessor.from_pretrained(tmp_path / "again")
    for inputs, same in (
        (processor.score_inputs(media["video"]), again.score_inputs(media["video"])),
        (processor("Sharp?", media["image"]), again("Sharp?", media["image"])),
    ):
        assert inputs.keys() == same.keys()
        assert all(torch.equal(value, same[name]) for name, value in inputs.items())
    assert "VQA2Processor" in repr(again)


# Folders of `vqa2 train` and `vqa2 convert`


def test_a_trained_folder_scores_and_is_left_as_it_is(
    trained: Checkpoint, shared_corpus: Path, media: dict[str, Path], tmp_path: Path
) -> None:
    folder = shared_corpus / "model"
    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = VQA2Processor.from_pretrained(str(folder), local_files_only=True)
    clips = list(media.values())
    assert scored(model, processor, clips) == pytest.approx(expected_scores(trained, clips), abs=1e-6)
    model.save_pretrained(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    processor.save_pretrained(tmp_path)
    assert (tmp_path / "config.json").read_bytes() == before
    again = load_checkpoint(tmp_path)
    assert expected_scores(again, clips) == expected_scores(trained, clips)
    adapted = replace(trained.block, base=Base(path="../base", weights="0" * 12))
    VQA2Processor(trained.tokens.tokenizer, trained.config, adapted).save_pretrained(tmp_path)
    assert block_of(tmp_path) == trained.block  # whole weights belong to no base


def test_a_converted_folder_is_asked_after_its_system_prompt(media: dict[str, Path], tmp_path: Path) -> None:
    convert(make_original(tmp_path / "original"), tmp_path / "ours", kind="ugc")
    checkpoint = load_checkpoint(tmp_path / "ours")
    model = AutoModelForImageTextToText.from_pretrained(tmp_path / "ours")
    processor = AutoProcessor.from_pretrained(tmp_path / "ours")
    clips = list(media.values())
    assert scored(model, processor, clips) == pytest.approx(expected_scores(checkpoint, clips), abs=1e-6)
    (ids,) = processor("Sharp?", media["video"])["input_ids"]
    assert processor.decode(ids).startswith(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n")
    assert model.generation_config.eos_token_id == checkpoint.tokens.id(TURN_END)
    question = question_about(checkpoint, [media["video"]], "Sharp?")
    assert answers(model, processor, "Sharp?", media["video"]) == generated(checkpoint, [question], longest=LONGEST)


@pytest.mark.parametrize("words", ["", " Look."])
def test_a_scorer_of_key_frames_alone_is_fed_no_motion(
    trained: Checkpoint, media: dict[str, Path], monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    prompt = trained.block.scoring.video_prompt_without_motion + words
    block = replace(trained.block, scoring=replace(trained.block.scoring, video_prompt=prompt))
    still = Checkpoint(trained.model, trained.tokens, block)
    processor = VQA2Processor(trained.tokens.tokenizer, trained.config, block)
    inputs = processor.score_inputs([media["video"], media["longer"]])
    assert not [name for name in inputs if name.startswith("motion")]
    clips = [media["video"], media["image"]]
    assert scored(trained.model, processor, clips) == pytest.approx(expected_scores(still, clips), abs=1e-6)
    if not words:  # nor is any read
        monkeypatch.setattr("training.inputs.feeds.MOST_DENSE", 0)
        processor.score_inputs(media["longer"])


def test_a_folder_whose_tokenizer_names_a_stock_processor_is_read(shared_corpus: Path, tmp_path: Path) -> None:
    """A tokenizer of released weights does, and takes the name along wherever it is saved."""
    stock = shutil.copytree(shared_corpus / "model", tmp_path / "stock")
    named = json.loads((stock / "tokenizer_config.json").read_text()) | {"processor_class": "LlavaOnevisionProcessor"}
    (stock / "tokenizer_config.json").write_text(json.dumps(named))
    VQA2Processor.from_pretrained(stock).save_pretrained(tmp_path / "ours")
    assert type(AutoProcessor.from_pretrained(tmp_path / "ours")) is VQA2Processor
    save_checkpoint(tmp_path / "trained on", load_checkpoint(stock), {})
    assert type(AutoProcessor.from_pretrained(tmp_path / "trained on")) is VQA2Processor


# What is refused


@pytest.fixture(scope="module")
def reader(trained: Checkpoint) -> VQA2Processor:
    """A processor of the trained checkpoint."""
    return VQA2Processor(trained.tokens.tokenizer, trained.config, trained.block)


def test_clips_that_cannot_be_read_are_named(reader: VQA2Processor, media: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("hello")
    Image.open(media["image"]).save(jpeg := tmp_path / "cut.jpg")
    jpeg.write_bytes(jpeg.read_bytes()[:1500])
    for name, why in (("text.mp4", "no readable video"), ("cut.jpg", "truncated"), ("nowhere.mp4", "")):
        with pytest.raises(MediaError, match=rf"{name}: .*{why}"):
            reader("Sharp?", [media["video"], tmp_path / name])
        with pytest.raises(MediaError, match=rf"{name}: .*{why}"):
            reader.score_inputs([media["video"], tmp_path / name])


def test_a_clip_of_more_frames_than_memory_holds_is_refused(
    reader: VQA2Processor, trained: Checkpoint, media: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 39 * trained.config.dense_form.frame_bytes
    monkeypatch.setattr("training.inputs.feeds.MOST_DENSE", most)
    with pytest.raises(MediaError, match=r"longer.mp4: 40 frames, for motion at most 39 are read: cut the clip"):
        reader.score_inputs(media["longer"])
    reader.score_inputs(media["video"])


def test_placeholders_that_do_not_fit_are_told(reader: VQA2Processor, media: dict[str, Path]) -> None:
    with pytest.raises(CallError, match="holds <image>, and these clips need <video> <motion>"):
        reader(f"{IMAGE} sharp?", media["video"])
    with pytest.raises(CallError, match="holds <motion> <video>, and these clips need <video> <motion>"):
        reader(f"{MOTION} {VIDEO} sharp?", media["video"])


def test_what_cannot_be_asked_says_why(
    reader: VQA2Processor, trained: Checkpoint, media: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = media["video"]
    with pytest.raises(CallError, match="a question is empty"):
        reader(["Sharp?", " \n"], [one, one])
    with pytest.raises(CallError, match="not about 3"):
        reader("Which?", [one] * 3)
    with pytest.raises(CallError, match="not about 0"):
        reader("Which?", [])
    for text, clips, told in ((["Which?"], [one, one], "1 questions, and clips for 2"), ([], [], "0 questions")):
        with pytest.raises(CallError, match=told):
            reader(text, clips)
    with pytest.raises(CallError, match="2 questions, and clips for 1"):
        reader(["Sharp?", "Dark?"], one)
    with pytest.raises(CallError, match="there are no clips to score"):
        reader.score_inputs([])
    with pytest.raises(CallError, match="torch tensors, return_tensors 'pt', not 'np'"):
        reader("Sharp?", one, return_tensors="np")  # type: ignore[arg-type]
    with pytest.raises(CallError, match=r"\d+ tokens, the model reads at most 4096: cut the clips"):
        reader("sharp or not, " * 1000, one)
    monkeypatch.setattr(trained.config.text_config, "max_position_embeddings", 50)
    with pytest.raises(CallError, match=r"video.mp4: \d+ tokens, the model reads at most 50: cut the clip"):
        reader.score_inputs(one)


def test_files_of_different_models_are_refused(reader: VQA2Processor, trained: Checkpoint, tmp_path: Path) -> None:
    level_tokens = trained.block.scoring.level_tokens[::-1]
    other = replace(trained.block, scoring=replace(trained.block.scoring, level_tokens=level_tokens))
    with pytest.raises(CallError, match=r"the tokenizer's level tokens are not those of vqa2.json"):
        VQA2Processor(trained.tokens.tokenizer, trained.config, other)
    reader.save_pretrained(tmp_path)
    (tmp_path / BLOCK).write_text("{}")
    with pytest.raises(CallError, match="cannot be read"):
        AutoProcessor.from_pretrained(tmp_path)
    (tmp_path / BLOCK).unlink()
    with pytest.raises(OSError, match=r"vqa2.json"):
        AutoProcessor.from_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"processor.push_to_hub"):
        reader.save_pretrained(tmp_path, push_to_hub=True)


# The page, without torchvision

WITHOUT_TORCHVISION = """
import json, os, sys
sys.modules["torchvision"] = None
page, *folders = sys.argv[1:]
code, told = open(page).read(), []
for folder in folders:
    os.chdir(folder)
    exec(code, {"print": told.append})
assert sys.modules["torchvision"] is None
json.dump(told, sys.stdout)
"""


def test_the_page_says_what_runs_without_torchvision(media: dict[str, Path], tmp_path: Path) -> None:
    page = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
    ((code),) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "page.py").write_text(code)
    expected: list[Any] = []
    for preset, extractor in zip(PRESETS, ["frame_stats", "slowfast", "frame_stats"], strict=True):
        here = tmp_path / preset
        made(here / "my-model", preset, extractor)
        (here / "clips").mkdir()
        clips = [here / "clips" / "harbour.mp4", here / "clips" / "stadium.mp4"]
        for clip, name in zip(clips, ("video", "longer"), strict=True):
            clip.symlink_to(media[name])
        checkpoint = load_checkpoint(here / "my-model")
        question = question_about(checkpoint, clips, "Which of these is sharper?")
        expected += [pytest.approx(expected_scores(checkpoint, clips), abs=1e-6)]
        expected += generated(checkpoint, [question], longest=64)
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCHVISION, tmp_path / "page.py", *(tmp_path / preset for preset in PRESETS)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    told = [found.strip() if isinstance(found, str) else found for found in json.loads(ran.stdout)]
    assert told == expected
