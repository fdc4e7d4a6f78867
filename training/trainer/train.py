"""Training: the stages of a recipe, one after the other. What is cut short goes on when it is called again."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import torch
import transformers
from safetensors.torch import load_file

from dataset_builder.corpus import Located
from dataset_builder.progress import ERROR_CONSOLE, progress_bar
from schemas.errors import CallError
from schemas.manifest import Manifest
from schemas.recipe import TrainRecipe, TrainStage, digest, plain
from training.checkpoints.checkpoint import Checkpoint, identity, save_checkpoint
from training.checkpoints.schedule import freeze_but, optimizer
from training.checkpoints.start import quiet
from training.fitting import fitting
from training.inputs.ahead import threads
from training.inputs.dataset import Collator, SampleDataset
from training.inputs.feeds import FeedReader
from training.models.vision_memory import remembering
from training.planning.launched import changes_the_model, launched, own_device, process, processes
from training.planning.preflight import preflight, spread_here
from training.planning.stage_work import Work, learnable, refuse, work_of
from training.planning.starting_point import StartingPoint, preset_of, starting_point
from training.trainer.beginning import Beginning, cache_of
from training.trainer.curve import Curve, draw
from training.trainer.run_folder import BEST, LEARNED, RunFolder, StageFolder, lay_over, writing
from training.trainer.stage_trainer import Kept, StageTrainer, arguments
from training.trainer.watching import Watcher, watched

CURVE, PICTURE = "curve.jsonl", "curve.png"


def train(recipe: TrainRecipe, base: Path, *, anyway: bool = False) -> dict[str, Any]:
    """Train by a recipe whose paths are relative to `base`, write the checkpoint folder, and give its record.

    What a run needs to go on lies in OUT.work until the folder is there; called again after it was cut short, it goes
    on, and gives the same bytes. Raises CallError for a recipe that cannot be run, where memory or disk are too small
    for it (`anyway` begins all the same), or where an unfinished run of another one lies; DataError naming the sample
    that cannot be shown or the batch whose loss is no number.
    """
    remedy = "take a smaller batch, bf16, gradient_checkpointing or lora (`vqa2 plan` says what fits)"
    with fitting("training", remedy), writing(base / f"{recipe.out}.work"):
        return _train(recipe, base, anyway=anyway)


def _train(recipe: TrainRecipe, base: Path, *, anyway: bool) -> dict[str, Any]:
    out, corpus = base / recipe.out, base / recipe.corpus
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CallError(f"{out}: already there; remove it, or give another folder with out=FOLDER")
    quiet()
    own_device()
    preset = preset_of(recipe, base)
    torch.set_num_threads(recipe.threads or preset.threads or torch.get_num_threads())
    start = starting_point(recipe, base)
    work = learnable(work_of(recipe, preset, corpus, processes()), start.config)
    refuse(recipe, start.config, work)
    to_watch = watched(recipe.watch, corpus, start.config) if recipe.watch else None
    ERROR_CONSOLE.quiet = process() > 0
    _foresee(recipe, start, work, out, anyway=anyway)
    beginning = Beginning(recipe, base, preset, work)
    checkpoint = beginning.model()
    cache = cache_of(recipe, base, checkpoint, work) if recipe.cache else None
    media_root = base / (recipe.media_root or recipe.corpus)
    feeds = FeedReader(media_root, checkpoint.config, keep=preset.keep_clips, cache=cache)
    watch = Watcher(to_watch, feeds) if to_watch else None
    begun = begun_from(recipe, base)
    run_identity = {**begun, "number_of_processes": processes(), "sharding": launched()}
    run = RunFolder(base / f"{recipe.out}.work", run_identity, writes=process() == 0)
    curve = run.curve()
    places = [run.stage(index, stage.name) for index, (stage, _) in enumerate(work)]
    curve.cut(_reached(places))
    done = []
    for (stage, samples), place in zip(work, places, strict=True):
        if finished := place.record():
            lay_over(checkpoint.model, place.folder / LEARNED)
            ERROR_CONSOLE.print(f"stage {stage.name}: done before", highlight=False)
            done.append(finished)
        elif samples:
            asked = watch if recipe.watch and recipe.watch.config in stage.configs else None
            done.append(run_stage(stage, samples, checkpoint, feeds, recipe, kept=Kept(place, curve), watch=asked))
            if changes_the_model():
                checkpoint = beginning.after(places)
        else:
            ERROR_CONSOLE.print(f"stage {stage.name}: skipped, it has no samples to learn from", highlight=False)
            done.append({"name": stage.name, "samples": 0, "steps": 0})
    curve.close()
    record = {
        "recipe": plain(recipe),
        "samples_a_step": {
            stage.name: min(stage.batch * stage.accumulate * processes(), len(found)) for stage, found in work
        },
        **begun,
        "data": {**_manifest(corpus), "tag": recipe.data},
        "stages": done,
        "processes": processes(),
        "tools": {"torch": str(torch.__version__), "transformers": transformers.__version__},
    }
    if process() == 0:
        if checkpoint.adapted and recipe.lora and recipe.lora.merge:
            from training.checkpoints.adapters import merged

            checkpoint = replace(checkpoint, model=merged(checkpoint.adapted), adapted=None)
        save_checkpoint(out, checkpoint, record, also=lambda folder: _draw(curve, folder))
        run.clear()
    return record


def _foresee(recipe: TrainRecipe, start: StartingPoint, work: Work, out: Path, *, anyway: bool) -> None:
    """Say what the run will take, before any weights are read. Raises CallError where it cannot be."""
    foreseen = preflight(recipe, start.config, work, out=out, spread=spread_here(start.frozen))
    if not anyway:
        foreseen.require()
    for line in [*foreseen.lines(), *(f"warning: {line}" for line in foreseen.problems())]:
        ERROR_CONSOLE.print(line, highlight=False, soft_wrap=True)


def _draw(curve: Curve, folder: Path) -> None:
    if curve.points:
        (folder / CURVE).write_bytes(b"".join(msgspec.json.encode(point) + b"\n" for point in curve.points))
        draw(curve.points, folder / PICTURE)


def run_stage(
    stage: TrainStage,
    samples: list[Located],
    checkpoint: Checkpoint,
    feeds: FeedReader,
    recipe: TrainRecipe,
    *,
    kept: Kept,
    watch: Watcher | None = None,
) -> dict[str, Any]:
    """Train one stage in place and give its record. Raises CallError when none of its parts has parameters."""
    model = checkpoint.model
    freeze_but(model, stage.train)
    _in_full_precision(model, everything=not recipe.bf16)
    learning = optimizer(model, stage) if any(p.requires_grad for p in model.parameters()) else None
    if learning is None:
        raise CallError(
            f"stage {stage.name!r}: nothing learns: this model has no parameters in {', '.join(stage.train)}"
        )
    level_tokens = checkpoint.block.scoring.level_tokens if stage.soft_levels else []
    dataset = SampleDataset(samples, feeds, checkpoint.config, checkpoint.tokens, level_tokens)
    place, curve = kept.place, kept.curve
    with progress_bar() as progress:
        trainer = StageTrainer(
            stage=stage,
            model=checkpoint.adapted or model,
            inner=model,
            learning=learning,
            lengths=dataset.lengths(),
            level_tokens=level_tokens,
            kept=kept,
            progress=progress,
            watch=(lambda: watch(checkpoint)) if watch else None,
            every=recipe.watch.every if recipe.watch else 0,
            readers=threads() if recipe.readers is None else recipe.readers,
            args=arguments(stage, recipe, place.folder),
            train_dataset=dataset,
            data_collator=Collator(checkpoint.config, checkpoint.tokens, side="right"),
        )
        kept_patches = place.folder.parent / "vision"
        if "vision" in stage.train and process() == 0:
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(kept_patches)  # they are of the tower as it was
        with remembering(model, kept_patches if recipe.keep_vision and "vision" not in stage.train else None):
            trainer.go()
    model.eval()
    losses = curve.losses(place.name)
    tenth = max(1, len(losses) // 10)
    record = {
        "name": stage.name,
        "samples": len(samples),
        "steps": int(trainer.state.global_step),
        "loss_first_tenth": sum(losses[:tenth]) / tenth,
        "loss_last_tenth": sum(losses[-tenth:]) / tenth,
    }
    if processes() > 1:
        record["sharding"] = trainer.shares
    if best := place.best():
        learned = load_file(place.folder / BEST)
        record["best"] = {"srcc": best[0], "step": best[1]}
        if not changes_the_model():
            lay_over(model, place.folder / BEST)
    else:
        learned = trainer.learned()
    trainer.accelerator.wait_for_everyone()
    if process() == 0:
        place.finish(learned, record)
    trainer.accelerator.wait_for_everyone()
    return record


def _in_full_precision(model: torch.nn.Module, *, everything: bool) -> None:
    """Keep what learns in float32, or all: steps of a usual rate are below the resolution of 16 bits."""
    for parameter in model.parameters():
        if parameter.dtype in {torch.bfloat16, torch.float16} and (everything or parameter.requires_grad):
            parameter.data = parameter.data.float()


def _reached(places: list[StageFolder]) -> dict[str, int | None]:
    """Say up to which step the curve of each stage holds; None is to its end."""
    reached: dict[str, int | None] = {}
    for place in places:
        if place.record():
            reached[place.name] = None
        elif snapshot := place.snapshot():
            reached[place.name] = int(snapshot.name.rpartition("-")[2])
    return reached


def begun_from(recipe: TrainRecipe, base: Path) -> dict[str, str | None]:
    """Tell a run from others by what it begins with: recipe, preset, corpus, and the weights of its base.

    None is a corpus without a manifest, or no base. Raises CallError where the preset or the base cannot be read.
    """
    preset = msgspec.json.encode(preset_of(recipe, base), order="deterministic")
    return {
        "recipe_sha256": digest(recipe),
        "preset_sha256": hashlib.sha256(preset).hexdigest(),
        "corpus_manifest_sha256": _manifest(base / recipe.corpus)["manifest_sha256"],
        "base_weights": identity(base / recipe.model) if recipe.model else None,
    }


def _manifest(corpus: Path) -> dict[str, Any]:
    """Say which corpus this is, for the record."""
    path = corpus / "manifest.json"
    if not path.is_file():
        return {"name": corpus.resolve().name, "manifest_sha256": None, "terms": None}
    data = path.read_bytes()
    found = msgspec.json.decode(data, type=Manifest)
    return {
        "name": found.name,
        "manifest_sha256": hashlib.sha256(data).hexdigest(),
        "terms": msgspec.to_builtins(found.terms),
    }
