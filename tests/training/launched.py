"""Runs of `vqa2 train` in several processes on this machine, and what they are held to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import torch
from safetensors.torch import load_file

from tests.training.conftest import EVERYTHING, write_recipe
from training.trainer.curve import Curve

LIMIT = 400
"""Seconds that a run may take, on a machine that does other things besides."""
PICTURES = ["vision", "vision_projector", "motion_projector"]
SHARED = [
    # Five samples in batches of one: an image beside clips, and at each epoch's end a process without a sample.
    {"name": "first", "configs": ["stage1"], "train": PICTURES, "epochs": 3, "batch": 1},
    {"name": "motion", "configs": ["stage1"], "media": "video", "train": ["motion_projector"], "steps": 3, "batch": 1},
    {"name": "last", "configs": ["stage2-ugc"], "train": EVERYTHING, "steps": 9, "batch": 1, "soft_levels": 0.5},
]
WATCH = {"split": "train", "every": 4}


def recipe(folder: Path, out: Path, *, accumulate: int = 1, **keys: object) -> Path:
    """Write the recipe of a run whose steps are of two batches, by two processes or by one."""
    stages = [{"lr": 0.002, **stage, "accumulate": accumulate} for stage in SHARED]
    given = write_recipe(folder, out=str(out), **{"stages": stages, "save_every": 3, "watch": WATCH, **keys})
    return given.rename(given.with_name(f"{out.name}.yaml"))


def begin(python: Path, path: Path, kind: str) -> subprocess.Popen[str]:
    """Start two processes that train by a recipe."""
    command = [str(python), "-m", "vqa2", "train", str(path), "--launch", kind, "--processes", "2"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(path: Path, kind: str, python: Path = Path(sys.executable)) -> tuple[int, str, str]:
    """Train in two processes; gives exit code, standard output and standard error."""
    process = begin(python, path, kind)
    try:
        out, error = process.communicate(timeout=LIMIT)
    finally:
        end(process)
    return process.returncode, out, error


def kill_at(path: Path, kind: str, snapshot: Path, python: Path = Path(sys.executable)) -> list[psutil.Process]:
    """Train until a snapshot is whole, kill the launcher alone, and give its processes."""
    process = begin(python, path, kind)
    try:
        until = time.monotonic() + LIMIT
        while process.poll() is None and time.monotonic() < until and not (snapshot / "whole").exists():
            time.sleep(0.002)
        assert process.poll() is None, process.communicate()[1]
        workers: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finally:
        end(process)
    return workers


def end(process: subprocess.Popen[str]) -> None:
    """End what a test has left running."""
    if process.poll() is None:
        for worker in psutil.Process(process.pid).children(recursive=True):
            worker.kill()
        process.kill()
        process.communicate()


class _Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, made: Path) -> None:
        self._made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._made,)


def poison(snapshot: Path, made: Path) -> None:
    """Put code that makes a file into all of a snapshot that PyTorch has pickled."""
    pickled = [path for path in snapshot.rglob("*") if path.suffix in {".pt", ".pth"}]
    assert len(pickled) >= 3
    for path in pickled:
        torch.save({"state": _Bomb(made)}, path)
    torch.load(pickled[0], weights_only=False)  # the bomb is one
    made.unlink()


def assert_no_code_is_run(path: Path, kind: str, snapshot: Path, python: Path = Path(sys.executable)) -> None:
    """Hold a run that goes on from a poisoned snapshot to refusing it by name."""
    kill_at(path, kind, snapshot, python)
    made = snapshot.parent / "made"
    poison(snapshot, made)
    code, _, error = run(path, kind, python)
    assert code == 2, error
    assert f"{snapshot.name}: holds more than tensors and numbers" in error
    assert not made.exists()


def assert_the_same(launched: Path, alone: Path) -> None:
    """Hold a run's every loss and score to those of one process, and its weights, which AdamW's first steps part."""
    ours, theirs = Curve(launched / "curve.jsonl").points, Curve(alone / "curve.jsonl").points
    assert [(p.stage, p.step, p.lr) for p in ours] == [(p.stage, p.step, p.lr) for p in theirs]
    losses = [(a.loss, b.loss) for a, b in zip(ours, theirs, strict=True) if b.loss is not None]
    assert len(losses) == 9 + 3 + 9
    apart = max(abs(a - b) for a, b in losses if a is not None)
    norms = [(a.grad_norm, b.grad_norm) for a, b in zip(ours, theirs, strict=True) if b.grad_norm is not None]
    weights, expected = load_file(launched / "model.safetensors"), load_file(alone / "model.safetensors")
    assert weights.keys() == expected.keys()
    furthest = max(float((weights[name] - expected[name]).abs().max()) for name in weights)
    print(f"{launched.name}: losses {apart:.1e} and weights {furthest:.1e} apart from one process at most")
    assert apart < 1e-5
    assert max(abs(a - b) / b for a, b in norms if a is not None) < 1e-4
    assert furthest < 2e-3


def assert_equal(launched: Path, undisturbed: Path) -> None:
    """Hold one run to another to the last bit."""
    assert (launched / "curve.jsonl").read_bytes() == (undisturbed / "curve.jsonl").read_bytes()
    weights, expected = load_file(launched / "model.safetensors"), load_file(undisturbed / "model.safetensors")
    assert weights.keys() == expected.keys()
    assert [name for name in weights if not torch.equal(weights[name], expected[name])] == []


def sharding(folder: Path) -> list[dict[str, Any]]:
    """Give what the record of each stage says of how its model was shared."""
    return [stage["sharding"] for stage in json.loads((folder / "training.json").read_text())["stages"]]
