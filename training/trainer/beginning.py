"""What a run begins with: a checkpoint or an untrained model, adapters put on it, and the cache that it reads."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import torch

from dataset_builder.corpus import corpus_configs, read_samples
from schemas.errors import DataError
from schemas.recipe import TrainRecipe
from training.checkpoints.checkpoint import Base, Block, Checkpoint, identity, load_checkpoint, scoring_of
from training.checkpoints.preset import Preset
from training.checkpoints.start import initial_model, initial_tokens, model_config
from training.inputs.conversation import without_motion
from training.inputs.features import FeatureCache
from training.planning.stage_work import Work
from training.planning.starting_point import preset_path
from training.trainer.run_folder import LEARNED, StageFolder, lay_over
from training.trainer.sharding import let_go


@dataclass(frozen=True)
class Beginning:
    """Makes the model that a recipe begins with, as often as it is asked: the same each time."""

    recipe: TrainRecipe
    base: Path
    preset: Preset
    work: Work

    def model(self) -> Checkpoint:
        """Make it, adapters and all. Raises CallError when weights cannot be had, or cannot be adapted."""
        bits = self.recipe.lora.bits if self.recipe.lora else None
        given = load_checkpoint(self.base / self.recipe.model, bits) if self.recipe.model else self._untrained()
        return self._adapted(given) if self.recipe.lora else given

    def after(self, places: Sequence[StageFolder]) -> Checkpoint:
        """Make the model again, as the finished stages have left it, where a sharded stage left it in parts."""
        let_go()
        checkpoint = self.model()
        for place in places:
            if place.record():
                lay_over(checkpoint.model, place.folder / LEARNED)
        return checkpoint

    def _untrained(self) -> Checkpoint:
        recipe, preset, corpus = self.recipe, self.preset, self.base / self.recipe.corpus

        def texts() -> Iterable[str]:
            for config in corpus_configs(corpus):
                for located in read_samples(corpus, config, recipe.split):
                    yield from (turn.text for turn in located.sample.turns)

        tokens = initial_tokens(preset, texts())
        bits = recipe.lora.bits if recipe.lora else None
        model = initial_model(preset, model_config(preset, tokens), recipe.seed, bits)
        scoring = scoring_of(tokens)
        if not model.config.reads_motion:  # it is asked for a score as the samples ask, and not in the short words
            unmoved = without_motion(scoring.video_prompt)
            scoring = msgspec.structs.replace(scoring, video_prompt_without_motion=unmoved)
        return Checkpoint(model, tokens, Block(scoring=scoring, preset=preset, seed=recipe.seed))

    def _adapted(self, given: Checkpoint) -> Checkpoint:
        """Put adapters on the model: the same for the same seed."""
        from training.checkpoints.adapters import add_adapters

        recipe, base = self.recipe, self.base
        assert recipe.lora is not None
        torch.manual_seed(recipe.seed)
        parts = sorted({part for stage, samples in self.work if samples for part in stage.train})
        adapted = add_adapters(given.model, recipe.lora, parts)
        named = None
        if recipe.model:
            path = os.path.relpath(base / recipe.model, base / recipe.out)
            named = Base(path=path, weights=identity(base / recipe.model), bits=recipe.lora.bits)
        return replace(given, adapted=adapted, block=msgspec.structs.replace(given.block, base=named))


def cache_of(recipe: TrainRecipe, base: Path, checkpoint: Checkpoint, work: Work) -> FeatureCache:
    """Open the recipe's cache, and find out before anything is trained whether it holds what will be read.

    Raises CallError where there is no such folder, DataError where features are missing.
    """
    extractor = checkpoint.model.model.motion_extractor
    whose = ["--model", base / recipe.model] if recipe.model else ["--preset", preset_path(recipe.preset, base)]
    where = ["--media-root", base / recipe.media_root] if recipe.media_root else []
    command = ["vqa2", "features", base / recipe.corpus, *whose, *where, "--out", base / (recipe.cache or "")]
    cache = FeatureCache(base / (recipe.cache or ""), checkpoint.config, extractor, shlex.join(map(str, command)))
    shown = [media for _, samples in work for located in samples for media in located.sample.media]
    wanted = {m.sha256: m.path for m in shown if m.motion_frames and checkpoint.config.reads_motion}
    if missing := [path for sha256, path in wanted.items() if sha256 not in cache]:
        others = f"{missing[0]} and {len(missing) - 1} more of {len(wanted)} clips" if missing[1:] else missing[0]
        raise DataError(cache.missing(f"the motion features of {others} are"))
    return cache
