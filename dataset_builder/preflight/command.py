"""`vqa2 probe`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("probe")(probe_folder)


def probe_folder(
    folder: Annotated[Path, typer.Argument(help="The folder of clips.")],
    *,
    recipe: Annotated[Path | None, typer.Option(help="Predict what building this recipe will take.")] = None,
    sample: Annotated[int, typer.Option(min=1, help="How many clips are decoded, drawn at random.")] = 200,
    full: Annotated[bool, typer.Option("--full", help="Decode all clips.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds that one clip may take.")] = 600.0,
    out: Annotated[Path | None, typer.Option(help="Write a line of JSON for each clip to this file.")] = None,
    plugins: Annotated[
        list[Path] | None, typer.Option(help="A folder of plug-in files of your own.", exists=True, file_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find clips that cannot be read, and predict disk, time and memory of a build."""
    import msgspec

    from dataset_builder.corpus import write_jsonl
    from dataset_builder.preflight.probe import probe
    from dataset_builder.preflight.show import show
    from dataset_builder.progress import tracker
    from schemas.errors import CallError
    from schemas.recipe import BuildRecipe, load

    if out is not None and (out.is_dir() or folder.resolve() in out.resolve().parents):
        raise CallError(f"{str(out)!r} is a folder or lies among the clips: name a file elsewhere")
    if not math.isfinite(timeout):
        raise CallError("--timeout is a number of seconds")
    with tracker() as track:
        found = probe(
            folder,
            recipe=load(recipe, BuildRecipe) if recipe else None,
            recipe_path=recipe or Path(),
            sample=None if full else sample,
            seed=seed,
            workers=workers,
            timeout=timeout,
            plugins=plugins or (),
            track=track,
        )
    if out is not None:
        write_jsonl(out, found.rows)
    if as_json:
        typer.echo(msgspec.json.encode(msgspec.structs.replace(found, rows=[])).decode())
    else:
        show(found)
    if found.failed:
        raise typer.Exit(1)
