"""A corpus folder: where its parts lie, and how its samples are read and written."""

from __future__ import annotations

import contextlib
import difflib
import errno
import glob
import hashlib
import itertools
import os
import shutil
import socket
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dataset_builder.leftovers import is_abandoned
from schemas.draws import share
from schemas.errors import CallError, DataError
from schemas.manifest import FileEntry, Manifest
from schemas.record import Record
from schemas.sample import Sample
from schemas.validate import Problem, check_bytes, read_jsonl

MANIFEST = "manifest.json"
QUARANTINE = "quarantine.jsonl"
RECORDS = "records.jsonl"
"""What is known of every clip that is shown, and of every clean clip that one of them was made from."""
CARD = "README.md"
REPLACEMENTS = 100
"""How often a folder is put to its place anew where other processes do the same at the same time."""
SHARD_ROWS = 50_000
"""Rows a data file holds at most, about: a split of more is spread over shards by hash(id)."""


def read_manifest(corpus: Path) -> Manifest:
    """Read the manifest of a corpus. Raises CallError if the folder is no corpus, DataError if it is unreadable."""
    path = corpus / MANIFEST
    if not path.is_file():
        near = _nearest(corpus.name, [p.parent.name for p in corpus.parent.glob(f"*/{MANIFEST}")])
        hint = near or "; vqa2 build RECIPE makes one"
        raise CallError(f"{str(corpus)!r} is no corpus: there is no {MANIFEST} in it{hint}")
    manifest = check_bytes(path.read_bytes(), Manifest, MANIFEST, 0)
    if isinstance(manifest, Problem):
        raise DataError(str(manifest))
    return manifest


@dataclass(frozen=True)
class Located:
    """A sample and where it stands, `data/<config>/<file>:<line>`, for messages."""

    sample: Sample
    where: str

    def error(self, reason: object) -> DataError:
        """Make the error that names this sample."""
        return DataError(f"{self.where}: sample {self.sample.id}: {reason}")


def corpus_configs(corpus: Path) -> list[str]:
    """List the configs of a corpus folder. Raises CallError when it is none."""
    data = corpus / "data"
    if not data.is_dir():
        near = _nearest(corpus.name, [p.parent.name for p in corpus.parent.glob("*/data")])
        raise CallError(f"{corpus}: no corpus folder (it has no data/ in it){near}")
    return sorted(p.name for p in data.iterdir() if p.is_dir())


def read_samples(corpus: Path, config: str, split: str | None = None) -> Iterator[Located]:
    """Yield the samples of one config, or of one split of it, in the order of its files.

    Raises CallError for a config that the corpus has not, DataError naming file, line and field of what is wrong.
    """
    known = corpus_configs(corpus)
    if config not in known:
        raise CallError(f"{corpus}: no config {config!r}{_nearest(config, known)}; there are: {', '.join(known)}")
    for path in sorted((corpus / "data" / config).glob(f"{split or '*'}-*.jsonl")):
        name = path.relative_to(corpus).as_posix()
        for line, sample in read_jsonl(path, Sample, name):
            if isinstance(sample, Problem):
                raise DataError(str(sample))
            yield Located(sample, f"{name}:{line}")


def read_records(corpus: Path) -> list[Record]:
    """Read the records of a corpus. Raises CallError when it has none, DataError naming a line that is wrong."""
    path = corpus / RECORDS
    if not path.is_file():
        raise CallError(f"{str(corpus)!r}: there is no {RECORDS} in it: build it again")
    found = []
    for _, record in read_jsonl(path, Record, RECORDS):
        if isinstance(record, Problem):
            raise DataError(str(record))
        found.append(record)
    return found


def write_samples(corpus: Path, config: str, split: str, samples: Sequence[Sample]) -> None:
    """Write the samples of one config and split, sorted by id, into one or more shards."""
    count = max(1, -(-len(samples) // SHARD_ROWS))
    shards: list[list[Sample]] = [[] for _ in range(count)]
    for sample in sorted(samples, key=lambda s: s.id):
        shards[int(share(0, sample.id) * count)].append(sample)
    for index, rows in enumerate(shards):
        write_jsonl(corpus / "data" / config / f"{split}-{index:05d}-of-{count:05d}.jsonl", rows)


def write_jsonl(path: Path, rows: Iterable[msgspec.Struct]) -> None:
    """Write structs as JSON lines: every key, keys in the order of the struct."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")


def write_manifest(corpus: Path, manifest: Manifest) -> None:
    """Write the manifest, at once: whoever reads meanwhile has the old or the new one whole."""
    put_file(corpus / MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n")


def put_file(path: Path, data: bytes) -> None:
    """Write a file that takes the place of an older one at once. `files_of` does not list what a kill leaves of it."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Give a new folder to fill, which takes the place of `folder` when the context ends well.

    `folder` appears whole or not at all; what was there stays until then. Nothing else beside it is touched, and a
    failure leaves nothing behind; what a killed process left is removed.
    """
    place = folder.resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    for left in unfinished(place):
        pid, _, host = left.name.rpartition(".new.")[2].rpartition(".")[0].partition(".")
        if is_abandoned(left, int(pid), host):
            shutil.rmtree(left, ignore_errors=True)
    prefix = f".{place.name}.new.{os.getpid()}.{socket.gethostname()}."
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=prefix, ignore_cleanup_errors=True) as scratch:
        new = Path(scratch) / "new"
        new.mkdir()
        yield new
        for attempt in itertools.count():
            if place.exists():
                with contextlib.suppress(FileNotFoundError):  # another process is putting its own there
                    place.rename(Path(scratch) / f"old{attempt}")
            try:
                new.rename(place)
            except OSError as error:
                if error.errno not in {errno.ENOTEMPTY, errno.EEXIST} or attempt == REPLACEMENTS:
                    raise
            else:
                return


def unfinished(folder: Path) -> list[Path]:
    """List what processes, at work or killed, are making of `folder` or left of it."""
    place = folder.resolve()
    return sorted(place.parent.glob(f".{glob.escape(place.name)}.new.*"))


def file_entry(path: Path) -> FileEntry:
    """Hash a file."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(sha256=sha256, bytes=path.stat().st_size)


def files_of(corpus: Path) -> list[str]:
    """List the files of a corpus folder, without the manifest and hidden entries (`.git`, `.cache`), sorted."""
    found = []
    for parent, folders, files in os.walk(corpus):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = (Path(parent) / name).relative_to(corpus).as_posix()
            if path != MANIFEST and not name.startswith("."):
                found.append(path)
    return sorted(found)


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]!r}?" if near else ""
