"""Two sets of rows side by side, by id: a line of each file in memory at a time."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from schemas.errors import DataError
from schemas.manifest import FileEntry
from schemas.validate import Problem, check_bytes

T = TypeVar("T", bound=msgspec.Struct)
BLOCK = 1 << 20


class Row(NamedTuple):
    """One line of a file of rows that are sorted by id."""

    id: str
    raw: bytes
    file: str
    line: int

    @property
    def split(self) -> str:
        """The split that a file of samples holds."""
        return self.file.rpartition("/")[2].partition("-")[0]

    def read(self, kind: type[T]) -> T:
        """Read the row. Raises DataError naming file, line and field of what is wrong."""
        found = check_bytes(self.raw, kind, self.file, self.line)
        if isinstance(found, Problem):
            raise DataError(str(found))
        return found


class _Named(msgspec.Struct):
    id: str


_NAMED = msgspec.json.Decoder(_Named)


def differing(before: Mapping[str, FileEntry], after: Mapping[str, FileEntry]) -> tuple[list[str], list[str]]:
    """List the files of each side that the other has not, or has with other bytes, sorted."""
    return (
        sorted(name for name, entry in before.items() if after.get(name) != entry),
        sorted(name for name, entry in after.items() if before.get(name) != entry),
    )


def rows_of(corpus: Path, files: Mapping[str, FileEntry], names: Sequence[str]) -> Iterator[Row]:
    """Yield the rows of files by id. Raises DataError for a file that is not as the manifest has it, or unsorted."""
    opened = [_rows_of_file(corpus, name, files[name].bytes) for name in names]
    return opened[0] if len(opened) == 1 else heapq.merge(*opened, key=attrgetter("id"))


def joined(before: Iterator[Row], after: Iterator[Row]) -> Iterator[tuple[Row | None, Row | None]]:
    """Pair the rows of two sides by id, None where one side has not got it."""
    old, new = next(before, None), next(after, None)
    while old or new:
        if new is None or (old is not None and old.id < new.id):
            yield old, None
            old = next(before, None)
        elif old is None or new.id < old.id:
            yield None, new
            new = next(after, None)
        else:
            yield old, new
            old, new = next(before, None), next(after, None)


def _rows_of_file(corpus: Path, name: str, size: int) -> Iterator[Row]:
    path, last = corpus / name, ""
    if not path.is_file() or path.stat().st_size != size:
        raise DataError(f"{path} is not as the manifest has it: vqa2 check {corpus} tells more")
    with path.open("rb", buffering=BLOCK) as lines:
        for number, line in enumerate(lines, 1):
            raw = line.rstrip(b"\r\n")
            try:
                row_id = _NAMED.decode(raw).id
            except (msgspec.DecodeError, ValueError) as error:
                raise DataError(f"{name}:{number}: {error}: vqa2 check {corpus} tells more") from None
            if row_id <= last:
                raise DataError(f"{name}:{number}: {row_id!r} is not in the order of ids that vqa2 build writes")
            last = row_id
            yield Row(row_id, raw, name, number)
