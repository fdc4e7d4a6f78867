"""What `vqa2 score` is given: videos, images, folders of them, and tables that name them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dataset_builder.auditing.table import clip_column
from dataset_builder.labels import CellError
from dataset_builder.matching import ClipFolder, NoMatchError, printable
from dataset_builder.sources import text
from dataset_builder.tables import KINDS, Form, Row, read_table
from schemas.errors import CallError
from training.arguments import files_of


@dataclass(frozen=True)
class Given:
    """One thing to score: a file, or why a row of a table gives none.

    `clip` is how the output calls it; `columns` is what else its table says of it.
    """

    clip: str
    path: Path | None
    error: str | None = None
    columns: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tables:
    """How tables are read.

    `clips` is the folder of their clips (None = the table's own), `column` holds their names (None = it is found), and
    `header` names the columns of a table without a header line.
    """

    clips: Path | None = None
    column: str | None = None
    header: tuple[str, ...] | None = None


def given_by(things: Sequence[Path], tables: Tables) -> list[Given]:
    """List what files, folders and tables give, in order: nothing is left out, nothing stands for another.

    Raises CallError for a file that is not there, a folder without clips, a table that cannot be read or says nothing,
    and for words about tables where none is given.
    """
    if tables != Tables() and not any(_is_table(thing) for thing in things):
        raise CallError("--clips, --clip-column and --header are for tables, and none is given")
    found: list[Given] = []
    for thing in things:
        if _is_table(thing):
            found += _of_table(thing, tables)
        else:
            found += [Given(printable(str(file)), file) for file in files_of([thing])]
    return found


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in KINDS and path.is_file()


def _of_table(path: Path, tables: Tables) -> list[Given]:
    header, rows = read_table(path, path.name, Form(header=tables.header))
    column = clip_column(header, tables.column, path.name, option="--clip-column")
    folder = ClipFolder(tables.clips or path.parent)
    found = list(_rows(path, header, rows, column, folder))
    if not found:
        raise CallError(f"{path.name}: the table has no rows")
    return found


def _rows(
    path: Path, header: Sequence[str], rows: Iterator[Row | CellError], column: str, folder: ClipFolder
) -> Iterator[Given]:
    for number, row in enumerate(rows, 1):
        where = f"{path.name} row {number}"
        if isinstance(row, CellError):
            yield Given(where, None, str(row))
            continue
        columns = {name: row.get(name) for name in header if name}
        name = text(row, column)
        if name is not None:
            yield _match(name, folder, columns)
        elif any(text(row, other) for other in header):
            yield Given(where, None, f"{column}: the row names no clip", columns)


def _match(name: str, folder: ClipFolder, columns: dict[str, Any]) -> Given:
    if Path(name).is_absolute():
        return Given(name, Path(name), columns=columns)
    try:
        found = folder.folder / folder.match(name)
    except NoMatchError as error:
        return Given(name, None, str(error), columns)
    return Given(printable(str(found)), found, columns=columns)
