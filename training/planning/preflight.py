"""Before anything is trained: whether memory, disk and time are there for it.

Memory is foretold by training.planning.memory for the longest batch of each stage. Disk is counted from what is
written: weights that learn, their optimiser states, snapshots, what the vision tower said where that is kept, the
checkpoint. Hours are an estimate: the FLOPs of all steps, over the rate at which the device at hand multiplies
matrices, of which training reaches a part (SHARE).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from dataset_builder.corpus import Located
from schemas.errors import CallError
from schemas.recipe import TrainRecipe, TrainStage
from schemas.sample import Sample
from training.models.config import MotionConfig, VQA2Config
from training.planning.activations import FLOAT, Adapters, Load
from training.planning.device import GIB, Device, device_here, free_disk
from training.planning.launched import launched, processes
from training.planning.memory import Counts, Memory, Plan, Sharding, flops, memory, meta_model

MIB = 2**20
SHARE, EXTRACTOR_SHARE = 0.35, 0.05
"""The part of the rate of large matrix products that a training step reaches, and the motion extractor, whose layers
are thin, where it was not timed: so measured on a CPU (benchmarks/training.py); on a GPU it is a guess."""
CHARACTERS = 3
"""Characters a token, at least: English has about four."""
DRAWN = 32
"""Samples of a stage, evenly spaced, whose FLOPs stand for all."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Over what a model is spread: how many processes, what they share out, and the type of what does not learn.

    `frozen` is bfloat16 where `bf16` is on and released weights are loaded so. `deepspeed` says that snapshots are its
    own, which hold every weight.
    """

    frozen: Literal["float32", "bfloat16"] = "float32"
    processes: int = 1
    sharding: Sharding = "none"
    deepspeed: bool = False


ALONE = Spread()


class StageForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage takes of each process; `advice` says what would make it fit, where it does not."""

    name: str
    samples: int
    steps: int
    tokens: int
    memory: Memory
    hours: float | None
    advice: list[str] = []


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """What a run takes, and what is there. Sizes are bytes; `disk_free` is None where that is not known."""

    device: Device
    processes: int
    stages: list[StageForecast]
    disk: int
    disk_free: int | None

    @property
    def hours(self) -> float | None:
        """Give the hours of all stages."""
        known = [stage.hours for stage in self.stages]
        return None if None in known else sum(hours for hours in known if hours is not None)

    def problems(self) -> list[str]:
        """Say what cannot be: weights, gradients and states that do not fit, or files."""
        found = []
        for stage in self.stages:
            if self.device.free is not None and stage.memory.fixed > self.device.free:
                found.append(
                    f"stage {stage.name!r}: weights, gradients and optimiser alone take {size(stage.memory.fixed)}, "
                    f"{self.device.name} has {size(self.device.free)} free{_or(stage.advice)}"
                )
        if self.disk_free is not None and self.disk > self.disk_free:
            found.append(f"the run writes {size(self.disk)} of files, the disk has {size(self.disk_free)} free")
        return found

    def warnings(self) -> list[str]:
        """Say what may not be: a peak, by formula, above what is free."""
        free = self.device.free
        return [
            f"stage {stage.name!r}: about {size(stage.memory.peak)} at its peak, {self.device.name} has {size(free)} "
            f"free{_or(stage.advice)}"
            for stage in self.stages
            if free is not None and stage.memory.fixed <= free < stage.memory.peak
        ]

    def lines(self) -> list[str]:
        """Say it in a few lines: what is taken of what is there, and what may go wrong."""
        fullest = max(self.stages, key=lambda stage: stage.memory.peak)
        free = "" if self.device.free is None else f", {size(self.device.free)} free on {self.device.name}"
        each = f" for each of {self.processes} processes" if self.processes > 1 else ""
        told = [f"memory: about {size(fullest.memory.peak)}{each}, in stage {fullest.name}{free}"]
        free = "" if self.disk_free is None else f", {size(self.disk_free)} free"
        told.append(f"disk: {size(self.disk)}{free}")
        if self.hours is not None:
            told.append(f"time: about {_duration(self.hours)}, an estimate from FLOPs and the speed of matrix products")
        return told + [f"warning: {line}" for line in self.warnings()]

    def require(self) -> None:
        """Raise CallError when the run cannot be, with what would make it possible."""
        if problems := self.problems():
            raise CallError("; ".join(problems))


