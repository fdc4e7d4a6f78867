"""The file that `vqa2 score --out` writes, and how a run that was cut short goes on.

Work in progress lies beside the file, in `OUT.part`: JSON lines, one that says what is being scored, then one for each
window of clips (`training.inference.score`). A line is there whole or counts for nothing, and windows follow from the
list of clips alone, so what goes on after a kill ends in the same bytes as what was never cut short.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from dataset_builder.corpus import put_file
from schemas.errors import CallError, DataError
from training.inference.score import Row
from training.inference.score_given import Given
from training.plain_json import json_text

SUFFIXES = (".csv", ".parquet", ".jsonl")
OTHERS = "given_"
"""Begins the name of a table's column that would be called as one of ours."""


class Begun(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The line that says what is scored from here on: by which weights, and a hash of the clips and their grouping."""

    model: str
    todo: str


class Done(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The line of a window."""

    rows: list[Row]


@dataclass
class Progress:
    """What is known of the clips, and which are to do: `todo`, from window `windows` on."""

    known: dict[str, Row]
    todo: list[Given]
    windows: int
    _file: BinaryIO | None = field(default=None, repr=False)

    def left(self, window: int) -> list[Given]:
        """List what is still to be scored, with `window` clips in a window."""
        return self.todo[self.windows * window :]

    def add(self, rows: Sequence[Row]) -> None:
        """Keep the rows of a window."""
        self.known |= {row.clip: row for row in rows}
        if self._file:
            try:
                self._file.write(msgspec.json.encode(Done(rows=list(rows))) + b"\n")
                self._file.flush()
            except OSError as error:
                raise CallError(
                    f"{self._file.name}: cannot be written ({error.strerror}); the same command goes on when it can"
                ) from None


class ScoreFile:
    """An output file of scores by one model."""

    def __init__(self, path: Path, model: str, words: Sequence[str]) -> None:
        """Take the file, the identity of the model's weights and its level words, worst first.

        Raises CallError for a file of no known kind, or one that is there and holds something else.
        """
        if path.suffix.lower() not in SUFFIXES:
            raise CallError(f"{path}: scores are written as {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
        if path.is_dir():
            raise CallError(f"{path} is a folder: name a file")
        self.path, self.part = path, path.with_name(f"{path.name}.part")
        self._model, self._words = model, list(words)
        self.ours = ["clip", "score", *words, "error", "model"]

    @contextmanager
    def progress(self, given: Sequence[Given], window: int, *, retry_failed: bool) -> Iterator[Progress]:
        """Say what is left to do of what is given, and keep what is done meanwhile.

        Raises CallError when the file holds scores of another model, or clips or columns that are not given, or another
        run is at work on it, or it cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CallError(f"{self.path}: its folder cannot be made ({error.strerror})") from None
        wanted = {item.clip: item for item in given if item.path}
        known = self._written(wanted, {item.clip for item in given}, columns_of(given, self.ours).values())
        if retry_failed:
            known = _scored(known)
        with self.part.open("a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise CallError(f"{self.part}: another run is at work on it") from None
            progress = self._resumed(file, wanted, known, window, retry_failed=retry_failed)
            yield progress

    def _resumed(
        self, file: BinaryIO, wanted: Mapping[str, Given], known: dict[str, Row], window: int, *, retry_failed: bool
    ) -> Progress:
        sections = self._sections(file)
        for index, (begun, windows) in enumerate(sections):
            todo = [item for clip, item in wanted.items() if clip not in known]
            done = {row.clip: row for rows in windows for row in rows}
            if index == len(sections) - 1 and begun.todo == _hash(todo, window):
                return Progress(known | done, todo, len(windows), file)
            known |= _scored(done) if retry_failed else done
        todo = [item for clip, item in wanted.items() if clip not in known]
        file.write(msgspec.json.encode(Begun(model=self._model, todo=_hash(todo, window))) + b"\n")
        file.flush()
        return Progress(known, todo, 0, file)

    def _sections(self, file: BinaryIO) -> list[tuple[Begun, list[list[Row]]]]:
        """Read the work in progress, and cut a line off that is not whole."""
        file.seek(0)
        sections: list[tuple[Begun, list[list[Row]]]] = []
        whole = 0
        for line in file:
            if not line.endswith(b"\n"):
                break
            try:
                if not sections or line.startswith(b'{"model"'):
                    begun = msgspec.json.decode(line, type=Begun)
                    self._refuse_others({begun.model}, self.part)
                    sections.append((begun, []))
                else:
                    sections[-1][1].append(msgspec.json.decode(line, type=Done).rows)
            except msgspec.DecodeError as error:
                raise DataError(f"{self.part}: no work of `vqa2 score`: {error}; remove it to begin anew") from None
            whole += len(line)
        file.truncate(whole)
        file.seek(0, io.SEEK_END)
        return sections

    def _written(self, wanted: Mapping[str, Given], given: Set[str], columns: Iterable[str]) -> dict[str, Row]:
        """Read what the file holds of an earlier run. Raises CallError for what would be lost by writing it anew."""
        if not self.path.exists():
            return {}
        found = self._read()
        self._refuse_others({str(row["model"]) for row in found}, self.path)
        rows = {str(row["clip"]): self._row(row) for row in found}
        if strangers := [clip for clip in rows if clip not in given]:
            raise CallError(
                f"{self.path} holds rows of {len(strangers)} clips that are not given now, as {strangers[0]}: give "
                "them too, or name another file"
            )
        if lost := [name for row in found[:1] for name in row if name not in {*self.ours, *columns}]:
            raise CallError(
                f"{self.path} holds the column {lost[0]!r} of a table that is not given now: give it too, or name "
                "another file"
            )
        return {clip: row for clip, row in rows.items() if clip in wanted}

    def _refuse_others(self, models: set[str], path: Path) -> None:
        if others := models - {self._model}:
            raise CallError(
                f"{path} holds scores of another model (weights {min(others)}, this one's are {self._model}): "
                "name another file"
            )

    def _read(self) -> list[dict[str, Any]]:
        try:
            rows = _READERS[self.path.suffix.lower()](self.path)
            missing = [name for name in self.ours if rows and name not in rows[0]]
        except (ValueError, OSError, csv.Error) as error:
            raise CallError(f"{self.path} is there, and cannot be read: {error}") from None
        if missing:
            raise CallError(
                f"{self.path} is there, and no file of `vqa2 score` with this model: it has no column {missing[0]!r}; "
                "name another file"
            )
        return rows

    def _row(self, row: Mapping[str, Any]) -> Row:
        if row["error"]:
            return Row(str(row["clip"]), None, None, str(row["error"]))
        try:
            levels = {word: float(row[word]) for word in self._words}
            return Row(str(row["clip"]), float(row["score"]), levels)
        except (TypeError, ValueError) as error:
            raise CallError(f"{self.path}: {row['clip']}: {error}") from None

    def finish(self, given: Sequence[Given], known: Mapping[str, Row]) -> None:
        """Write the file, whole and at once, and remove the work in progress."""
        names = columns_of(given, self.ours)
        rows = []
        for item in given:
            row = row_of(item, known)
            levels = row.levels or dict.fromkeys(self._words)
            ours = {"clip": row.clip, "score": row.score, **levels, "error": row.error, "model": self._model}
            rows.append(ours | {called: item.columns.get(name) for name, called in names.items()})
        put_file(self.path, _WRITERS[self.path.suffix.lower()](rows, [*self.ours, *names.values()], len(self.ours)))
        self.part.unlink(missing_ok=True)


@contextmanager
def kept_nowhere(given: Sequence[Given]) -> Iterator[Progress]:
    """Give the progress of a run without a file: everything is to do."""
    yield Progress({}, list({item.clip: item for item in given if item.path}.values()), 0)


def row_of(item: Given, known: Mapping[str, Row]) -> Row:
    """Give the row of one thing that was given."""
    return known[item.clip] if item.path else Row(item.clip, None, None, item.error)


def columns_of(given: Iterable[Given], ours: Sequence[str]) -> dict[str, str]:
    """List the columns of the tables, and what they are called beside ours."""
    names = dict.fromkeys(name for item in given for name in item.columns)
    called: dict[str, str] = {}
    for name in names:
        new = name
        while new in ours or (new != name and new in names):
            new = f"{OTHERS}{new}"
        called[name] = new
    return called


def _scored(rows: Mapping[str, Row]) -> dict[str, Row]:
    return {clip: row for clip, row in rows.items() if row.score is not None}


def _hash(todo: Sequence[Given], window: int) -> str:
    digest = hashlib.sha256(f"{window}\n".encode())
    for item in todo:
        digest.update(f"{item.clip}\0".encode())
    return digest.hexdigest()[:16]


def _written_csv(rows: Sequence[Mapping[str, Any]], names: Sequence[str], _ours: int) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    return value if value is None or isinstance(value, (str, int, float)) else _text(value)


def _written_jsonl(rows: Sequence[Mapping[str, Any]], names: Sequence[str], _ours: int) -> bytes:
    lines = [{name: row[name] for name in names} for row in rows]
    return b"".join(json_text(line, default=_text).encode() + b"\n" for line in lines)


def _written_parquet(rows: Sequence[Mapping[str, Any]], names: Sequence[str], ours: int) -> bytes:
    import pyarrow
    import pyarrow.parquet

    columns = {}
    for index, name in enumerate(names):
        values = [row[name] for row in rows]
        if index < ours:
            text = name in {"clip", "error", "model"}
            columns[name] = pyarrow.array(values, pyarrow.string() if text else pyarrow.float64())
            continue
        try:
            columns[name] = pyarrow.array(values)
        except (pyarrow.ArrowInvalid, pyarrow.ArrowTypeError):  # a column of several types
            columns[name] = pyarrow.array([None if value is None else _text(value) for value in values])
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else str(value)


def _read_csv(path: Path) -> list[dict[str, Any]]:
    csv.field_size_limit(2**31 - 1)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    if not all(isinstance(row, dict) for row in rows):
        raise ValueError("a line is no object")
    return rows


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    rows: list[dict[str, Any]] = pyarrow.parquet.read_table(path).to_pylist()
    return rows


_WRITERS = {".csv": _written_csv, ".jsonl": _written_jsonl, ".parquet": _written_parquet}
_READERS = {".csv": _read_csv, ".jsonl": _read_jsonl, ".parquet": _read_parquet}
