"""`vqa2 features`. torch is imported inside the command only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import CallError
from training.arguments import files_of, print_json, print_line, require_torch


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
    files = [] if corpora else files_of(clips)
    require_torch()
    from dataset_builder.engine.choice import engine_of, part_of
    from dataset_builder.progress import tracker
    from training.checkpoints.start import quiet
    from training.precompute import Model, clips_of_corpus, clips_of_files, fill

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
        print_json({**told, "complete": filled.complete, "failed": [{"clip": c, "error": e} for c, e in failed]})
    else:
        for clip, error in failed:
            print_line(f"{clip}: error: {error}")
        print_line(f"{filled.clips} clips: {filled.known} known, {filled.done} done, {len(failed)} failed")
        if share:
            print_line(f"Part {part}: done. When all parts are, run once without --part, which packs.")
    if failed:
        raise typer.Exit(1)
