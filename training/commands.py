"""`vqa2 train`, `vqa2 score` and `vqa2 eval`. torch is imported inside the commands only: --help stays instant."""

from __future__ import annotations

import csv
import difflib
import importlib.util
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dataset_builder.progress import progress_bar
from schemas.errors import CallError
from schemas.levels import LEVELS
from schemas.recipe import TrainRecipe, load
from schemas.record import SPLITS

if TYPE_CHECKING:
    from schemas.lock import MetricReport
    from training.checkpoint import Checkpoint
    from training.score import Row

NEEDED = ("torch", "transformers", "accelerate")


def mount(app: typer.Typer) -> None:
    """Add the commands of this package."""
    app.command("train")(train_command)
    app.command("score")(score_command)
    app.command("eval")(eval_command)


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
) -> None:
    """Score clips from 0 (worst) to 1 (best). Exit code 1 when a clip could not be scored."""
    files = _files(clips)
    checkpoint = _loaded(model)
    from training.score import score_clips

    rows = []
    with progress_bar() as progress:
        for row in progress.track(score_clips(checkpoint, files), total=len(files), description="score"):
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

    report = evaluate(
        checkpoint,
        corpus,
        config,
        wanted,
        media_root or corpus,
        controls=controls,
        lock=held_to,
        called=model.resolve().name,
    )
    if out:
        write_report(out, report)
    if as_json:
        _print_json(_plain_report(report))
    else:
        _print_report(report)
    if report.not_scored:
        raise typer.Exit(1)


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
