"""`vqa2 train`, `score`, `eval` and `features`. torch is imported inside the commands only: --help stays instant."""

from __future__ import annotations

import csv
import difflib
import importlib.util
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

import training.command_benchmark
from dataset_builder.progress import progress_bar
from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.recipe import TrainRecipe, load
from schemas.record import SPLITS
from training.converting.command import convert_command

if TYPE_CHECKING:
    from schemas.lock import MetricReport
    from training.checkpoint import Checkpoint
    from training.features import FeatureCache
    from training.score import Row

CacheOption = Annotated[
    Path | None, typer.Option("--cache", help="Read motion features from this folder of `vqa2 features`.")
]

MOST_NAMED = 3
"""Words that a command line in a message repeats at most."""
NEEDED = ("torch", "transformers", "accelerate")


def mount(app: typer.Typer) -> None:
    """Add the commands of this package."""
    app.command("train")(train_command)
    app.command("score")(score_command)
    app.command("eval")(eval_command)
    app.command("features")(features_command)
    app.command("convert")(convert_command)
    training.command_benchmark.mount(app)


def train_command(
    recipe: Annotated[Path, typer.Argument(help="A training recipe (YAML).")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value, over the recipe's own.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the training record as JSON.")] = False,
) -> None:
    """Train the VQA² model on a corpus, stage by stage, and write a checkpoint folder."""
    given = load(recipe, TrainRecipe, overrides or [])
    _require_torch()
    from training.train import train

    record = train(given, recipe.parent)
    if as_json:
        _print_json(record)
        return
    for stage in record["stages"]:
        loss = f", loss {stage['loss_first_tenth']:.3f} -> {stage['loss_last_tenth']:.3f}" if stage["steps"] else ""
        _print(f"{stage['name']}: {stage['samples']} samples, {stage['steps']} steps{loss}")
    _print(f"checkpoint: {recipe.parent / given.out}")


def score_command(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train`.")],
    clips: Annotated[list[Path], typer.Argument(help="Videos, images, or folders of them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list of all rows.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="Write the rows to a CSV file.")] = None,
    cache: CacheOption = None,
) -> None:
    """Score clips from 0 (worst) to 1 (best). Exit code 1 when a clip could not be scored."""
    files = _files(clips)
    checkpoint = _loaded(model)
    from training.score import score_clips

    kept = _feature_cache(cache, checkpoint, model, clips) if cache else None
    rows = []
    with progress_bar() as progress:
        scored = score_clips(checkpoint, files, cache=kept)
        for row in progress.track(scored, total=len(files), description="score"):
            rows.append(row)
    if out:
        _write_csv(out, rows)
    if as_json:
        _print_json([_plain(row) for row in rows])
    else:
        for row in rows:
            _print(f"{row.clip}: {f'error: {row.error}' if row.score is None else f'{row.score:.4f}'}")
    failed = sum(row.score is None for row in rows)
    Console(stderr=True, highlight=False).print(f"{len(rows) - failed} scored, {failed} failed, {len(rows)} given")
    if failed:
        raise typer.Exit(1)


def eval_command(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train`.")],
    corpus: Annotated[Path, typer.Argument(help="A corpus folder of `vqa2 build`.")],
    config: Annotated[str, typer.Option("--config", help="Which config of the corpus.")] = "stage2-ugc",
    split: Annotated[str, typer.Option("--split", help="Which split.")] = "test",
    media_root: Annotated[Path | None, typer.Option("--media-root", help="Where its clips lie, if elsewhere.")] = None,
    controls: Annotated[bool, typer.Option("--controls", help="Also score what a result must beat.")] = False,
    lock: Annotated[Path | None, typer.Option("--lock", help="Refuse a split that is not this benchmark.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write the report that `vqa2 compare` reads.")] = None,
    cache: CacheOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Correlate scores with the corpus's MOS: SRCC, and PLCC without a logistic fit.

    Exit code 1 when a sample could not be scored.
    """
    wanted = next((known for known in SPLITS if known == split), None)
    if wanted is None:
        raise CallError(f"no split is called {split!r}; there are: {', '.join(SPLITS)}")
    if out and (out.is_dir() or corpus.resolve() in out.resolve().parents):
        raise CallError(f"{str(out)!r} is a folder or lies inside the corpus: name a file elsewhere")
    from dataset_builder.locks import read_lock, write_report

    held_to = read_lock(lock) if lock else None
    checkpoint = _loaded(model)
    from training.evaluate import evaluate

    asked = [corpus, "--media-root", media_root] if media_root else [corpus]
    kept = _feature_cache(cache, checkpoint, model, asked) if cache else None
    report = evaluate(
        checkpoint,
        corpus,
        config,
        wanted,
        media_root or corpus,
        controls=controls,
        lock=held_to,
        called=model.resolve().name,
        cache=kept,
    )
    if out:
        write_report(out, report)
    if as_json:
        _print_json(_plain_report(report))
    else:
        _print_report(report)
    if report.not_scored:
        raise typer.Exit(1)


def features_command(
    clips: Annotated[list[Path], typer.Argument(help="A corpus folder, or videos, images and folders of them.")],
    out: Annotated[Path, typer.Option("--out", help="The cache folder; what it holds already is not redone.")],
    model: Annotated[Path | None, typer.Option("--model", help="Of this checkpoint's motion extractor.")] = None,
    preset: Annotated[
        str | None, typer.Option("--preset", help="Of the extractor that this preset starts with.")
    ] = None,
    key_frames: Annotated[bool, typer.Option("--key-frames", help="Keep small key frames too: no decoding.")] = False,
    media_root: Annotated[Path | None, typer.Option("--media-root", help="Where the corpus's clips lie.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores, or 4 a GPU).")] = None,
    part: Annotated[str | None, typer.Option(help="I/N: do the I-th of N shares of the work, and stop.")] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    engine: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    ray_address: Annotated[str | None, typer.Option(help="The cluster's head, HOST:PORT, or auto.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Compute motion features once per clip, for `train`, `score` and `eval` to read. Goes on where it was cut short.

    Exit code 1 when a clip could not be read.
    """
    if (model is None) == (preset is None):
        raise CallError("say whose features: --model CHECKPOINT or --preset NAME")
    corpora = [clip for clip in clips if (clip / "manifest.json").is_file()]
    if corpora and len(clips) > 1:
        raise CallError(f"{corpora[0]}: give one corpus alone, or clips and folders of clips")
    if media_root and not corpora:
        raise CallError("--media-root is for a corpus")
    files = [] if corpora else _files(clips)
    _require_torch()
    from dataset_builder.engine.choice import engine_of, part_of
    from dataset_builder.progress import tracker
    from training.precompute import Model, clips_of_corpus, clips_of_files, fill
    from training.start import quiet

    quiet()
    share = part_of(part) if part else None
    whose = Model(model, preset)
    whose.extractor()  # a model that is not there is told before clips are hashed
    failed: list[tuple[str, str]] = []
    # Left to itself, one machine runs as many processes as its GPUs take.
    runs_on = engine_of(engine, workers=workers, address=ray_address) if workers or engine != "local" else None
    with tracker() as track:
        if corpora:
            found = clips_of_corpus(corpora[0], media_root or corpora[0])
        else:
            found, failed = clips_of_files(out, files, engine=runs_on, track=track)
        filled = fill(
            out,
            found,
            whose,
            key_frames=key_frames,
            engine=runs_on,
            part=share,
            retry_failed=retry_failed,
            track=track,
        )
    failed += filled.failed
    if as_json:
        told = {"clips": filled.clips, "known": filled.known, "done": filled.done, "packed": filled.packed}
        _print_json({**told, "complete": filled.complete, "failed": [{"clip": c, "error": e} for c, e in failed]})
    else:
        for clip, error in failed:
            _print(f"{clip}: error: {error}")
        _print(f"{filled.clips} clips: {filled.known} known, {filled.done} done, {len(failed)} failed")
        if share:
            _print(f"Part {part}: done. When all parts are, run once without --part, which packs.")
    if failed:
        raise typer.Exit(1)


def _feature_cache(root: Path, checkpoint: Checkpoint, model: Path, clips: Sequence[object]) -> FeatureCache:
    from training.features import FeatureCache

    named = clips if len(clips) <= MOST_NAMED else ["CLIPS"]
    remedy = shlex.join(map(str, ["vqa2", "features", *named, "--model", model, "--out", root]))
    return FeatureCache(root, checkpoint.config, checkpoint.model.model.motion_extractor, remedy)


def _plain_report(report: MetricReport) -> dict[str, Any]:
    """Give the report without the lock's list of clips, and without controls that were not asked for."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(report)
    return {key: value for key, value in plain.items() if key != "lock" and value is not None}


def _print_report(report: MetricReport) -> None:
    _print(f"{report.config}/{report.split}: SRCC and PLCC (no logistic fit) against MOS")
    _print(f"benchmark {report.benchmark}")
    for name, found in report.metrics().items():
        numbers = f"SRCC {_number(found.srcc)}  PLCC {_number(found.plcc)}"
        _print(f"  {name.replace('_', ' '):13} {numbers}  n {found.n} of {report.n_expected}")
    for error in report.errors:
        _print(f"  not scored: {error}")


def _number(value: float | None) -> str:
    return "undefined (constant scores)" if value is None else f"{value:+.3f}"


def _loaded(model: Path) -> Checkpoint:
    _require_torch()
    import torch

    from training.checkpoint import load_checkpoint
    from training.start import device, quiet

    quiet()
    checkpoint = load_checkpoint(model)
    if checkpoint.block.preset.threads:
        torch.set_num_threads(checkpoint.block.preset.threads)
    checkpoint.model.to(device())
    return checkpoint


def _require_torch() -> None:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise CallError(
            f'{missing[0]} is not installed: pip install "vqa2[train]". On a machine without a GPU first take the CPU '
            "build of PyTorch: pip install torch --index-url https://download.pytorch.org/whl/cpu"
        )


def _files(clips: list[Path]) -> list[Path]:
    """List the files of clips and folders, in order. Raises CallError for one that is not there, or an empty folder."""
    return [file for clip in clips for file in _files_of(clip)]


def _files_of(clip: Path) -> Iterator[Path]:
    from dataset_builder.video import CLIP_SUFFIXES

    if clip.is_dir():
        files = sorted(p for p in clip.rglob("*") if p.is_file())
        found = [p for p in files if p.suffix.lower() in CLIP_SUFFIXES]
        if others := len(files) - len(found):
            console = Console(stderr=True, highlight=False)
            console.print(f"{clip}: {others} other files are no clips by their suffix; name one to have it scored")
        if not found:
            raise CallError(f"{clip}: no videos or images in this folder")
        yield from found
    elif clip.exists():
        yield clip
    else:
        siblings = [p.name for p in clip.parent.iterdir()] if clip.parent.is_dir() else []
        near = difflib.get_close_matches(clip.name, siblings, 1)
        raise CallError(f"{clip}: no such clip" + (f"; did you mean {str(clip.with_name(near[0]))!r}?" if near else ""))


def _plain(row: Row) -> dict[str, Any]:
    levels = dict(zip(LEVELS, row.probabilities, strict=True)) if row.probabilities else None
    return {"clip": row.clip, "score": row.score, "levels": levels, "error": row.error}


def _write_csv(path: Path, rows: list[Row]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip", "score", *LEVELS, "error"])
        for row in rows:
            levels: Sequence[float | None] = row.probabilities or [None] * len(LEVELS)
            writer.writerow([row.clip, row.score, *levels, row.error])


def _print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _print(line: str) -> None:
    sys.stdout.write(line + "\n")
