"""Reading tables as they come: CSV, TSV, text lists, JSON, JSON Lines, XLSX, Parquet and MATLAB files, row by row.

A table is a header (its column names) and an iterator of rows. A row that cannot be used comes as a CellError in its
place, so that counting goes on; a table that cannot be read at all raises CallError saying what to declare.
Delimited files and JSON Lines are streamed: two million rows need no more memory than one.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import glob
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from dataset_builder.labels import CellError
from schemas.errors import CallError

Row = Mapping[str, Any]
Rows = Iterator[Row | CellError]

KINDS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".xlsx", ".parquet", ".mat")
"""The endings of files that can be read as a table."""


@dataclass(frozen=True)
class Form:
    """How a table is written, where its ending does not say.

    `header` names the columns of a table that has no header line; `separator` may be longer than one character for
    lists such as `a.mp4, -1, -1, 3.5`; `ragged` fills short rows up and cuts long ones, for sets published that way;
    `quoted` is False where a quotation mark is nothing but a letter of the text.
    """

    separator: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    header: Sequence[str] | None = None
    ragged: bool = False
    quoted: bool = True


AS_ITS_ENDING_SAYS = Form()


def files_of(pattern: str, folder: Path, what: str) -> list[tuple[str, Path]]:
    """List the tables that a recipe means, as (name, path) in order: one path, or a pattern such as `mos_*.csv`.

    An absolute path is named by its last part alone, so no host's path gets out. Raises CallError naming the nearest
    file when there is none.
    """
    path = folder / pattern
    found = [pattern] if path.is_file() else []
    if not found and glob.has_magic(pattern):
        names = sorted(glob.glob(pattern, root_dir=folder))  # noqa: PTH207  # pathlib cannot take absolute patterns
        found = [name for name in names if (folder / name).is_file()]
    if found:
        return [(Path(name).name if Path(name).is_absolute() else name, folder / name) for name in found]
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise CallError(f"{what}: there is no table {pattern!r}{hint}")


def read_table(path: Path, name: str, form: Form = AS_ITS_ENDING_SAYS) -> tuple[list[str], Rows]:
    """Give the column names of a table, and its rows. Raises CallError, also while the rows are read."""
    kind = path.suffix.lower()
    try:
        _refuse_encoding(path, name, form)
        if kind in {".csv", ".tsv", ".txt"}:
            header, rows = _read_delimited(path, form, "\t" if kind == ".tsv" else ",")
        elif kind in {".json", ".jsonl", ".ndjson"}:
            header, rows = _read_json(path, form)
        elif kind == ".xlsx":
            header, rows = _read_xlsx(path, form)
        elif kind == ".parquet":
            header, rows = _read_parquet(path)
        elif kind == ".mat":
            header, rows = _read_mat(path)
        else:
            raise CallError(f"{name}: a table is {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from None
    return header, _told(rows, name)


def _refuse_encoding(path: Path, name: str, form: Form) -> None:
    """Refuse an encoding that Python does not know, and text in UTF-16 of which nobody said so."""
    try:
        codecs.lookup(form.encoding or "utf-8")
    except LookupError:
        raise CallError(f"{name}: Python knows no encoding {form.encoding!r}; try utf-8, latin-1 or cp1252") from None
    if form.encoding is None and path.suffix.lower() in {".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson"}:
        with path.open("rb") as file:
            if file.read(2) in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}:
                raise CallError(f"{name}: the text is UTF-16: declare encoding: utf-16")


def _told(rows: Rows, name: str) -> Rows:
    """Say which table it is, and how far it could be read, when it turns out unreadable half way."""
    read = 0
    try:
        for row in rows:
            yield row
            read += 1
    except (OSError, ValueError) as error:
        raise _unreadable(name, error, f" a little after row {read}") from None


def _unreadable(name: str, error: OSError | ValueError, where: str = "") -> CallError:
    if isinstance(error, UnicodeDecodeError):
        return CallError(f"{name}: not {error.encoding}{where}: declare its encoding, such as encoding: latin-1")
    return CallError(f"{name}: the table cannot be read{where}: {error}")


def _read_delimited(path: Path, form: Form, separator: str) -> tuple[list[str], Rows]:
    separator = form.separator or separator
    csv.field_size_limit(2**31 - 1)  # the default refuses a table for one long cell
    with path.open(encoding=form.encoding or "utf-8-sig", newline="") as file:
        first = next(_lines(file, separator, form.quoted), None)
    if first is None:
        raise ValueError("it is empty")
    if form.header is not None:
        return list(form.header), _rows_of(path, form, separator, list(form.header))
    header = _header([cell.strip() for cell in first])
    if len(header) == 1 and separator == "," and (";" in header[0] or "\t" in header[0]):
        found = ";" if ";" in header[0] else "\\t"
        raise ValueError(f"its columns are not separated by commas: declare separator: '{found}'")
    return header, _rows_of(path, form, separator, header)


def _lines(file: IO[str], separator: str, quoted: bool) -> Iterator[list[str]]:
    """Split lines into cells, leaving out lines that hold nothing but separators."""
    if len(separator) > 1:
        for text in file:
            if text.strip():
                yield text.rstrip("\r\n").split(separator)
        return
    reader = csv.reader(file, delimiter=separator, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)
    try:
        for line in reader:
            if any(line):
                yield line
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None


def _rows_of(path: Path, form: Form, separator: str, header: list[str]) -> Rows:
    with path.open(encoding=form.encoding or "utf-8-sig", newline="") as file:
        lines = _lines(file, separator, form.quoted)
        for line in itertools.islice(lines, 0 if form.header is not None else 1, None):
            if len(line) != len(header) and form.ragged:
                yield dict(itertools.zip_longest(header, line[: len(header)]))
            elif len(line) != len(header):
                found = f"the row has {len(line)} cells, the header {len(header)}"
                yield CellError("", f"{found}: mend the row (is a separator in a name?)")
            else:
                yield dict(zip(header, line, strict=True))


def _read_json(path: Path, form: Form) -> tuple[list[str], Rows]:
    encoding = form.encoding or "utf-8-sig"
    with path.open(encoding=encoding) as file:
        first = next((line for line in file if line.strip()), "")
        if not first:
            raise ValueError("it is empty")
        second = next((line for line in file if line.strip()), "")
    # JSON Lines are streamed; they are known by their first two lines, whatever the file is called.
    if all(isinstance(_json_line(line), dict) for line in (first, second)):
        return _keys_of_lines(path, encoding), _json_lines(path, encoding)
    text = path.read_text(encoding=encoding)
    try:
        # The standard library reads what other tools write: NaN and endless integers, which the cells then refuse.
        items = _items(json.loads(text))
    except ValueError as error:
        items = [_json_line(line) for line in text.split("\n") if line.strip()]
        if not any(isinstance(item, dict) for item in items):
            raise ValueError(f"neither JSON nor JSON Lines: {error}") from None
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    header = list(dict.fromkeys(key for row in items if isinstance(row, dict) for key in row))
    if not header:
        raise ValueError("it holds no rows")
    return header, (_object(item) for item in items)


def _items(whole: object) -> list[Any]:
    """Find the rows: a list; an object of numbers or of objects by name (columns `key`, `value`); else one row."""
    if isinstance(whole, list):
        return whole
    if isinstance(whole, dict) and len(whole) > 1:
        if all(isinstance(value, dict) for value in whole.values()):
            return [{"key": key, **value} for key, value in whole.items()]
        if all(isinstance(value, (int, float)) for value in whole.values()):
            return [{"key": key, "value": value} for key, value in whole.items()]
    return [whole]


def _keys_of_lines(path: Path, encoding: str) -> list[str]:
    keys: dict[str, None] = {}
    for item in _json_lines(path, encoding):
        if isinstance(item, dict):
            keys.update(dict.fromkeys(item))
    return list(keys)


def _json_lines(path: Path, encoding: str) -> Rows:
    with path.open(encoding=encoding, newline="\n") as file:
        for line in file:
            if line.strip():
                yield _object(_json_line(line))


def _json_line(line: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        return CellError("", f"the line is not JSON: {error}")


def _object(item: object) -> Row | CellError:
    return item if isinstance(item, (dict, CellError)) else CellError("", f"the row is no object: {item!r}")


def _read_xlsx(path: Path, form: Form) -> tuple[list[str], Rows]:
    import zipfile

    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, KeyError, SyntaxError, zipfile.BadZipFile) as error:
        raise ValueError(f"no XLSX workbook ({error})") from None
    try:
        if form.sheet and form.sheet not in book.sheetnames:
            raise CallError(f"{path.name}: no sheet {form.sheet!r}; there are: {', '.join(book.sheetnames)}")
        sheet = book[form.sheet] if form.sheet else book.worksheets[0]
        lines = [line for line in sheet.iter_rows(values_only=True) if any(cell is not None for cell in line)]
    except SyntaxError as error:  # how the standard library names broken XML
        raise ValueError(f"its sheet is broken ({error})") from None
    finally:
        book.close()
    if not lines:
        raise ValueError("its sheet is empty")
    header = _header(["" if cell is None else str(cell).strip() for cell in lines[0]])
    return header, (dict(zip(header, line, strict=False)) for line in lines[1:])


def _read_parquet(path: Path) -> tuple[list[str], Rows]:
    import pyarrow
    import pyarrow.parquet

    def rows() -> Rows:
        for batch in file.iter_batches():
            yield from batch.to_pylist()

    try:
        file = pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(str(error)) from None
    return _header(list(file.schema_arrow.names)), rows()


def _read_mat(path: Path) -> tuple[list[str], Rows]:
    """Take the variables, and fields of structs, that hold one value a row: the most that share one length."""
    vectors = mat_vectors(path)
    sizes = [len(vector) for vector in vectors.values()]
    if not sizes:
        raise ValueError("it holds no variable with one value a row")
    rows = max(dict.fromkeys(sizes), key=sizes.count)
    columns = {name: vector for name, vector in vectors.items() if len(vector) == rows}
    return list(columns), (dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))


def mat_vectors(path: Path) -> dict[str, list[Any]]:
    """Read the vectors of a MATLAB file (version 7 or older), 1xN, Nx1 or cell arrays alike, as lists of plain values.

    A field of a struct is named `struct.field`. Raises ValueError for what is no such file, and for version 7.3.
    """
    whole = mat_variables(path)
    return dict(_vectors({name: value for name, value in whole.items() if not name.startswith("__")}, ""))


def mat_variables(path: Path, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Read the variables of a MATLAB file (version 7 or older), all or those named; structs come as dicts.

    Raises ValueError for what is no such file, and for version 7.3.
    """
    import scipy.io

    try:
        variables: dict[str, Any] = scipy.io.loadmat(path, variable_names=names, simplify_cells=True)
    except NotImplementedError:
        raise ValueError("a MATLAB file of version 7.3: save it again as version 7, save(..., '-v7')") from None
    except (ValueError, TypeError, KeyError, IndexError, EOFError, scipy.io.matlab.MatReadError) as error:
        raise ValueError(f"no MATLAB file ({error})") from None
    return variables


