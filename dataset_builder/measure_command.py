"""`vqa2 measure`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(measure)


def measure(
    folder: Annotated[Path, typer.Argument(help="A folder of clips.", exists=True, file_okay=False)],
    *,
    out: Annotated[Path, typer.Option(help="The file of JSON lines to write, one a clip.")] = Path("measures.jsonl"),
    work: Annotated[
        Path | None, typer.Option(help="Where finished work is kept for the next run (default: OUT.work).")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one clip may take.")] = 600.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Measure clips without a reference, second by second: brightness, stills, flicker, shake, blur, noise, blocks."""
    from dataset_builder.engine import LocalEngine
    from dataset_builder.progress import tracker
    from dataset_builder.signal.measuring import measure_folder

    kept = work or out.with_name(f"{out.name}.work")
    with tracker() as track:
        done, failed = measure_folder(folder, out, kept, engine=LocalEngine(workers), timeout=timeout, track=track)
    if as_json:
        typer.echo(orjson.dumps({"file": str(out), "measured": done, "failed": failed}).decode())
    else:
        typer.echo(f"{done} clips measured, {failed} failed: {out}")
    if failed:
        raise typer.Exit(1)
