"""Any table of labels: CSV, TSV, JSON, JSON Lines, XLSX or Parquet, columns named in the recipe.

A source file says where its set comes from and reads its labels:

- `HOMEPAGE`, `PAPER`: where to get and how to cite the set (empty here: the table is the user's own);
- `EXAMPLE`: a few rows in the set's own shape;
- `labels(recipe, folder)`: yields a LabelRow or a Quarantined for every row of the table; raises CallError when the
  table cannot be read at all.
"""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dataset_builder.labels import CellError, LabelRow, number, score_of, stalls_of
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.recipe import Columns, SourceRecipe
from schemas.record import SPLITS, Split, refuse_path
from stages.wording.taxonomy import MOTION, SPATIAL, kind_of

HOMEPAGE = ""
PAPER = ""
EXAMPLE = "clip,mos\nharbour at night.mp4,3.8\nstadium.mp4,2.1\n"

Row = Mapping[str, Any]


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[LabelRow | Quarantined]:
    """Read the rows of `recipe.table` (relative to `folder`)."""
    if recipe.columns is None:
        raise CallError(f"source {recipe.name!r}: say which columns hold what, at least columns: {{clip: ...}}")
    if recipe.columns.score and recipe.scale is None:
        raise CallError(f"source {recipe.name!r}: a score needs its rating scale, such as scale: {{lo: 1, hi: 5}}")
    path = folder / recipe.table
    try:
        header, rows = _read(path, recipe)
    except FileNotFoundError:
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise CallError(f"source {recipe.name!r}: there is no table {recipe.table!r}{hint}") from None
    except UnicodeDecodeError as error:
        raise CallError(
            f"{recipe.table}: not UTF-8 at byte {error.start}: declare its encoding, such as encoding: latin-1"
        ) from None
    except (OSError, ValueError) as error:
        raise CallError(f"{recipe.table}: the table cannot be read: {error}") from None
    _refuse_missing_columns(recipe.columns, header, recipe.table)
    for index, row in enumerate(rows, 1):
        try:
            if isinstance(row, CellError):
                raise row
            yield _label(row, index, recipe, recipe.columns)
        except CellError as error:
            yield Quarantined(
                source=recipe.name, file=recipe.table, row=index, field=error.column or None, reason=str(error)
            )


def _label(row: Row, index: int, recipe: SourceRecipe, columns: Columns) -> LabelRow:
    clip = _text(row, columns.clip)
    if clip is None:
        raise CellError(columns.clip, "the row names no clip")
    if reason := refuse_path(clip):
        raise CellError(columns.clip, reason)
    score = None
    if columns.score and recipe.scale:
        value = number(row.get(columns.score), columns.score, recipe.decimal)
        std = number(row.get(columns.std), columns.std, recipe.decimal) if columns.std else None
        ratings = number(row.get(columns.ratings), columns.ratings, recipe.decimal) if columns.ratings else None
        score = None if value is None else score_of(value, std, ratings, recipe.scale, columns.score)
    return LabelRow(
        row=index,
        clip=clip,
        score=score,
        group=_text(row, columns.group),
        split=_split(_text(row, columns.split), columns.split),
        distortions=_distortions(_text(row, columns.distortion), columns.distortion),
        stalls=stalls_of(row.get(columns.stalls), columns.stalls) if columns.stalls else None,
    )


def _text(row: Row, column: str | None) -> str | None:
    cell = row.get(column) if column else None
    if cell is None:
        return None
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "backslashreplace")
    # A spreadsheet turns the clip name 0042 into the number 42.0; a whole number is meant as one.
    text = str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)
    return text if text.strip() else None


def _split(text: str | None, column: str | None) -> Split | None:
    if text is not None and text not in SPLITS:
        raise CellError(column or "", f"{text!r} is no split: use {', '.join(SPLITS)}")
    return text


def _distortions(text: str | None, column: str | None) -> list[str]:
    names = [name.strip() for name in (text or "").split(";") if name.strip()]
    for name in names:
        if kind_of(name) is None:
            near = difflib.get_close_matches(name, (*SPATIAL, *MOTION), 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join((*SPATIAL, *MOTION))}"
            raise CellError(column or "", f"{name!r} is no distortion of the taxonomy{hint}")
    return names


def _refuse_missing_columns(columns: Columns, header: list[str], table: str) -> None:
    for key in columns.__struct_fields__:
        column = getattr(columns, key)
        if column is not None and column not in header:
            spelt = {name.lower(): name for name in header}
            near = difflib.get_close_matches(column.lower(), spelt, 1, cutoff=0.4)
            hint = f", did you mean {spelt[near[0]]!r}?" if near else "."
            raise CallError(f"{table}: there is no column {column!r} (for {key}){hint} It has: {', '.join(header)}")


