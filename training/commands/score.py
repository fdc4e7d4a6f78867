"""`vqa2 score`. torch is imported inside the command only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dataset_builder.progress import tracker
from training.arguments import CacheOption, feature_cache, loaded, print_json, print_line, require_torch

if TYPE_CHECKING:
    from training.checkpoints.checkpoint import Checkpoint
    from training.inference.score import Row
    from training.inference.score_file import Progress
    from training.inference.score_given import Given
    from training.inputs.features import FeatureCache


MOST_TOLD = 3
"""Clips that a line on standard error names."""


def score_command(
    model: Annotated[Path, typer.Argument(help="A checkpoint folder of `vqa2 train` or `vqa2 convert`.")],
    clips: Annotated[list[Path], typer.Argument(help="Videos, images, folders of them, or tables that name them.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list of all rows.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the rows to a file: .csv, .parquet or .jsonl. Goes on with it.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try again what failed before.")] = False,
    folder: Annotated[
        Path | None, typer.Option("--clips", help="Where the clips of tables lie (default: beside the table).")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--clip-column", help="The tables' column of clip names (default: it is found).")
    ] = None,
    header: Annotated[
        str | None, typer.Option("--header", help="Columns of a table without a header line: clip,mos.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Clips a forward pass takes at most (default: 16).")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that decode ahead (default: one a core, 8 at most).")
    ] = None,
    cache: CacheOption = None,
) -> None:
    """Score clips from 0 (worst) to 1 (best). Exit code 1 when a clip could not be scored."""
    from schemas.errors import CallError
    from training.inference.score_given import Tables, given_by

    if retry_failed and not out:
        raise CallError("--retry-failed is of what --out holds")
    given = given_by(clips, Tables(folder, column, tuple(header.split(",")) if header else None))
    require_torch()
    from training.inference.score import window_size
    from training.inference.score_file import ScoreFile, kept_nowhere, row_of

    file = ScoreFile(out, *_whose(model)) if out else None
    window = window_size(batch)

    def load() -> tuple[Checkpoint, FeatureCache | None]:
        checkpoint = loaded(model)
        return checkpoint, feature_cache(cache, checkpoint, model, clips) if cache else None

    with file.progress(given, window, retry_failed=retry_failed) if file else kept_nowhere(given) as progress:
        try:
            _score(progress, load, batch, workers)
        except KeyboardInterrupt:
            kept = f"; {len(progress.known)} clips are kept in {file.part}, call it again to go on" if file else ""
            typer.echo(f"interrupted{kept}", err=True)
            raise typer.Exit(130) from None
        if file:
            file.finish(given, progress.known)
    rows = [row_of(item, progress.known) for item in given]
    failed = sum(row.score is None for row in rows)
    if as_json:
        print_json([_plain(row, item) for row, item in zip(rows, given, strict=True)])
    else:
        for row in rows:
            if file is None or row.score is None:
                print_line(f"{row.clip}: {f'error: {row.error}' if row.score is None else f'{row.score:.4f}'}")
    typer.echo(f"{len(rows) - failed} scored, {failed} failed, {len(rows)} given{f': {out}' if out else ''}", err=True)
    if failed:
        raise typer.Exit(1)


def _score(
    progress: Progress,
    load: Callable[[], tuple[Checkpoint, FeatureCache | None]],
    batch: int | None,
    workers: int | None,
) -> None:
    """Score what is left to do, a window at a time; the model is loaded only if something is."""
    from training.inference.score import score_windows, window_size

    if not (left := progress.left(window_size(batch))):
        return
    checkpoint, cache = load()
    waiting = iter(left)
    strided: list[str] = []
    with tracker() as track:
        advance = track("score", len(left))
        for rows in score_windows(checkpoint, [item.path for item in left if item.path], batch, cache, workers):
            progress.add([replace(row, clip=next(waiting).clip) for row in rows])
            for row in rows:
                advance(failed=row.score is None)
            strided += [f"{row.clip} (1 of {row.motion_stride})" for row in rows if row.motion_stride > 1]
    if strided:
        most = f"more than the {checkpoint.config.motion_positions} motion features that the model takes"
        named = f"{', '.join(strided[:MOST_TOLD])}{', ...' if strided[MOST_TOLD:] else ''}"
        typer.echo(f"{len(strided)} clips have {most}, which are fed in steps: {named}", err=True)


def _whose(model: Path) -> tuple[str, list[str]]:
    """Tell a model's weights and level words without reading its weights into memory."""
    from training.checkpoints.checkpoint import block_of, identity

    return identity(model), block_of(model).scoring.levels


def _plain(row: Row, item: Given) -> dict[str, Any]:
    plain = {"clip": row.clip, "score": row.score, "levels": row.levels, "error": row.error}
    return plain | ({"columns": item.columns} if item.columns else {})
