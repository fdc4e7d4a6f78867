"""The command `schema`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(schema)


def schema(
    name: Annotated[str | None, typer.Argument(help="Print this schema, such as sample.")] = None,
    write: Annotated[Path | None, typer.Option(help="Write all schemas into this folder.")] = None,
) -> None:
    """Print or write the JSON Schemas of the published structs."""
    import difflib
    import json

    from schemas.errors import CallError
    from schemas.validate import PUBLISHED, json_schema, write_json_schemas

    if write:
        for path in write_json_schemas(write):
            typer.echo(path)
    elif name is None:
        typer.echo("\n".join(PUBLISHED))
    elif name in PUBLISHED:
        typer.echo(json.dumps(json_schema(name), indent=2, ensure_ascii=False))
    else:
        near = difflib.get_close_matches(name, PUBLISHED, 1) or list(PUBLISHED)
        raise CallError(f"no schema is called {name!r}; there are: {', '.join(near)}")