def preflight(
    recipe: TrainRecipe,
    config: MotionConfig,
    work: Sequence[tuple[TrainStage, Sequence[Located]]],
    *,
    out: Path,
    device: Device | None = None,
    spread: Spread = ALONE,
) -> Preflight:
    """Foretell a run: `work` are its stages with their samples, `out` the checkpoint folder to be.

    Without `device` the one at hand is asked, and timed for a second.
    """
    extracts = config.motion_extractor == "slowfast" and recipe.cache is None
    device = device or device_here(bf16=recipe.bf16, extracts=extracts)
    on = _On(config, meta_model(config), device)
    stages = [
        _forecast(stage, [located.sample for located in samples], recipe, spread, on)
        for stage, samples in work
        if samples
    ]
    return Preflight(
        device=device,
        processes=spread.processes,
        stages=stages,
        disk=_disk(recipe, stages, spread) + _kept_vision(recipe, config, work, spread),
        disk_free=free_disk(out),
    )


def plan_of(stage: TrainStage, recipe: TrainRecipe, load: Load, spread: Spread = ALONE) -> Plan:
    """Say a stage of a recipe as a plan for its memory."""
    lora = recipe.lora
    return Plan(
        parts=tuple(stage.train),
        load=load,
        frozen=spread.frozen if recipe.bf16 else "float32",
        bf16=recipe.bf16,
        gradient_checkpointing=recipe.gradient_checkpointing,
        accumulate=stage.accumulate,
        adapters=Adapters(rank=lora.rank, dropout=lora.dropout, head=lora.head) if lora else None,
        bits=lora.bits if lora else None,
        processes=spread.processes,
        sharding=spread.sharding,
    )


def longest_load(samples: Iterable[Sample], config: MotionConfig, **known: Any) -> Load:
    """Give the load of the sample that makes most tokens; `known` are Load's other fields."""
    return max((load_of(sample, **known) for sample in samples), key=lambda load: load.tokens(config))


def load_of(sample: Sample, **known: Any) -> Load:
    """Give the load of a sample, from what it states."""
    videos = [media for media in sample.media if media.kind == "video"]
    said = {"user": 0, "assistant": 0}
    for turn in sample.turns:
        said[turn.role] = said.get(turn.role, 0) + len(turn.text) // CHARACTERS + 4
    return Load(
        key_frames=sum(media.key_frames for media in videos),
        images=len(sample.media) - len(videos),
        motion_frames=sum(media.motion_frames for media in videos),
        text=sum(said.values()),
        answers=said["assistant"],
        **known,
    )


class _On(NamedTuple):
    """Which model is trained on which device; the model has no memory."""

    config: MotionConfig
    model: Any
    device: Device


