"""What a recipe trains on, stage by stage, and what of a recipe cannot be: known before any weights are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from dataset_builder.corpus import Located, corpus_configs, read_samples
from schemas.errors import CallError
from schemas.recipe import TrainRecipe, TrainStage
from training.checkpoints.preset import Preset
from training.inputs.dataset import shows
from training.models.config import MotionConfig, VQA2Config
from training.planning.launched import changes_the_model

Work = list[tuple[TrainStage, list[Located]]]
"""Stages in order, with their samples; a stage of the preset's may have none."""


def work_of(recipe: TrainRecipe, preset: Preset, corpus: Path, processes: int = 1) -> Work:
    """List the stages with their samples, as so many processes train them.

    A recipe's own stage must find samples; the preset's schedule names every config there is, and takes what is there.
    Raises CallError when nothing is left to train on, or the recipe asks for what cannot be.
    """
    known = corpus_configs(corpus)
    work = []
    for stage in _stages(recipe, preset, processes):
        configs = stage.configs if recipe.stages else [c for c in stage.configs if c in known]
        found = [located for config in configs for located in read_samples(corpus, config, recipe.split)]
        samples = [located for located in found if shows(located.sample, stage.media)]
        if recipe.stages and not samples:
            what = "samples" if stage.media == "all" else f"samples of {stage.media}s alone"
            raise CallError(f"stage {stage.name!r}: {', '.join(configs)} has no {what} in the split {recipe.split!r}")
        work.append((stage, samples))
    if not any(samples for _, samples in work):
        raise CallError(f"{corpus}: no samples in the split {recipe.split!r} of the configs that the preset trains on")
    if recipe.keep_vision and not any(samples and "vision" not in stage.train for stage, samples in work):
        raise CallError("keep_vision: every stage trains the vision tower, whose output changes at every step")
    return work


def _stages(recipe: TrainRecipe, preset: Preset, processes: int) -> list[TrainStage]:
    """List the stages, with what the recipe says over all of them: whether the extractor learns, and of a step."""
    found = []
    for stage in recipe.stages or preset.stages:
        changes: dict[str, Any] = {}
        if recipe.motion is not None:
            learns = recipe.motion.train and "motion_projector" in stage.train
            parts = [part for part in stage.train if part != "motion"]
            changes["train"] = [*parts, *(["motion"] if learns else [])]
        if recipe.step is not None:
            changes["accumulate"], left = divmod(recipe.step, stage.batch * processes)
            if left or recipe.step < stage.batch * processes:
                raise CallError(
                    f"step: stage {stage.name!r} takes batches of {stage.batch} in each of {processes} processes, of "
                    f"which {recipe.step} samples is no multiple"
                )
        found.append(msgspec.structs.replace(stage, **changes))
    return found


def learnable(work: Work, config: MotionConfig) -> Work:
    """Leave out, for a model that reads no motion, what its stages say of motion; a stage of nothing else is empty."""
    if config.reads_motion:
        return work
    found = []
    for stage, samples in work:
        parts = [part for part in stage.train if part not in {"motion", "motion_projector"}]
        found.append((msgspec.structs.replace(stage, train=parts), samples if parts else []))
    return found


def refuse(recipe: TrainRecipe, config: MotionConfig, work: Work) -> None:
    """Raise CallError for what this model, or the way in which processes share it, cannot do."""
    if recipe.motion and recipe.motion.train and config.motion_extractor != "slowfast":
        raise CallError("motion: this model measures motion by rule, or not at all, so there is no extractor to train")
    learns = recipe.motion is None or recipe.motion.train
    if recipe.cache and learns and config.motion_extractor == "slowfast":
        raise CallError(
            "cache: of a motion extractor that learns, features change at every step; say `motion: {train: false}`, or "
            "train without a cache"
        )
    if recipe.watch and not any(samples and recipe.watch.config in stage.configs for stage, samples in work):
        trained = sorted({name for stage, samples in work if samples for name in stage.configs})
        raise CallError(
            f"watch: no stage trains on {recipe.watch.config!r}, so it would never be scored; watch one of "
            f"{', '.join(trained)}, or leave it out"
        )
    if recipe.keep_vision and not isinstance(config, VQA2Config):
        raise CallError(f"keep_vision: a tower of {config.backbone} mixes the pictures that it is shown; leave it out")
    if not changes_the_model():
        return
    # What would wait for ever, or compute something else, in a model that is in parts.
    if recipe.keep_vision:
        raise CallError("keep_vision: in a sharded model all processes compute each picture; launch ddp, or leave it")
    if recipe.lora and recipe.lora.bits:
        raise CallError("lora: weights in 4 bits are not sharded; launch ddp, or leave out bits")
