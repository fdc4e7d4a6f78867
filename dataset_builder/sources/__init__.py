"""Where labels come from: every module of this package reads the label tables of one set, as the set publishes them.

The file name is the set's own name in lower snake case. A source has

- `ABOUT`: what is known of the set: homepage, paper, licence, rating scales, how many rows it publishes;
- `EXAMPLE`: a few rows in the set's own shape, written as its files are;
- `labels(recipe, folder)`: yields a LabelRow, a Quarantined or a Remark for every row of the tables that
  `recipe.table` (relative to `folder`) names; raises CallError when a table cannot be read at all.

What sources share lies here: finding the tables of a recipe, and going through their rows.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dataset_builder.labels import CellError, LabelRow, Remark, number, score_of
from dataset_builder.tables import AS_ITS_ENDING_SAYS, Form, Row, Rows, files_of, read_table
from schemas.errors import CallError
from schemas.licence import Terms
from schemas.manifest import Quarantined
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Score, refuse_path

Labelled = LabelRow | Quarantined | Remark
"""What becomes of one row of a table."""


@dataclass(frozen=True)
class About:
    """What a set says of itself.

    `scales` are the rating scales by variant of the score, the set's main one first; `no_main` says that none is, so
    a recipe must name one; `counts` are the rows that the set publishes, by pattern of the table's name or whole path,
    first match wins; `licence` is empty where the set states none, and `terms` are given where its name does not tell.
    """

    title: str
    homepage: str = ""
    paper: str = ""
    licence: str = ""
    terms: Terms | None = None
    scales: Mapping[str, Scale] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    no_main: bool = False

    def expected(self, table: str) -> int | None:
        """Give how many rows the set publishes in a table, None if it does not say."""
        names = (Path(table).name, table)
        return next((n for pattern, n in self.counts.items() for name in names if fnmatch.fnmatch(name, pattern)), None)

    def variant(self, recipe: SourceRecipe) -> str:
        """Give the variant of the score that a recipe asks for. Raises CallError naming the variants there are."""
        there = ", ".join(self.scales) or "none"
        if recipe.variant is None and self.no_main:
            if recipe.scale is None:
                raise CallError(f"source {recipe.name!r}: say which scores these are, by variant ({there}) or by scale")
            return ""
        if recipe.variant is None:
            return next(iter(self.scales), "")
        if recipe.variant not in self.scales:
            raise CallError(f"source {recipe.name!r}: {recipe.source} has no variant {recipe.variant!r}: {there}")
        return recipe.variant

    def scale(self, recipe: SourceRecipe) -> Scale | None:
        """Give the rating scale of a recipe's scores: its own, or the set's."""
        of_the_set = self.scales.get(self.variant(recipe))
        return recipe.scale or of_the_set


@dataclass(frozen=True)
class Example:
    """A set's files in miniature: text, rows (of an .xlsx or .parquet) or variables (of a .mat) by file name."""

    table: str
    files: Mapping[str, str | Sequence[Mapping[str, Any]] | Mapping[str, Any]]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """One label table of a recipe, opened: its name as the recipe has it, its column names, its rows."""

    recipe: SourceRecipe
    name: str
    path: Path
    header: Sequence[str]
    rows: Rows

    def column(self, *names: str) -> str:
        """Give the first of `names` that is a column. Raises CallError listing the columns there are."""
        for name in names:
            if name in self.header:
                return name
        wanted = " or ".join(map(repr, names))
        raise CallError(
            f"{self.name}: no column {wanted}, so this is not a label table of {self.recipe.source}; "
            f"it has: {', '.join(self.header)}"
        )

    def each(self, label: Callable[[Row], LabelRow]) -> Iterator[Labelled]:
        """Label every row; a CellError that `label` raises sends its row to quarantine."""
        _refuse_where(self)
        for index, row in enumerate(self.rows, 1):
            try:
                if isinstance(row, CellError):
                    raise row
                if unwanted := _unselected(self.recipe, row):
                    yield Remark(f"left out by where: {unwanted}", self.name)
                    continue
                labelled = label(row)
            except CellError as error:
                yield Quarantined(
                    source=self.recipe.name, file=self.name, row=index, field=error.column or None, reason=str(error)
                )
                continue
            yield replace(labelled, table=self.name, row=index)


def tables(recipe: SourceRecipe, folder: Path, form: Form = AS_ITS_ENDING_SAYS) -> Iterator[Table]:
    """Open the tables of a recipe one after another; what the recipe says of their form counts over `form`."""
    form = replace(
        form,
        separator=recipe.separator or form.separator,
        encoding=recipe.encoding or form.encoding,
        sheet=recipe.sheet or form.sheet,
    )
    for name, path in files_of(recipe.table, folder, f"source {recipe.name!r}"):
        header, rows = read_table(path, name, form)
        yield Table(recipe, name, path, header, rows)


def text(row: Row, column: str | None) -> str | None:
    """Read a cell as text; None for an empty one."""
    cell = row.get(column) if column else None
    if cell is None:
        return None
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "backslashreplace")
    # A spreadsheet turns the clip name 0042 into the number 42.0; a whole number is meant as one.
    written = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    return written if written.strip() else None


def name_of(row: Row, column: str) -> str:
    """Read the cell that names the clip. Raises CellError when it is empty, or no path below the folder of clips."""
    name = text(row, column)
    if name is None:
        raise CellError(column, "the row names no clip")
    if reason := refuse_path(name):
        raise CellError(column, reason)
    return name


def rating(
    row: Row, column: str, scale: Scale, *, decimal: str = ".", std: str | None = None, ratings: str | None = None
) -> Score | None:
    """Read a score with its standard deviation and number of ratings, if there are such columns.

    None for an empty cell. Raises CellError for what is no number, or outside the scale.
    """
    value = number(row.get(column), column, decimal)
    spread = number(row.get(std), std, decimal) if std else None
    count = number(row.get(ratings), ratings, decimal) if ratings else None
    return None if value is None else score_of(value, spread, count, scale, column)


def required_scale(about: About, recipe: SourceRecipe) -> Scale:
    """Give the rating scale, which this source cannot do without. Raises CallError."""
    scale = about.scale(recipe)
    if scale is None:
        raise CallError(f"source {recipe.name!r}: a score needs its rating scale, such as scale: {{lo: 1, hi: 5}}")
    return scale


def _refuse_where(table: Table) -> None:
    for column in table.recipe.where:
        table.column(column)


def _unselected(recipe: SourceRecipe, row: Row) -> str:
    """Say which declared value a row does not have, or nothing if it has them all."""
    for column, values in recipe.where.items():
        wanted = [values] if isinstance(values, str) else values
        if text(row, column) not in wanted:
            return f"{column} is not {' or '.join(wanted)}"
    return ""
