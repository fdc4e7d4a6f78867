"""Training: the stages of a recipe, one after the other, with Hugging Face's Trainer."""

from __future__ import annotations

import hashlib
import math
import shlex
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from rich.progress import Progress
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from dataset_builder.corpus import Located, corpus_configs, read_samples
from dataset_builder.progress import ERROR_CONSOLE, progress_bar
from schemas.errors import CallError, DataError
from schemas.recipe import TrainRecipe, TrainStage, digest, plain
from training.checkpoint import Block, Checkpoint, load_checkpoint, save_checkpoint, scoring_of
from training.conversation import NO_LOSS
from training.dataset import Collator, SampleDataset, shows
from training.features import FeatureCache
from training.feeds import FeedReader
from training.preset import Preset, load_preset
from training.schedule import freeze_but, optimizer
from training.start import initial_model, initial_tokens, model_config, quiet


def train(recipe: TrainRecipe, base: Path) -> dict[str, Any]:
    """Train by a recipe whose paths are relative to `base`, write the checkpoint folder, and give its record.

    Raises CallError for a recipe that cannot be run, DataError naming the sample that cannot be shown or the batch
    whose loss is no number.
    """
    out, corpus = base / recipe.out, base / recipe.corpus
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CallError(f"{out}: already there; remove it, or give another folder with out=FOLDER")
    quiet()
    known = corpus_configs(corpus)
    given = load_checkpoint(base / recipe.model) if recipe.model else None
    preset = given.block.preset if given else load_preset(_preset_path(recipe.preset, base))
    torch.set_num_threads(recipe.threads or preset.threads or torch.get_num_threads())
    work = _plan(recipe, preset, corpus, known)
    checkpoint = given or _start(recipe, preset, corpus, known)
    media_root = base / (recipe.media_root or recipe.corpus)
    cache = _cache(recipe, base, checkpoint, work) if recipe.cache else None
    feeds = FeedReader(media_root, checkpoint.config, keep=preset.keep_clips, cache=cache)
    done = []
    for stage, samples in work:
        if samples:
            done.append(run_stage(stage, samples, checkpoint, feeds, recipe))
        else:
            ERROR_CONSOLE.print(f"stage {stage.name}: skipped, the corpus has no such samples", highlight=False)
            done.append({"name": stage.name, "samples": 0, "steps": 0})
    manifest = corpus / "manifest.json"
    record = {
        "recipe": plain(recipe),
        "recipe_sha256": digest(recipe),
        "corpus_manifest_sha256": hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.is_file() else None,
        "stages": done,
        "tools": {"torch": str(torch.__version__), "transformers": transformers.__version__},
    }
    save_checkpoint(out, checkpoint, record)
    return record


def _preset_path(preset: str, base: Path) -> str:
    """A preset file of one's own is given relative to the recipe, like every path of it."""
    return str(base / preset) if preset.endswith((".yaml", ".yml")) else preset


def _plan(
    recipe: TrainRecipe, preset: Preset, corpus: Path, known: list[str]
) -> list[tuple[TrainStage, list[Located]]]:
    """List the stages with their samples.

    A recipe's own stage must find samples; the preset's schedule names every config there is, and takes what is there.
    """
    work = []
    for stage in recipe.stages or preset.stages:
        configs = stage.configs if recipe.stages else [c for c in stage.configs if c in known]
        found = [located for config in configs for located in read_samples(corpus, config, recipe.split)]
        samples = [located for located in found if shows(located.sample, stage.media)]
        if recipe.stages and not samples:
            what = "samples" if stage.media == "all" else f"samples of {stage.media}s alone"
            raise CallError(f"stage {stage.name!r}: {', '.join(configs)} has no {what} in the split {recipe.split!r}")
        work.append((stage, samples))
    if not any(samples for _, samples in work):
        raise CallError(f"{corpus}: no samples in the split {recipe.split!r} of the configs that the preset trains on")
    return work


def _start(recipe: TrainRecipe, preset: Preset, corpus: Path, known: list[str]) -> Checkpoint:
    def texts() -> Iterable[str]:
        for config in known:
            for located in read_samples(corpus, config, recipe.split):
                yield from (turn.text for turn in located.sample.turns)

    tokens = initial_tokens(preset, texts())
    scoring = scoring_of(tokens)
    model = initial_model(preset, model_config(preset, tokens), recipe.seed)
    return Checkpoint(model, tokens, Block(scoring=scoring, preset=preset, seed=recipe.seed))


