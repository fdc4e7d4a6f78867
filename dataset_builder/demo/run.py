"""Runs the demo: each step is a command of its own process, so its time and memory are its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml

from dataset_builder.corpus import QUARANTINE, read_manifest, read_samples
from dataset_builder.progress import ERROR_CONSOLE
from schemas.errors import CallError, DataError
from schemas.manifest import Quarantined
from schemas.validate import read_jsonl

SCORED = ("trained", "blank_frames", "untrained", "trivial")
"""The rows of the result: the trained model, and what it must be read beside."""
SAMPLING_SECONDS = 0.1


@dataclass(frozen=True)
class Step:
    """What one step took: wall seconds, and the peak of its process tree's resident memory in MB (10^6 bytes)."""

    seconds: float
    peak_mb: float


def run_demo(out: Path, seed: int, workers: int | None = None) -> dict[str, Any]:
    """Make clips, annotate, build, check, train and score below `out`; writes and gives `summary.json`.

    `report.json` beside it is the one of the metrics, with the whole lock of their benchmark: `vqa2 compare` reads it.
    Raises CallError if `out` holds something else, DataError naming the step that failed.
    """
    inputs, corpus, model = out / "inputs", out / "corpus", out / "model"
    _clear(out, (inputs, corpus, model, out / "model.work"))
    (out / "train.yaml").write_text(
        yaml.safe_dump({"corpus": "corpus", "out": "model", "preset": "tiny", "seed": seed}, sort_keys=False)
    )
    slots = ["--workers", str(workers)] if workers else []
    vqa2 = ["-m", "vqa2"]
    notes = [str(inputs / "ugc" / name) for name in ("ground_truth.jsonl", "annotations.jsonl")]
    report = ["--out", str(out / "report.json")]
    steps: dict[str, Step] = {}
    commands: dict[str, list[str]] = {
        "clips": ["-m", "dataset_builder.demo.clips", str(inputs), "--seed", str(seed), *slots],
        "annotate": [*vqa2, "annotate", "ground-truth", notes[0], "--out", notes[1]],
        "build": [*vqa2, "build", str(inputs / "build.yaml"), "--out", str(corpus), "--json", *slots],
        "check": [*vqa2, "check", str(corpus)],
        "train": [*vqa2, "train", str(out / "train.yaml"), "--json"],
        "score": [*vqa2, "eval", str(model), str(corpus), "--controls", "--json", *report],
    }
    answer = b""
    for name, command in commands.items():
        ERROR_CONSOLE.print(f"[bold]{name}[/]", highlight=False)
        steps[name], answer = _run_step(name, command)
    scores = orjson.loads(answer)
    summary = {
        "seed": seed,
        "labels": "synthetic: measured full-reference quality, not people's opinions",
        "configs": _counts(corpus),
        "quarantined": read_manifest(corpus).quarantined,
        "benchmark": scores["benchmark"],
        **{row: scores[row] for row in SCORED},
        "steps": {name: asdict(step) for name, step in steps.items()},
        "seconds": round(sum(step.seconds for step in steps.values()), 1),
        "peak_mb": max(step.peak_mb for step in steps.values()),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _clear(out: Path, ours: tuple[Path, ...]) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "inputs").is_dir())):
        raise CallError(f"{str(out)!r} exists and holds no demo: choose another folder with --out")
    for folder in ours:
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("summary.json", "report.json"):
        (out / name).unlink(missing_ok=True)
    (out / "inputs").mkdir(parents=True)


def _run_step(name: str, command: list[str]) -> tuple[Step, bytes]:
    """Run one step and give what it took and what it printed; its progress goes straight to standard error."""
    import psutil

    started, peak = time.monotonic(), 0
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE) as process:
        watched = psutil.Process(process.pid)
        while True:
            peak = max(peak, _tree_bytes(watched))
            try:
                answer, _ = process.communicate(timeout=SAMPLING_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
    if process.returncode:
        raise DataError(f"the step {name!r} failed (exit code {process.returncode}): {answer.decode()[-2000:]}")
    return Step(round(time.monotonic() - started, 1), round(peak / 1e6, 1)), answer


def _tree_bytes(process: Any) -> int:
    import psutil

    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += _resident(member)
    except psutil.NoSuchProcess:
        return total
    return total


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return 0


def _counts(corpus: Path) -> dict[str, dict[str, int]]:
    """Count the pairs of each config, and the inputs in quarantine of the sources that feed it."""
    manifest = read_manifest(corpus)
    rows = [row for _, row in read_jsonl(corpus / QUARANTINE, Quarantined) if isinstance(row, Quarantined)]
    by_source = Counter(row.source for row in rows)
    counts = {}
    for config, count in manifest.configs.items():
        sources = {located.sample.provenance.source for located in read_samples(corpus, config)}
        counts[config] = {
            "pairs": sum(count.splits.values()),
            "quarantined": sum(by_source[source] for source in sources),
        }
    return counts
