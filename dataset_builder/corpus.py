"""A corpus folder: where its parts lie, and how its samples are read and written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from schemas.draws import share
from schemas.errors import CallError, DataError
from schemas.manifest import FileEntry, Manifest
from schemas.sample import Sample
from schemas.validate import Problem, check_bytes, read_jsonl

MANIFEST = "manifest.json"
QUARANTINE = "quarantine.jsonl"
CARD = "README.md"
SHARD_ROWS = 50_000
"""Rows a data file holds at most, about: a split of more is spread over shards by hash(id)."""


def read_manifest(corpus: Path) -> Manifest:
    """Read the manifest of a corpus. Raises CallError if the folder is no corpus, DataError if it is unreadable."""
    path = corpus / MANIFEST
    if not path.is_file():
        raise CallError(f"{str(corpus)!r} is no corpus: there is no {MANIFEST} in it (build one: vqa2 build RECIPE)")
    manifest = check_bytes(path.read_bytes(), Manifest, MANIFEST, 0)
    if isinstance(manifest, Problem):
        raise DataError(str(manifest))
    return manifest


def read_samples(corpus: Path, config: str, split: str | None = None) -> Iterator[Sample]:
    """Yield the samples of one config, in the order of its files.

    Raises CallError for an unknown config, DataError naming file, line and field of the first unusable line.
    """
    folder = corpus / "data" / config
    if not folder.is_dir():
        known = sorted(p.name for p in (corpus / "data").glob("*") if p.is_dir())
        raise CallError(f"the corpus has no config {config!r}; it has: {', '.join(known) or 'none'}")
    for path in sorted(folder.glob(f"{split or '*'}-*.jsonl")):
        for _, sample in read_jsonl(path, Sample, path.relative_to(corpus).as_posix()):
            if isinstance(sample, Problem):
                raise DataError(str(sample))
            yield sample


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
