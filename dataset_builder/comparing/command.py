"""`vqa2 diff`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

Resolver = Callable[[str], Path | None]
"""Gives the folder of a corpus that is named otherwise than by its folder; None for a name that it does not know."""
resolvers: list[Resolver] = []
"""Asked in turn of a name that is no folder. `vqa2.py` may add to them what lower packages know nothing of."""


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("diff")(diff)


def diff(
    before: Annotated[str, typer.Argument(help="The older corpus: a folder.", metavar="A")],
    after: Annotated[str, typer.Argument(help="The newer corpus.", metavar="B")],
    listed: Annotated[
        Path | None, typer.Option("--list", help="Write every sample that differs into this JSON Lines file.")
    ] = None,
    fail_on: Annotated[
        str | None, typer.Option(help="Exit with 1 where the change is a patch, minor or major step, or more.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")] = False,
) -> None:
    """Compare two corpora: samples added, removed, changed and why, level flips, and what version step that is."""
    import contextlib

    import msgspec

    from dataset_builder.comparing.compare import compare
    from dataset_builder.comparing.view import show
    from schemas.comparison import STEPS, SampleChange
    from schemas.errors import CallError

    worst = next((step for step in STEPS[1:] if step == fail_on), None)
    if fail_on is not None and worst is None:
        raise CallError(f"--fail-on is {', '.join(STEPS[1:-1])} or {STEPS[-1]}, not {fail_on!r}")
    folders = folder_of(before), folder_of(after)
    if listed is not None and any(folder.resolve() in listed.resolve().parents for folder in folders):
        raise CallError(f"{str(listed)!r} lies inside of a corpus: name a file elsewhere")
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(listed.open("wb")) if listed else None

        def told(change: SampleChange) -> None:
            if file:
                file.write(msgspec.json.encode(change) + b"\n")

        found = compare(*folders, (before, after), told)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        show(found)
    if worst and STEPS.index(found.step) >= STEPS.index(worst):
        if not as_json:
            typer.echo(f"a {found.step} step, and --fail-on {worst}", err=True)
        raise typer.Exit(1)


def folder_of(name: str) -> Path:
    """Give the folder of a corpus by its name: a folder, or what one of `resolvers` knows."""
    if Path(name).exists():
        return Path(name)
    return next((folder for resolve in resolvers if (folder := resolve(name)) is not None), Path(name))