def _forecast(stage: TrainStage, samples: list[Sample], recipe: TrainRecipe, spread: Spread, on: _On) -> StageForecast:
    known: dict[str, Any] = {
        "cached": recipe.cache is not None and "motion" not in stage.train,
        "kept_vision": recipe.keep_vision and "vision" not in stage.train,
    }
    load = longest_load(samples, on.config, batch=stage.batch, **known)
    plan = plan_of(stage, recipe, load, spread)
    counts = Counts(on.model, plan)
    found = memory(on.config, plan, counts)
    together = stage.batch * stage.accumulate * spread.processes
    steps = stage.steps or -(-int(len(samples) * (stage.epochs or 1)) // together)
    hours = None
    if on.device.rate:
        loads = [load_of(sample, **known) for sample in samples[:: -(-len(samples) // DRAWN)]]
        each = [
            seconds(flops(on.config, msgspec.structs.replace(plan, load=load), counts), on.device) for load in loads
        ]
        hours = steps * stage.batch * stage.accumulate * sum(each) / len(each) / 3600
    tight = on.device.free is not None and found.peak > on.device.free
    return StageForecast(
        name=stage.name,
        samples=len(samples),
        steps=steps,
        tokens=load.tokens(on.config),
        memory=found,
        hours=hours,
        advice=_advice(plan, on, stepped=recipe.step is not None) if tight else [],
    )


def seconds(operations: tuple[int, int], device: Device) -> float:
    """Estimate the time of so many FLOPs, of which some are the motion extractor's, on a device of known rate."""
    assert device.rate is not None
    every, extraction = operations
    extracting = device.extractor_rate or EXTRACTOR_SHARE * device.rate
    return (every - extraction) / (SHARE * device.rate) + extraction / extracting


def _advice(plan: Plan, on: _On, *, stepped: bool) -> list[str]:
    """List single changes, and then pairs of them, after which the plan fits: those that cost least come first.

    Where the recipe says how many samples a step has (`stepped`), what is gathered follows from the batch.
    """
    assert on.device.free is not None
    half, small = plan.load.batch // 2, Adapters(rank=16)
    changes: dict[str, dict[str, Any]] = {}
    if not plan.bf16:
        changes["bf16: true"] = {"bf16": True}
    if half:
        smaller = {"load": replace(plan.load, batch=half), "accumulate": 2 * plan.accumulate}
        more = "" if stepped else f" with accumulate: {2 * plan.accumulate}"
        changes[f"batch: {half}{more}"] = smaller
    if not plan.gradient_checkpointing:
        changes["gradient_checkpointing: true"] = {"gradient_checkpointing": True}
    if plan.adapters is None:
        changes["lora: {rank: 16}"] = {"adapters": small}
        changes["lora: {rank: 16, bits: 4}"] = {"adapters": small, "bits": 4}
    elif plan.bits is None:
        changes["lora: {bits: 4}"] = {"bits": 4}
    changes["8 processes with FSDP"] = {"processes": 8 * plan.processes, "sharding": "zero3"}
    single = [{name: change} for name, change in changes.items()]
    pairs = [{a: changes[a], b: changes[b]} for a in changes for b in changes if a < b and a[:4] != b[:4]]
    fitting: list[tuple[str, ...]] = []
    for choice in [*single, *pairs]:
        if any(set(choice) >= set(known) for known in fitting):
            continue
        merged = {key: value for change in choice.values() for key, value in change.items()}
        changed = msgspec.structs.replace(plan, **merged)
        if memory(on.config, changed, Counts(on.model, changed)).peak <= on.device.free:
            fitting.append(tuple(choice))
    return [" and ".join(names) for names in fitting[:3]]


def _disk(recipe: TrainRecipe, stages: Sequence[StageForecast], spread: Spread) -> int:
    """Count the bytes that are there at once: snapshots are written beside the one before, then that goes."""
    done = most = 0
    for stage in stages:
        learned = stage.memory.learning * FLOAT
        snapshot = 3 * learned
        if spread.deepspeed:
            # The model as it computes, ZeRO-2 what is frozen twice, and what learns in float32 besides.
            frozen = stage.memory.parameters - stage.memory.learning
            computed = stage.memory.parameters + frozen * (spread.sharding == "zero2")
            snapshot += learned + computed * (2 if recipe.bf16 else FLOAT)
        snapshots = min(2, (stage.steps - 1) // recipe.save_every) * snapshot
        most = max(most, done + snapshots + learned * (recipe.watch is not None) + learned)
        done += learned
    whole = done
    if stages and (recipe.lora is None or recipe.lora.merge):
        parameters = max(stage.memory.parameters for stage in stages)
        learning = min(parameters, sum(stage.memory.learning for stage in stages))
        whole = learning * FLOAT + (parameters - learning) * _frozen_bytes(recipe, spread)
    return max(most, done + whole)


def _kept_vision(
    recipe: TrainRecipe,
    config: MotionConfig,
    work: Sequence[tuple[TrainStage, Sequence[Located]]],
    spread: Spread,
) -> int:
    """Count the bytes of what the vision tower says of every picture that is shown while it does not learn."""
    if not recipe.keep_vision or not isinstance(config, VQA2Config):
        return 0
    media = {
        (shown.sha256, shown.path): shown.key_frames
        for stage, samples in work
        if "vision" not in stage.train
        for located in samples
        for shown in located.sample.media
    }
    learns = any("vision" in stage.train for stage, samples in work if samples)
    number = FLOAT if learns else _frozen_bytes(recipe, spread)
    return sum(media.values()) * config.patches * int(config.vision_config.hidden_size) * number


def _frozen_bytes(recipe: TrainRecipe, spread: Spread) -> int:
    """Give the bytes of a weight that does not learn."""
    return 2 if recipe.bf16 and spread.frozen == "bfloat16" else FLOAT


def spread_here(frozen: Literal["float32", "bfloat16"]) -> Spread:
    """Say how this process shares the model with others: as it was launched."""
    ways: dict[str, Sharding] = {"fsdp": "zero3", "zero3": "zero3", "zero2": "zero2"}
    way = launched()
    return Spread(
        frozen=frozen, processes=processes(), sharding=ways.get(way, "none"), deepspeed=way.startswith("zero")
    )


def _duration(hours: float) -> str:
    minutes = hours * 60
    if minutes < 1.5:
        return "a minute"
    return (
        f"{minutes:.0f} minutes" if minutes < 100 else f"{hours:.0f} hours" if hours < 100 else f"{hours / 24:.0f} days"
    )


def size(count: float) -> str:
    """Write a number of bytes."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"


def _or(advice: list[str]) -> str:
    return f"; it would fit with {', or '.join(advice)}" if advice else ""
