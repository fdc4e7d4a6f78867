"""Exports go through the loaders of LLaMA-Factory and ms-swift, up to the batch that a model is fed.

Not collected by itself: `make test-interop` installs each trainer into an environment of its own below `.interop` and
names this file. Another place of the environments is given by VQA2_INTEROP.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dataset_builder.corpus import read_samples
from dataset_builder.exporters import llama_factory, ms_swift
from dataset_builder.exporting import export, write_rows
from schemas.sample import Sample
from tests.conftest import ROOT
from tests.schemas.test_sample import sample

ENVIRONMENTS = Path(os.environ.get("VQA2_INTEROP", ROOT / ".interop"))
CONFIGS = ["stage1", "stage2-ugc", "stage2-streaming", "stage3", "stage3-mix"]
EXPORTERS = {"llama_factory": llama_factory, "ms_swift": ms_swift}
SYSTEM = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"


def read(name: str, arguments: list[Path | str], media: Path, *, fails: bool = False) -> list[dict[str, Any]]:
    """Run a reader and give what it made of the rows."""
    done = subprocess.run(
        [ENVIRONMENTS / name / "bin" / "python", Path(__file__).with_name(f"read_{name}.py"), *arguments],
        env={
            **os.environ,
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": str(media.parent / "hf"),
            "MODELSCOPE_CACHE": str(media.parent / "ms"),
            "FPS": "1",
            "ROOT_IMAGE_DIR": str(media),
            "FORCE_QWENVL_VIDEO_READER": "decord",
        },
        capture_output=True,
        encoding="utf-8",
        errors="replace",  # one of them cuts what it logs in the middle of a character
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stderr[-4000:]
    if fails:
        return []
    told = json.loads(done.stdout.splitlines()[-1])
    print(told["versions"])
    rows: list[dict[str, Any]] = told["rows"]
    return rows


def written(name: str, folder: Path, samples: list[Sample]) -> list[Path | str]:
    """Write samples as `export` would, and give the arguments of the reader."""
    folder.mkdir()
    with (folder / "own.json").open("wb") as file:
        write_rows(EXPORTERS[name], samples, file)
    if name == "ms_swift":
        return [folder / "own.json"]
    (folder / "dataset_info.json").write_text(json.dumps(llama_factory.beside("own.json")["dataset_info.json"]))
    return [folder, "own"]


def arguments(name: str, out: Path, config: str, media: Path) -> list[Path | str]:
    return [out] if name == "ms_swift" else [out, config, media]


def shown(text: str) -> str:
    """Write a tag again for each run of places that a clip or image takes."""
    for kind in ("video", "image"):
        text = re.sub(rf"<\|vision_start\|>(<\|{kind}_pad\|>)+<\|vision_end\|>", f"<{kind}>", text)
    return text


def hold(name: str, made: Sample, row: dict[str, Any]) -> None:
    """Hold what a model is fed to what the sample says."""
    turns = [(turn["role"], turn["content"]) for turn in ms_swift.row(made)["messages"]]  # the text is that of both
    said = "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in turns)
    if name == "llama_factory" and not made.media:
        # It puts a picture of its own behind a batch without any, masked, so that all processes run their vision tower.
        assert row["image_pixels"] > 0
        said, row = said + "<image>", {**row, "image_pixels": 0, "image_tokens": 0}
    assert shown(row["text"]).strip() == (SYSTEM + said).strip()
    answers = [turn.text for turn in made.turns[1::2]]
    assert row["learned"].replace("\n", "").replace("<|im_end|>", "") == "".join(answers).replace("\n", "")
    clips = [media for media in made.media if media.kind == "video"]
    assert len(row["video_grids"]) == len(clips)
    for media, (pairs, height, width) in zip(clips, row["video_grids"], strict=True):
        assert abs(2 * pairs - media.key_frames) <= max(2, 4 - media.key_frames)
        assert height * width > 4
    assert row["video_pixels"] == sum(pairs * height * width for pairs, height, width in row["video_grids"])
    assert row["video_tokens"] * 4 == row["video_pixels"]
    assert row["image_tokens"] * 4 == row["image_pixels"]
    assert (row["video_spread"] > 0.1) == bool(clips)
    assert (row["image_pixels"] > 0) == (len(clips) < len(made.media))


@pytest.mark.parametrize("name", EXPORTERS)
@pytest.mark.parametrize("config", CONFIGS)
def test_every_row_of_an_export_arrives_with_its_pixels(name: str, config: str, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / ("rows.json" if name == "ms_swift" else "folder")
    export(corpus, config, out, EXPORTERS[name])
    samples = [located.sample for located in read_samples(corpus, config)]
    rows = read(name, arguments(name, out, config, corpus), corpus)
    assert len(rows) == len(samples) > 0
    for made, row in zip(samples, rows, strict=True):
        hold(name, made, row)


@pytest.mark.parametrize("name", EXPORTERS)
def test_several_clips_and_images_and_turns_and_none(name: str, corpus: Path, tmp_path: Path) -> None:
    media = {
        ref.path: ref for config in CONFIGS for located in read_samples(corpus, config) for ref in located.sample.media
    }
    first, second = [ref for ref in media.values() if ref.kind == "video"][:2]
    (image,) = [ref for ref in media.values() if ref.kind == "image"]
    asked = "<video><motion> or, 日本, <video><motion>: which?"
    samples = [
        sample(asked, "The first.", [first, second]),
        sample("<image> and <video>\n<motion>\nIs it <i>sharp</i>?", "Yes.", [image, second]),
        sample("What is blur?", "Lost detail.", []),
    ]
    samples.append(msgspec.structs.replace(samples[0], turns=[*samples[0].turns, *samples[2].turns]))
    where = written(name, tmp_path / "own", samples)
    rows = read(name, [*where, corpus] if name == "llama_factory" else where, corpus)
    assert len(rows) == len(samples)
    for made, row in zip(samples, rows, strict=True):
        hold(name, made, row)


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_clip_that_is_missing_is_an_error_there_too(name: str, corpus: Path, tmp_path: Path) -> None:
    """The control: a loader that passed over media would pass the tests above as well."""
    out = tmp_path / ("rows.json" if name == "ms_swift" else "folder")
    export(corpus, "stage2-streaming", out, EXPORTERS[name])
    for clip in (corpus / "media").rglob("*.mp4"):
        clip.unlink()
    read(name, arguments(name, out, "stage2-streaming", corpus), corpus, fails=True)
