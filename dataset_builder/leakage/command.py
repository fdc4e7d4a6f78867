"""`vqa2 passport create`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def mount(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    passport = typer.Typer(
        name="passport", help="Let others find a benchmark's clips in their training data.", no_args_is_help=True
    )
    passport.command("create")(create)
    app.add_typer(passport)


def create(
    folder: Annotated[Path, typer.Argument(help="The folder of the benchmark's clips.")],
    *,
    out: Annotated[Path | None, typer.Option(help="The file to write (default: <name>.passport.json).")] = None,
    name: Annotated[str | None, typer.Option(help="The benchmark's name (default: the folder's).")] = None,
    names: Annotated[bool, typer.Option(help="Put the clips' names in.")] = True,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes (default: all cores).")] = None,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds that one clip may take.")] = 600.0,
    as_json: AsJson = False,
) -> None:
    """Write the fingerprints of a folder's clips: no pixels, so the file can be published."""
    from dataset_builder.leakage.passport import create_passport, write_passport
    from dataset_builder.progress import tracker
    from schemas.errors import CallError

    called = name or folder.resolve().name
    place = out or Path(f"{called}.passport.json")
    if place.is_dir():
        raise CallError(f"{str(place)!r} is a folder: name a file")
    with tracker() as track:
        made = create_passport(folder, called, names=names, workers=workers, timeout=timeout, track=track)
    write_passport(place, made.passport)
    if as_json:
        summary = {
            "passport": str(place),
            "name": called,
            "clips": len(made.passport.clips),
            "blank": made.blank,
            "unread": dict(made.unread),
            "others": made.others,
        }
        typer.echo(orjson.dumps(summary).decode())
    else:
        typer.echo(f"{len(made.passport.clips)} clips written to {place} ({place.stat().st_size} bytes)")
        for clip in made.blank:
            typer.echo(f"{clip}: too flat or dark for signs, only the same file will be found")
        for path, reason in made.unread:
            typer.echo(f"{path}: not in the passport: {reason}")
        if made.others:
            typer.echo(f"{made.others} other files are no clips by their suffix")
    if made.unread:
        raise typer.Exit(1)
