"""What training costs: the motion extractor in the loop, waiting for data, and memory beside what is foretold of it.

Clips of 10 s, 640 x 360 at 25 frames a second, are made here; the recipe is benchmarks/training.yaml, with one thread.
An epoch with motion features read from a cache is timed beside one that runs the extractor, in turns. Waiting is the
time that the trainer spends on getting its next batch. The peak is that of torch's allocator. On a CUDA GPU, models of
the 0.5B and 7B shapes are timed besides, with random weights, beside a plain loop over the same clips.

    python -m benchmarks --only training
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import av
import msgspec
import numpy as np
import torch

from benchmarks._allocations import made_batch, made_tokens, peak_of_steps, prepared, stated
from benchmarks._findings import ROOT, Cell, Findings, Limit, Table, interleaved, versions
from benchmarks._slowfast import Both
from dataset_builder.corpus import file_entry
from schemas.frames import key_frame_count, motion_frame_count
from schemas.recipe import TrainRecipe, TrainStage, load
from schemas.sample import MediaRef, Provenance, Sample, Target, Turn
from stages.wording.prompts import PUBLISHED
from training.checkpoints.preset import Preset, load_preset
from training.checkpoints.schedule import optimizer
from training.checkpoints.start import model_config, quiet
from training.models.slowfast import SlowFastFast
from training.planning.activations import Adapters, Load
from training.planning.device import device_here
from training.planning.memory import Plan, memory
from training.planning.preflight import seconds as seconds_of
from training.precompute import Model, clips_of_corpus, fill
from training.trainer.stage_trainer import StageTrainer
from training.trainer.train import train

RECIPE = ROOT / "benchmarks" / "training.yaml"
LEAN = ("vision", "vision_projector", "motion_projector", "llm")
TIMES_FASTER, LEAST_WAITING, TIMES_FAST_PATH, NEAR = 3.0, 5.0, 8.0, 20.0
NO_GPU = "no CUDA GPU here"
FPS, WIDTH, HEIGHT = 25, 640, 360
MIB = 2**20


def run(*, quick: bool) -> Findings:
    """Train with and without a cache, run both pathways, and hold the formula of memory to what is allocated."""
    quiet()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        epochs = epoch_rows(
            Path(scratch), clips=1 if quick else 2, seconds=2 if quick else 10, repeat=1 if quick else 2
        )
    pathways = pathway_rows(frames=8 if quick else 64, side=64 if quick else 224, repeat=1 if quick else 5)
    peaks = peak_rows(quick=quick)
    gpu = gpu_rows()
    by = {row["motion"]: row for row in epochs}
    loop, cached = by["in the loop"], by["cached"]
    fast, both = pathways
    worst = max((abs(float(row["off by %"] or 0)) for row in peaks), default=0.0)
    waiting = "share of the step waiting for data"
    limits = [
        Limit("an epoch, motion cached", _ratio(loop, cached, "s an epoch"), TIMES_FASTER, "x faster", least=True),
        *(
            Limit(f"{waiting}, motion {row['motion']}", float(row["waiting %"] or 0), LEAST_WAITING, "%")
            for row in epochs
        ),
        Limit("fast pathway alone", _ratio(both, fast, "CPU s"), TIMES_FAST_PATH, "x both", least=True),
        Limit("fast pathway alone, FLOPs", _ratio(both, fast, "GFLOP"), TIMES_FAST_PATH, "x both", least=True),
        Limit("foretold peak of memory", worst, NEAR, "% off, at most"),
        Limit("7B on a GPU", None, 0.0, "tokens/s", least=True, note=NO_GPU if not gpu else "see the table"),
    ]
    tables = [
        Table("An epoch of the small recipe", epochs),
        Table("SlowFast-R50 over the same frames", pathways),
        Table("The peak of memory, and what is foretold", peaks),
        Table("On a GPU, random weights", gpu or [{"model": "0.5B and 7B shapes", "remark": NO_GPU}]),
    ]
    return Findings(tables, limits, {"versions": versions("torch", "transformers"), "threads": "1"})


def _ratio(slow: dict[str, Cell], quick: dict[str, Cell], what: str) -> float:
    return float(slow[what] or 0) / float(quick[what] or 1)


# An epoch


def epoch_rows(folder: Path, *, clips: int, seconds: int, repeat: int) -> list[dict[str, Cell]]:
    """Train an epoch in both ways, in turns."""
    make_corpus(folder / "corpus", clips, seconds)
    recipe = load(RECIPE, TrainRecipe)
    first = msgspec.structs.replace(recipe.stages[0], epochs=None, steps=1) if recipe.stages else None
    train(msgspec.structs.replace(recipe, stages=[first]), folder)  # features are a trained model's
    started = time.perf_counter()
    found = clips_of_corpus(folder / "corpus", folder / "corpus")
    filled = fill(folder / "cache", found, Model(checkpoint=folder / "model"), key_frames=True)
    if filled.failed:
        raise RuntimeError(f"{filled.failed[0]}")
    filling = time.perf_counter() - started
    number = iter(range(1000))

    def epoch(cache: str | None) -> dict[str, float]:
        out = f"out{next(number)}"
        given = msgspec.structs.replace(recipe, model="model", out=out, cache=cache)
        with watched() as spent:
            train(given, folder)
        return spent

    works = [partial(epoch, None), partial(epoch, "cache")]
    rows: list[dict[str, Cell]] = []
    for motion, spent in zip(("in the loop", "cached"), interleaved(repeat, works), strict=True):
        whole = [one["training"] + one["waiting"] for one in spent]
        row: dict[str, Cell] = {
            "motion": motion,
            "clips": clips,
            "s a clip": seconds,
            "s an epoch": statistics.median(whole),
            "s a step": statistics.median(whole) / clips,
            "CPU s a step": statistics.median(one["CPU training"] for one in spent) / clips,
            "waiting %": 100 * statistics.median(one["waiting"] / s for one, s in zip(spent, whole, strict=True)),
            "estimate / measured": estimated(folder, cached=motion == "cached", seconds=seconds)
            / statistics.median(one["training"] / clips for one in spent),
        }
        rows.append(row)
    rows[1]["filling the cache, s"] = filling
    return rows


def estimated(folder: Path, *, cached: bool, seconds: int) -> float:
    """Estimate the seconds of a step as a preflight does."""
    from training.checkpoints.checkpoint import load_checkpoint

    config = load_checkpoint(folder / "model").config
    frames = seconds * FPS
    shown = Load(
        key_frames=key_frame_count(frames, FPS), motion_frames=motion_frame_count(frames), cached=cached, answers=12
    )
    found = memory(config, Plan(parts=LEAN, load=shown))
    return seconds_of((found.flops, found.extraction), device_here(bf16=False, extracts=True))


@contextlib.contextmanager
def watched() -> Iterator[dict[str, float]]:
    """Add up the seconds in which the trainer computes, and in which it waits for its next batch."""
    spent = {"training": 0.0, "waiting": 0.0, "CPU training": 0.0, "CPU waiting": 0.0}
    kept = {"training": StageTrainer.training_step, "waiting": StageTrainer.get_batch_samples}

    def timed(what: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            start, before = time.perf_counter(), time.thread_time()  # of this thread, which is the one that computes
            try:
                return kept[what](*args, **kwargs)
            finally:
                spent[what] += time.perf_counter() - start
                spent[f"CPU {what}"] += time.thread_time() - before

        return call

    StageTrainer.training_step, StageTrainer.get_batch_samples = timed("training"), timed("waiting")
    try:
        yield spent
    finally:
        StageTrainer.training_step, StageTrainer.get_batch_samples = kept["training"], kept["waiting"]


def make_corpus(folder: Path, clips: int, seconds: int) -> None:
    """Write clips of noise that moves, and a sample that asks for the quality of each."""
    samples = []
    for index in range(clips):
        path = folder / "media" / f"clip{index}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        make_clip(path, index, seconds * FPS)
        frames = seconds * FPS
        media = MediaRef(
            record_id=path.stem,
            kind="video",
            path=f"media/{path.name}",
            sha256=file_entry(path).sha256,
            frames=frames,
            fps=float(FPS),
            key_frames=key_frame_count(frames, FPS),
            motion_frames=motion_frame_count(frames),
        )
        target = Target(level="good", mos=0.7, raw=0.7, lo=0.0, hi=1.0, synthetic=True)
        told = {"group": path.stem, "wording": "published", "generator": "template", "family": "", "recipe": "0" * 64}
        turns = [
            Turn(role="user", text=PUBLISHED["ugc/video"]),
            Turn(role="assistant", text="The quality of this video is good."),
        ]
        source = Provenance(source="made", licence="CC0-1.0", evidence=[], **told)
        sample = Sample(
            id=f"stage2-ugc/{path.stem}", stage="stage2-ugc", task="scoring", media=[media], turns=turns, target=target,
            provenance=source,
        )  # fmt: skip
        samples.append(msgspec.json.encode(sample) + b"\n")
    shard = folder / "data" / "stage2-ugc" / "train-00000.jsonl"
    shard.parent.mkdir(parents=True)
    shard.write_bytes(b"".join(samples))


def make_clip(path: Path, seed: int, frames: int) -> None:
    """Encode a pan over blocks of random colour."""
    rng = np.random.default_rng(seed)
    wide = np.kron(rng.integers(0, 255, (HEIGHT // 8, WIDTH // 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "23", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for t in range(frames):
            picture = np.ascontiguousarray(wide[:HEIGHT, 2 * t % WIDTH : 2 * t % WIDTH + WIDTH])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


# The extractor


@torch.inference_mode()
def pathway_rows(*, frames: int, side: int, repeat: int) -> list[dict[str, Cell]]:
    """Run the fast pathway alone and with the slow one beside it: the same features, to the bit."""
    from torch.utils.flop_counter import FlopCounterMode

    torch.manual_seed(0)
    fast = SlowFastFast().eval()
    both = Both(fast).eval()
    clip = torch.randn(frames, 3, side, side)
    same = torch.equal(fast(clip), both(clip))

    def cost(model: torch.nn.Module) -> float:
        start = time.process_time()
        model(clip)
        return time.process_time() - start

    rows: list[dict[str, Cell]] = []
    spent = interleaved(repeat, [partial(cost, fast), partial(cost, both)])
    for name, model, seconds in zip(("fast alone", "both"), (fast, both), spent, strict=True):
        with FlopCounterMode(display=False) as counted:
            model(clip)
        rows.append(
            {
                "pathways": name,
                "frames": f"{frames} of {side} x {side}",
                "CPU s": statistics.median(seconds),
                "GFLOP": counted.get_total_flops() / 1e9,
                "M parameters": sum(p.numel() for p in model.parameters()) / 1e6,
                "features equal to the bit": same,
            }
        )
    return rows


# Memory


def peak_rows(*, quick: bool) -> list[dict[str, Cell]]:
    """Measure the peak of two steps beside what is foretold, for several ways to train."""
    clip = Load(key_frames=1 if quick else 4, motion_frames=12 if quick else 96, cached=True)
    plan = Plan(parts=LEAN, load=clip)
    change = partial(msgspec.structs.replace, plan)
    ways = {
        "all but the extractor": plan,
        "vision frozen": change(parts=LEAN[1:]),
        "gradient checkpointing": change(gradient_checkpointing=True),
        "a batch of 4": change(load=replace(clip, batch=4)),
        "LoRA of rank 16, vision frozen": change(parts=LEAN[1:], adapters=Adapters(rank=16)),
        "the extractor learns, frames of 96 x 96": change(parts=(*LEAN, "motion"), load=replace(clip, cached=False)),
    }
    if not quick:
        ways["bf16"] = change(bf16=True, load=replace(clip, key_frames=1, motion_frames=24))
    rows: list[dict[str, Cell]] = []
    for name, way in list(ways.items())[: 2 if quick else None]:
        preset = load_preset("small")
        if not way.load.cached:
            preset = msgspec.structs.replace(preset, model={**preset.model, "dense_size": 96})
        measured, foretold = peak_of_steps(preset, way)
        off = 100 * (foretold.peak / measured - 1)
        rows.append(
            {"small": name, "measured MiB": measured / MIB, "foretold MiB": foretold.peak / MIB, "off by %": off}
        )
    return rows


# A GPU


def half_billion() -> Preset:
    """LLaVA-OneVision of the 0.5B shape: Qwen2-0.5B under the same vision tower."""
    preset = load_preset("llava-onevision-7b")
    text = {
        **preset.model["text_config"],
        "hidden_size": 896,
        "intermediate_size": 4864,
        "num_hidden_layers": 24,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
    }
    return msgspec.structs.replace(preset, model={**preset.model, "text_config": text})


def gpu_rows() -> list[dict[str, Cell]]:
    """Time steps on a GPU: the 0.5B shape whole, the 7B shape with adapters; none where there is no GPU."""
    if not torch.cuda.is_available():
        return []
    clip = Load(key_frames=10, motion_frames=300, cached=True)
    rate = device_here(bf16=True).rate
    whole = Plan(parts=LEAN, load=clip, bf16=True, frozen="bfloat16", gradient_checkpointing=True)
    lora = msgspec.structs.replace(whole, parts=LEAN[1:], adapters=Adapters(rank=16))
    rows = []
    for name, preset, plan in (
        ("0.5B, all but the extractor", half_billion(), whole),
        ("7B, LoRA of rank 16", load_preset("llava-onevision-7b"), lora),
    ):
        for plain in (False, True):
            cost = step_cost(preset, plan, "cuda", plain=plain, steps=5)
            row: dict[str, Cell] = {"model": name, "loop": "plain, no cache" if plain else "ours, motion cached"}
            row |= {"tokens/s": cost["tokens/s"], "GiB, peak": cost["peak"] / 2**30}
            row |= {"foretold GiB": cost["foretold"] / 2**30, "MFU %": 100 * cost["FLOP/s"] / rate if rate else None}
            rows.append(row)
    return rows


def step_cost(preset: Preset, plan: Plan, device: str, *, plain: bool, steps: int) -> dict[str, float]:
    """Time training steps on a device; a plain loop runs the extractor on every clip and gives logits everywhere.

    FLOP/s are those that the model needs, nothing computed twice, over the time: MFU where they are divided by the rate
    of matrix products.
    """
    shown = replace(plan.load, cached=not plain)
    tokens = made_tokens(preset)
    config = model_config(msgspec.structs.replace(preset, tokenizer=None, weights=None, motion_weights=None), tokens)
    batch = made_batch(config, tokens, shown)
    shown = stated(config, batch, shown)
    if plain:
        del batch["logits_to_keep"], batch["shift_labels"]
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    bare = msgspec.structs.replace(preset, weights=None, motion_weights=None)
    with torch.device(device):
        model = prepared(bare, config, plan)
    learning = optimizer(model, TrainStage(name="measured", configs=["made"], train=[], steps=1))

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=plan.bf16):
            loss = model(**batch).loss
        loss.backward()
        learning.step()
        learning.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step()
    seconds = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    once = msgspec.structs.replace(plan, load=replace(shown, cached=True), gradient_checkpointing=False)
    took = statistics.median(seconds)
    return {
        "tokens/s": shown.batch * shown.tokens(config) / took,
        "FLOP/s": memory(config, once).flops / took,
        "peak": float(torch.cuda.max_memory_allocated()) if device == "cuda" else 0.0,
        "foretold": memory(config, msgspec.structs.replace(plan, load=shown)).peak,
    }
