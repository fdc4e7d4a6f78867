"""A run that is killed at any moment and called again gives the bytes of one that was not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest

from dataset_builder.corpus import file_entry
from schemas.errors import CallError, DataError
from schemas.recipe import TrainRecipe, Watch, load
from tests.conftest import ROOT
from tests.training.conftest import EVERYTHING, make_corpus, write_recipe
from tests.training.launched import poison
from training.checkpoints.checkpoint import load_checkpoint
from training.inputs.feeds import FeedReader
from training.trainer.curve import Curve
from training.trainer.run_folder import StageFolder
from training.trainer.train import train
from training.trainer.watching import Watcher, watched

STAGES = [
    {"name": "first", "configs": ["stage1"], "train": ["vision", "vision_projector"], "steps": 7, "batch": 2},
    {
        "name": "second",
        "configs": ["stage2-ugc", "stage3-mix"],
        "train": EVERYTHING,
        "epochs": 4,
        "batch": 2,
        "lr": 0.002,
    },
]
KEYS = {"stages": STAGES, "save_every": 3, "watch": {"split": "train", "config": "stage2-ugc", "every": 2}}


def run(recipe: Path) -> None:
    train(load(recipe, TrainRecipe), recipe.parent)


def files_of(folder: Path) -> dict[str, str]:
    return {p.name: file_entry(p).sha256 for p in folder.iterdir() if p.name != "training.json"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus with the model of a run that nothing disturbed."""
    corpus = make_corpus(tmp_path_factory.mktemp("undisturbed") / "corpus")
    run(write_recipe(corpus, out="whole", **KEYS))
    return corpus


def begin(recipe: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).parent / "vqa2"), "train", str(recipe)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.full
@pytest.mark.parametrize("point", [(1, 5), (2, 1), (2, 9), (2, 17)])
def test_a_killed_run_goes_on_to_the_same_bytes(undisturbed: Path, point: tuple[int, int], tmp_path: Path) -> None:
    recipe = write_recipe(undisturbed, out=str(tmp_path / "model"), **KEYS)
    kill_at(recipe, tmp_path / "model.work", *point)
    assert not (tmp_path / "model").exists()
    before = len((tmp_path / "model.work" / "curve.jsonl").read_bytes().splitlines())
    run(recipe)
    assert files_of(tmp_path / "model") == files_of(undisturbed / "whole")
    assert 0 < before <= len((tmp_path / "model" / "curve.jsonl").read_bytes().splitlines())


@pytest.mark.full
def test_adapters_with_dropout_go_on_too(undisturbed: Path, tmp_path: Path) -> None:
    """What is dropped follows from the random state, which a snapshot holds."""
    keys = {**KEYS, "lora": {"rank": 4, "dropout": 0.3, "head": True}}
    run(write_recipe(undisturbed, out=str(tmp_path / "through"), **keys))
    recipe = write_recipe(undisturbed, out=str(tmp_path / "model"), **keys)
    kill_at(recipe, tmp_path / "model.work", 2, 8)
    run(recipe)
    assert files_of(tmp_path / "model") == files_of(tmp_path / "through")


def kill_at(recipe: Path, work: Path, stage: int, step: int) -> None:
    """Kill -9 a run as soon as its curve has a step, wherever in step, scoring or saving that is."""
    process = begin(recipe)
    curve, until = work / "curve.jsonl", time.monotonic() + 120
    wanted, name = f'"step":{step},'.encode(), f'"stage":"0{stage}-'.encode()
    while process.poll() is None and time.monotonic() < until:
        if curve.exists() and any(name in line and wanted in line for line in curve.read_bytes().splitlines()):
            break
        time.sleep(0.002)
    assert process.poll() is None, "the run was over before it was killed"
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.full
def test_no_code_of_a_snapshot_is_run(undisturbed: Path, tmp_path: Path) -> None:
    recipe = write_recipe(undisturbed, out=str(tmp_path / "model"), **KEYS)
    kill_at(recipe, tmp_path / "model.work", 1, 6)
    snapshot = StageFolder(tmp_path / "model.work" / "01-first", writes=False).snapshot()
    assert snapshot
    poison(snapshot, tmp_path / "made")
    with pytest.raises(CallError, match=f"{snapshot.name}: holds more than tensors and numbers, and pickled code is"):
        run(recipe)
    assert not (tmp_path / "made").exists()


@pytest.mark.full
def test_a_disk_that_is_full_is_told_and_the_run_goes_on_later(undisturbed: Path, tmp_path: Path) -> None:
    """Files of the run may have so many kilobytes: none at all, a first small one, or all but the last."""
    recipe = write_recipe(undisturbed, out=str(tmp_path / "model"), **KEYS)
    for kilobytes in (20, 150, 700):
        command = f"ulimit -f {kilobytes}; exec {sys.executable} -m vqa2 train {recipe}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 2, done.stderr
        assert "model.work: cannot be read or written: the disk may be full" in done.stderr
        assert "Traceback" not in done.stderr
    run(recipe)
    assert files_of(tmp_path / "model") == files_of(undisturbed / "whole")