def _vectors(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, list[Any]]]:
    import numpy as np

    for name, value in values.items():
        if isinstance(value, dict):
            yield from _vectors(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield from _vectors_of_structs(value, f"{prefix}{name}.")
        elif isinstance(value, np.ndarray) and value.ndim <= 2 and value.size == max(value.shape, default=0):
            yield prefix + name, [_plain(cell) for cell in value.reshape(-1).tolist()]


def _vectors_of_structs(structs: Sequence[Any], prefix: str) -> Iterator[tuple[str, list[Any]]]:
    """Turn an array of structs into one vector a field."""
    if structs and all(isinstance(struct, dict) for struct in structs):
        for field in structs[0]:
            yield prefix + field, [_plain(struct.get(field)) for struct in structs]


def _plain(cell: Any) -> Any:
    """Take a value out of the arrays of one that MATLAB wraps it in."""
    import numpy as np

    while isinstance(cell, (np.ndarray, list)) and len(cell) == 1:
        cell = cell[0]
    if isinstance(cell, np.generic):
        cell = cell.item()
    if isinstance(cell, str):
        return cell.rstrip(" ")  # the rows of a character matrix are filled up to one length
    return cell.tolist() if isinstance(cell, np.ndarray) else cell


def _header(names: list[str]) -> list[str]:
    twice = [name for name in dict.fromkeys(names) if name and names.count(name) > 1]
    if twice:
        raise ValueError(f"two columns are called {twice[0]!r}")
    return names