def _read(path: Path, recipe: SourceRecipe) -> tuple[list[str], Iterator[Row | CellError]]:
    """Give the column names, and for every row its cells by column, or why it is unusable."""
    kind = path.suffix.lower()
    if kind in {".csv", ".tsv", ".txt"}:
        return _read_delimited(path, recipe, "\t" if kind == ".tsv" else ",")
    if kind in {".json", ".jsonl", ".ndjson"}:
        return _read_json(path, recipe)
    if kind == ".xlsx":
        return _read_xlsx(path, recipe)
    if kind == ".parquet":
        return _read_parquet(path)
    raise CallError(f"{recipe.table}: a table is .csv, .tsv, .txt, .json, .jsonl, .xlsx or .parquet")


def _read_delimited(path: Path, recipe: SourceRecipe, separator: str) -> tuple[list[str], Iterator[Row | CellError]]:
    separator = recipe.separator or separator
    csv.field_size_limit(2**31 - 1)  # the default refuses a table for one long cell
    with path.open(encoding=recipe.encoding or "utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=separator)
        try:
            lines = [line for line in reader if line]
        except csv.Error as error:
            raise ValueError(f"line {reader.line_num}: {error}") from None
    if not lines:
        raise ValueError("it is empty")
    header = _header([cell.strip() for cell in lines[0]])
    if len(header) == 1 and separator == "," and (";" in header[0] or "\t" in header[0]):
        found = ";" if ";" in header[0] else "\\t"
        raise ValueError(f"its columns are not separated by commas: declare separator: '{found}'")
    return header, (_cells(header, line) for line in lines[1:])


def _cells(header: list[str], line: list[str]) -> Row | CellError:
    if len(line) != len(header):
        found = f"the row has {len(line)} cells, the header {len(header)}"
        return CellError("", f"{found}: mend the row (is a separator in a name?)")
    return dict(zip(header, line, strict=True))


def _read_json(path: Path, recipe: SourceRecipe) -> tuple[list[str], Iterator[Row | CellError]]:
    text = path.read_text(encoding=recipe.encoding or "utf-8-sig")
    items: list[Any]
    try:
        # The standard library reads what other tools write: NaN and endless integers, which the cells then refuse.
        whole = json.loads(text)
        items = whole if isinstance(whole, list) else [whole]
    except ValueError as error:
        items = [_json_line(line) for line in text.split("\n") if line.strip()]
        if not any(isinstance(item, dict) for item in items):
            raise ValueError(f"neither JSON nor JSON Lines: {error}") from None
    rows = [i if isinstance(i, (dict, CellError)) else CellError("", f"the row is no object: {i!r}") for i in items]
    header = list(dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row))
    if not header:
        raise ValueError("it holds no rows")
    return header, iter(rows)


def _json_line(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError as error:
        return CellError("", f"the line is not JSON: {error}")


def _read_xlsx(path: Path, recipe: SourceRecipe) -> tuple[list[str], Iterator[Row | CellError]]:
    import zipfile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, KeyError, SyntaxError, zipfile.BadZipFile) as error:
        raise ValueError(f"no XLSX workbook ({error})") from None
    try:
        if recipe.sheet and recipe.sheet not in book.sheetnames:
            raise CallError(f"{recipe.table}: no sheet {recipe.sheet!r}; there are: {', '.join(book.sheetnames)}")
        sheet = book[recipe.sheet] if recipe.sheet else book.worksheets[0]
        lines = [line for line in sheet.iter_rows(values_only=True) if any(cell is not None for cell in line)]
    except SyntaxError as error:  # how the standard library names broken XML
        raise ValueError(f"its sheet is broken ({error})") from None
    finally:
        book.close()
    if not lines:
        raise ValueError("its sheet is empty")
    header = _header(["" if cell is None else str(cell).strip() for cell in lines[0]])
    return header, (dict(zip(header, line, strict=False)) for line in lines[1:])


def _read_parquet(path: Path) -> tuple[list[str], Iterator[Row | CellError]]:
    import pyarrow
    import pyarrow.parquet

    try:
        _header(pyarrow.parquet.read_schema(path).names)
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(str(error)) from None
    return list(table.column_names), (row for batch in table.to_batches() for row in batch.to_pylist())


def _header(names: list[str]) -> list[str]:
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise ValueError(f"two columns are called {twice[0]!r}")
    return names