def test_what_a_finished_run_leaves(undisturbed: Path) -> None:
    assert {p.name for p in (undisturbed / "whole.work").iterdir()} == {"curve.jsonl", "tensorboard"}
    left = {path.name for path in (undisturbed / "whole").iterdir()}
    assert {"curve.jsonl", "curve.png", "model.safetensors", "training.json", "vqa2.json"} <= left
    points = Curve(undisturbed / "whole" / "curve.jsonl").points
    assert [p.step for p in points if p.stage == "01-first" and p.loss is not None] == list(range(1, 8))
    assert sum(p.srcc is not None for p in points) >= 10
    assert (undisturbed / "whole" / "curve.png").read_bytes()[:4] == b"\x89PNG"


def test_a_stage_ends_with_its_best_weights(undisturbed: Path) -> None:
    record = json.loads((undisturbed / "whole" / "training.json").read_text())
    model = load_checkpoint(undisturbed / "whole")
    watch = Watch(split="train", config="stage2-ugc", every=2)
    feeds = FeedReader(undisturbed, model.config, keep=False)
    srcc, _ = Watcher(watched(watch, undisturbed, model.config), feeds)(model)
    assert srcc == record["stages"][1]["best"]["srcc"]
    scores = {p.step: p.srcc for p in Curve(undisturbed / "whole" / "curve.jsonl").points if p.srcc is not None}
    second = record["stages"][1]
    assert "best" not in record["stages"][0]
    assert second["best"]["srcc"] == max(scores.values())
    assert scores[second["best"]["step"]] == second["best"]["srcc"]


def test_an_unfinished_run_of_another_recipe_is_refused(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    stages = [{"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 9, "batch": 2, "lr": 1e30}]
    with pytest.raises(DataError, match="the loss is nan"):
        run(write_recipe(corpus, stages=stages))
    with pytest.raises(CallError, match=r"model.work: an unfinished run is here, of another recipe; finish it"):
        run(write_recipe(corpus, stages=stages, seed=1))
    manifest = corpus / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b"six-clips", b"six-shots"))
    with pytest.raises(CallError, match="of another corpus;"):
        run(write_recipe(corpus, stages=stages))


def test_an_unfinished_run_of_another_preset_is_refused(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    tiny = (files("training") / "presets" / "tiny.yaml").read_text(encoding="utf-8")
    (corpus / "own.yaml").write_text(tiny, encoding="utf-8")
    stages = [{"name": "s", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 9, "batch": 2, "lr": 1e30}]
    with pytest.raises(DataError, match="the loss is nan"):
        run(write_recipe(corpus, preset="own.yaml", stages=stages))
    (corpus / "own.yaml").write_text(tiny.replace("threads: 1", "threads: 2"), encoding="utf-8")
    with pytest.raises(CallError, match="of another preset;"):
        run(write_recipe(corpus, preset="own.yaml", stages=stages))


def test_a_split_that_no_stage_would_score_is_not_watched(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path / "corpus")
    stages = [{"name": "s", "configs": ["stage3-mix"], "train": ["llm"], "steps": 1, "lr": 0.0}]
    with pytest.raises(CallError, match="watch: no stage trains on 'stage2-ugc'.*watch one of stage3-mix"):
        run(write_recipe(corpus, stages=stages, watch={"split": "train", "config": "stage2-ugc"}))


def test_tensorboard_holds_the_curve(undisturbed: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(undisturbed / "whole.work" / "tensorboard" / "02-second"))
    events.Reload()
    points = [p for p in Curve(undisturbed / "whole" / "curve.jsonl").points if p.stage == "02-second"]
    drawn = {e.step: e.value for e in events.Scalars("loss")}
    assert drawn == pytest.approx({p.step: p.loss for p in points if p.loss is not None}, rel=1e-6)
    assert {"lr", "grad_norm", "srcc", "tokens_per_second"} <= set(events.Tags()["scalars"])


@pytest.mark.full
def test_a_run_that_is_interrupted_says_how_it_goes_on(undisturbed: Path, tmp_path: Path) -> None:
    recipe = write_recipe(undisturbed, out=str(tmp_path / "model"), **KEYS)
    command = [str(Path(sys.executable).parent / "vqa2"), "train", str(recipe)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    curve, until = tmp_path / "model.work" / "curve.jsonl", time.monotonic() + 120
    while not (curve.exists() and curve.stat().st_size) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    told = process.communicate()[1].decode()
    assert process.returncode == 130
    assert "stopped: the same command goes on from" in told
    assert "Traceback" not in told
    run(recipe)
    assert files_of(tmp_path / "model") == files_of(undisturbed / "whole")