def _cache(
    recipe: TrainRecipe, base: Path, checkpoint: Checkpoint, work: list[tuple[TrainStage, list[Located]]]
) -> FeatureCache:
    """Open the recipe's cache, and find out before anything is trained whether it holds what will be read.

    Raises CallError where the extractor learns or there is no such folder, DataError where features are missing.
    """
    extractor = checkpoint.model.model.motion_extractor
    learning = [stage.name for stage, samples in work if samples and "motion" in stage.train]
    if extractor is not None and learning:
        raise CallError(
            f"cache: stage {learning[0]!r} trains the motion extractor, whose features change at every step; leave "
            "`motion` out of its `train`, or train without a cache"
        )
    whose = ["--model", base / recipe.model] if recipe.model else ["--preset", _preset_path(recipe.preset, base)]
    where = ["--media-root", base / recipe.media_root] if recipe.media_root else []
    command = ["vqa2", "features", base / recipe.corpus, *whose, *where, "--out", base / (recipe.cache or "")]
    cache = FeatureCache(base / (recipe.cache or ""), checkpoint.config, extractor, shlex.join(map(str, command)))
    wanted = {m.sha256: m.path for _, samples in work for s in samples for m in s.sample.media if m.motion_frames}
    if missing := [path for sha256, path in wanted.items() if sha256 not in cache]:
        others = f"{missing[0]} and {len(missing) - 1} more of {len(wanted)} clips" if missing[1:] else missing[0]
        raise DataError(cache.missing(f"the motion features of {others} are"))
    return cache


def run_stage(
    stage: TrainStage, samples: list[Located], checkpoint: Checkpoint, feeds: FeedReader, recipe: TrainRecipe
) -> dict[str, Any]:
    """Train one stage in place and give its record. Raises CallError when none of its parts has parameters."""
    freeze_but(checkpoint.model, stage.train)
    learning = (
        optimizer(checkpoint.model, stage) if any(p.requires_grad for p in checkpoint.model.parameters()) else None
    )
    if learning is None:
        raise CallError(
            f"stage {stage.name!r}: nothing learns: this model has no parameters in {', '.join(stage.train)}"
        )
    dataset = SampleDataset(samples, feeds, checkpoint.config, checkpoint.tokens)
    with tempfile.TemporaryDirectory() as scratch, progress_bar() as progress:
        trainer = StageTrainer(
            stage=stage.name,
            lengths=dataset.lengths(),
            model=checkpoint.model,
            args=_arguments(stage, recipe, scratch),
            train_dataset=dataset,
            data_collator=Collator(checkpoint.config, checkpoint.tokens, side="right"),
            optimizers=(learning, None),
            callbacks=[_Bar(progress, stage.name)],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    checkpoint.model.eval()
    tenth = max(1, len(trainer.losses) // 10)
    return {
        "name": stage.name,
        "samples": len(samples),
        "steps": int(trainer.state.global_step),
        "loss_first_tenth": sum(trainer.losses[:tenth]) / tenth,
        "loss_last_tenth": sum(trainer.losses[-tenth:]) / tenth,
    }


def _arguments(stage: TrainStage, recipe: TrainRecipe, scratch: str) -> TrainingArguments:
    return TrainingArguments(
        output_dir=scratch,
        max_steps=stage.steps or -1,
        num_train_epochs=stage.epochs or 1,
        per_device_train_batch_size=stage.batch,
        gradient_accumulation_steps=stage.accumulate,
        learning_rate=stage.lr,
        lr_scheduler_type="cosine",
        warmup_steps=stage.warmup,
        seed=recipe.seed,
        bf16=recipe.bf16,
        activation_checkpointing=recipe.gradient_checkpointing,
        dataloader_pin_memory=torch.cuda.is_available(),
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
    )


class StageTrainer(Trainer):  # type: ignore[misc]  # transformers ships no types
    """Trainer that groups samples by stated length and stops at the first loss that is no number, naming the batch."""

    def __init__(self, *, stage: str, lengths: list[int], **kwargs: Any) -> None:
        """Take the stage's name, for messages, and the samples' lengths in tokens."""
        self._stage, self._lengths = stage, lengths
        self.losses: list[float] = []
        super().__init__(**kwargs)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Compute the loss. Raises DataError when it is not finite."""
        names = inputs.pop("names")
        inputs |= answers_only(inputs["labels"])
        result = super().compute_loss(model, inputs, *args, **kwargs)
        loss = float((result[0] if isinstance(result, tuple) else result).detach())
        if not math.isfinite(loss):
            raise DataError(
                f"stage {self._stage}: the loss is {loss} at step {self.state.global_step + 1}, on the batch "
                f"{', '.join(names)}; lower lr, or look at these samples"
            )
        self.losses.append(loss)
        return result

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        del train_dataset
        generator = torch.Generator().manual_seed(self.args.seed)
        sampler: Sampler[int] = LengthGroupedSampler(
            self.args.train_batch_size, lengths=self._lengths, generator=generator
        )
        return sampler


def answers_only(labels: torch.Tensor) -> dict[str, torch.Tensor]:
    """Have logits computed only where some sample of the batch has an answer: most of a sequence is patches.

    The logits at a position are those of the next token, so labels are moved by one, here instead of in the loss.
    """
    following = torch.nn.functional.pad(labels[:, 1:], (0, 1), value=NO_LOSS)
    kept = (following != NO_LOSS).any(0).nonzero().flatten()
    return {"logits_to_keep": kept, "shift_labels": following[:, kept]}


class _Bar(TrainerCallback):  # type: ignore[misc]  # as above
    def __init__(self, progress: Progress, name: str) -> None:
        self._progress, self._name = progress, name

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._task = self._progress.add_task(f"train {self._name}", total=state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress.update(self._task, completed=state.global_step)
