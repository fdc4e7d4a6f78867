"""Any table of labels: CSV, TSV, JSON, JSON Lines, XLSX, Parquet or MATLAB, columns named in the recipe."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path

from dataset_builder.labels import CellError, LabelRow, stalls_of
from dataset_builder.ratings import opinions_of
from dataset_builder.sources import About, Example, Labelled, name_of, rating, tables, text
from dataset_builder.tables import Row
from schemas.errors import CallError
from schemas.recipe import Columns, SourceRecipe
from schemas.record import SPLITS, Split
from stages.wording.taxonomy import MOTION, SPATIAL, kind_of

ABOUT = About(title="your own table")
EXAMPLE = Example(
    table="labels.csv",
    files={"labels.csv": "clip,mos\nharbour at night.mp4,3.8\nstadium.mp4,2.1\n"},
    options={"columns": {"clip": "clip", "score": "mos"}, "scale": {"lo": 1, "hi": 5}},
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the rows of the tables by the columns that the recipe names."""
    columns = recipe.columns
    if columns is None:
        raise CallError(f"source {recipe.name!r}: say which columns hold what, at least columns: {{clip: ...}}")
    if columns.score and recipe.scale is None:
        raise CallError(f"source {recipe.name!r}: a score needs its rating scale, such as scale: {{lo: 1, hi: 5}}")
    rows = _rows(recipe, columns, folder)
    yield from rows if columns.subject is None else opinions_of(recipe.name, rows, recipe.opinion)


def _rows(recipe: SourceRecipe, columns: Columns, folder: Path) -> Iterator[Labelled]:
    if "dmos" in (columns.score or "").lower() and recipe.scale and recipe.scale.direction is None:
        raise CallError(
            f"source {recipe.name!r}: the column {columns.score!r} is named as a DMOS, of which less or more may be "
            "better: declare scale.direction"
        )
    for table in tables(recipe, folder):
        _refuse_missing_columns(columns, table.header, table.name)
        yield from table.each(lambda row: _label(row, recipe, columns))


def _label(row: Row, recipe: SourceRecipe, columns: Columns) -> LabelRow:
    score = None
    if columns.score and recipe.scale:
        score = rating(
            row, columns.score, recipe.scale, decimal=recipe.decimal, std=columns.std, ratings=columns.ratings
        )
    return LabelRow(
        clip=name_of(row, columns.clip),
        score=score,
        subject=text(row, columns.subject),
        group=text(row, columns.group),
        split=_split(text(row, columns.split), columns.split),
        distortions=_distortions(text(row, columns.distortion), columns.distortion),
        stalls=stalls_of(row.get(columns.stalls), columns.stalls) if columns.stalls else None,
    )


def _split(found: str | None, column: str | None) -> Split | None:
    if found is not None and found not in SPLITS:
        raise CellError(column or "", f"{found!r} is no split: use {', '.join(SPLITS)}")
    return found


def _distortions(found: str | None, column: str | None) -> list[str]:
    names = [name.strip() for name in (found or "").split(";") if name.strip()]
    for name in names:
        if kind_of(name) is None:
            near = difflib.get_close_matches(name, (*SPATIAL, *MOTION), 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join((*SPATIAL, *MOTION))}"
            raise CellError(column or "", f"{name!r} is no distortion of the taxonomy{hint}")
    return names


def _refuse_missing_columns(columns: Columns, header: Sequence[str], table: str) -> None:
    for key in columns.__struct_fields__:
        column = getattr(columns, key)
        if column is not None and column not in header:
            spelt = {name.lower(): name for name in header}
            near = difflib.get_close_matches(column.lower(), spelt, 1, cutoff=0.4)
            hint = f", did you mean {spelt[near[0]]!r}?" if near else "."
            raise CallError(f"{table}: there is no column {column!r} (for {key}){hint} It has: {', '.join(header)}")
