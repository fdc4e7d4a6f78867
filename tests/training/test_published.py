"""Finetuning on conversations that others published, straight from their file and their clips."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from dataset_builder.build import build
from schemas.recipe import BuildRecipe, TrainRecipe, load
from training.checkpoints.checkpoint import load_checkpoint
from training.inference.score import score_clips
from training.trainer.train import train

STREAMING = "Key frames:\n<image>. Motion:\n <image>. How would you evaluate the quality of this video?"


@pytest.mark.full
def test_published_conversations_train_a_scorer(tmp_path: Path, real_clips: dict[str, Path]) -> None:
    clips = tmp_path / "clips" / "LIVE-NFLX-II" / "Test"
    clips.mkdir(parents=True)
    rows = []
    for (name, path), (score, level) in zip(
        real_clips.items(), [("12.5", "low"), ("55", "fair"), ("91", "high")], strict=True
    ):
        shutil.copyfile(path, clips / f"{name}.mp4")
        answer = f"The quality of this video is {level}."
        turns = [{"from": "human", "value": STREAMING}, {"from": "gpt", "value": answer}]
        image = f"LIVE-NFLX-II/Test/{name}.mp4"
        rows.append({"image": image, "frames per sec": 10, "gt_score": score, "conversations": turns})
    (tmp_path / "live-ii_ver2.json").write_text(json.dumps(rows))
    source = {"name": "nflx", "source": "vqa2_streaming", "table": "live-ii_ver2.json", "clips": "clips"}
    recipe = tmp_path / "build.yaml"
    recipe.write_text(yaml.safe_dump({"name": "released", "sources": [{**source, "licence": "research only"}]}))
    built = build(load(recipe, BuildRecipe), recipe, tmp_path / "corpus")
    assert built.manifest.configs["stage2-streaming"].splits == {"train": 3}
    assert built.manifest.configs["stage2-streaming"].levels == {"fair": 1, "high": 1, "low": 1}
    assert built.manifest.remarks == ["nflx: live-ii_ver2.json has 3 rows, the set publishes 420"]

    every = ["vision", "vision_projector", "motion", "motion_projector", "llm"]
    stage = {"name": "score", "configs": ["stage2-streaming"], "train": every, "steps": 12, "batch": 3, "lr": 0.002}
    schedule = tmp_path / "train.yaml"
    schedule.write_text(yaml.safe_dump({"corpus": "corpus", "out": "model", "stages": [stage]}))
    (trained,) = train(load(schedule, TrainRecipe), tmp_path)["stages"]
    assert trained["samples"] == 3
    assert trained["loss_last_tenth"] < trained["loss_first_tenth"]
    found = list(score_clips(load_checkpoint(tmp_path / "model"), sorted(clips.iterdir())))
    assert all(row.score is not None and 0 <= row.score <= 1 for row in found)
