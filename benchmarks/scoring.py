"""How many clips a second `vqa2 score` scores, by how many a forward pass takes and how many threads decode ahead.

Untrained models of the tiny presets on clips of 1 to 5 seconds that are made for it: on a CPU, and with models this
small, most of the time is decoding, so larger passes gain little here. CPU seconds are those of the process, decoding
threads included; ratios are beside one clip a pass. Scores must agree however clips are grouped.

    python -m benchmarks --only scoring
"""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks._findings import Cell, Findings, Limit, Table, interleaved, versions, wall_and_cpu_seconds

PRESETS = ("tiny", "tiny-qwen2.5-vl", "tiny-qwen3-vl")
WAYS = ((1, 1), (4, 1), (16, 1), (16, 2))
"""Clips a pass, and threads that decode."""
FPS, SIZE = 16, 128
CLIPS, REPEAT = 32, 2
APART = 1e-3


def run(*, quick: bool) -> Findings:
    """Make the clips, and score them in every way."""
    presets = PRESETS[:1] if quick else PRESETS
    with tempfile.TemporaryDirectory() as scratch:
        clips = made(Path(scratch), 8 if quick else CLIPS)
        rows = [row for preset in presets for row in measured(preset, clips, 1 if quick else REPEAT)]
    apart = max(float(str(row["largest difference of scores"])) for row in rows)
    limits = [Limit("scores of a clip, however it is grouped", apart, APART, "of the unit range apart")]
    return Findings([Table(f"{len(clips)} clips", rows)], limits, {"versions": versions("torch", "transformers", "av")})


def measured(preset: str, clips: list[Path], repeat: int) -> list[dict[str, Cell]]:
    """Score the clips in every way, and compare by the least CPU seconds; their scores must agree."""
    import torch

    from training.checkpoints.start import quiet
    from training.inference.score import score_clips

    quiet()
    torch.set_num_threads(1)
    checkpoint = untrained(preset)
    scores: dict[tuple[int, int], list[float | None]] = {}

    def score(batch: int, threads: int) -> None:
        scores[batch, threads] = [row.score for row in score_clips(checkpoint, clips, batch, workers=threads)]

    works = [partial(wall_and_cpu_seconds, partial(score, *way)) for way in WAYS]
    works[0]()
    took = [(min(wall for wall, _ in runs), min(cpu for _, cpu in runs)) for runs in interleaved(repeat, works)]
    apart = max(
        abs((a or 0) - (b or 0)) for found in scores.values() for a, b in zip(found, scores[WAYS[0]], strict=True)
    )
    return [
        {
            "preset": preset,
            "clips a pass": batch,
            "threads": threads,
            "clips/CPU s": len(clips) / cpu,
            "x one a pass": took[0][1] / cpu,
            "wall s": wall,
            "largest difference of scores": apart,
        }
        for (batch, threads), (wall, cpu) in zip(WAYS, took, strict=True)
    ]


def untrained(preset: str) -> Any:
    """Make a model of a preset as it is before training."""
    from training.checkpoints.checkpoint import Block, Checkpoint, scoring_of
    from training.checkpoints.preset import load_preset
    from training.checkpoints.start import initial_model, initial_tokens, model_config

    given = load_preset(preset)
    words = initial_tokens(given, ["How would you rate the quality of this video? 1.0 seconds"])
    model = initial_model(given, model_config(given, words), 0).eval()
    return Checkpoint(model, words, Block(scoring=scoring_of(words), preset=given, seed=0))


def made(folder: Path, count: int) -> list[Path]:
    """Encode clips of 1 to 5 seconds: a textured plane that moves, under noise."""
    random = np.random.default_rng(0)
    plane = np.kron(random.integers(0, 255, (SIZE // 4, SIZE, 3)), np.ones((4, 4, 1)))
    paths = []
    for index in range(count):
        path = folder / f"{index:03}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "veryfast"})
            stream.width, stream.height, stream.pix_fmt = SIZE, SIZE, "yuv420p"
            for t in range(FPS * (1 + index % 5)):
                noisy = plane[:SIZE, 2 * t : 2 * t + SIZE] + random.normal(0, index % 20, (SIZE, SIZE, 3))
                picture = np.ascontiguousarray(noisy.clip(0, 255).astype(np.uint8))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        paths.append(path)
    return paths
