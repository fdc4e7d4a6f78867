"""`vqa2 audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def mount(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("audit")(audit)


def audit(
    table: Annotated[Path, typer.Argument(help="A table of labels: CSV, TSV, text, JSON, XLSX, Parquet or MATLAB.")],
    *,
    source: Annotated[str | None, typer.Option(help="Read it as this set publishes it, see vqa2 list sources.")] = None,
    variant: Annotated[str | None, typer.Option(help="Which of the set's scores, with --source.")] = None,
    where: Annotated[list[str] | None, typer.Option(help="Only rows like column=value, with --source.")] = None,
    clip: Annotated[str | None, typer.Option(help="The column of clip names (default: one with a known name).")] = None,
    score: Annotated[str | None, typer.Option(help="The column of scores (default: one with a known name).")] = None,
    std: Annotated[str | None, typer.Option(help="The column of standard deviations of single ratings.")] = None,
    level: Annotated[str | None, typer.Option(help="A column of levels, held to the scores.")] = None,
    lo: Annotated[float | None, typer.Option(help="The low end of the rating scale.")] = None,
    hi: Annotated[float | None, typer.Option(help="The high end of the rating scale.")] = None,
    direction: Annotated[str | None, typer.Option(help="higher_is_better or lower_is_better.")] = None,
    separator: Annotated[str | None, typer.Option(help="What separates the columns of a text table.")] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal mark of its numbers, . or ,")] = None,
    encoding: Annotated[str | None, typer.Option(help="Its encoding, where it is not UTF-8.")] = None,
    sheet: Annotated[str | None, typer.Option(help="The sheet of an .xlsx (default: the first).")] = None,
    header: Annotated[str | None, typer.Option(help="Column names, a,b,c: for a text table without a header.")] = None,
    plugins: Annotated[
        list[Path] | None, typer.Option(help="A folder of plug-in files of your own.", exists=True, file_okay=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Audit a table of labels: levels by range mode, ceilings, closeness to cuts, and what looks wrong."""
    import msgspec

    from dataset_builder.auditing.audit import audit as audit_labels
    from dataset_builder.auditing.table import Chosen, declare, read_labels, read_source, recipe_of
    from dataset_builder.auditing.view import show
    from dataset_builder.tables import Form
    from schemas.errors import CallError

    separator = "\t" if separator == "\\t" else separator  # a shell does not make a tab of it
    way = next((known for known in ("higher_is_better", "lower_is_better") if known == direction), None)
    if direction is not None and way is None:
        raise CallError(f"--direction is higher_is_better or lower_is_better, not {direction!r}")
    if decimal not in {None, ".", ","}:
        raise CallError(f"--decimal is . or , and not {decimal!r}")
    if not table.is_file():
        raise CallError(f"there is no table {str(table)!r}")
    if source is not None:
        if clip or score or std or level or header:
            raise CallError("a source knows its columns: leave out --clip, --score, --std, --level and --header")
        wrong = next((rows for rows in where or [] if "=" not in rows), None)
        if wrong is not None:
            raise CallError(f"--where is column=value, not {wrong!r}")
        options = {
            **{"separator": separator, "decimal": decimal, "encoding": encoding, "sheet": sheet, "variant": variant},
            "where": dict(rows.split("=", 1) for rows in where or []),
            "scale": {"lo": lo, "hi": hi, "direction": way} if lo is not None and hi is not None else None,
        }
        labels, reading = read_source(recipe_of(table, source, options), plugins or ())
    else:
        if variant is not None or where:
            raise CallError("--variant and --where go with --source")
        written = Form(separator, encoding, sheet, header.split(",") if header else None)
        labels, reading = read_labels(table, written, Chosen(clip, score, std, level), decimal or ".")
    found = audit_labels(labels, declare(reading, lo, hi, way), table.name)
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        show(found)
