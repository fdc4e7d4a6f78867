"""Clips in tars of about a gigabyte, as WebDataset reads them, for corpora of more clips than a repository bears.

A tar holds each clip as `<sha256>.<ending>`, by which `records.jsonl` knows it. Which tar a clip is in follows from its
hash alone, so one clip more changes one tar, and another label none; the same clips give the same bytes.
https://github.com/webdataset/webdataset
"""

from __future__ import annotations

import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from dataset_builder.corpus import file_entry
from dataset_builder.progress import Tracker, untracked
from schemas.errors import DataError
from schemas.manifest import FileEntry
from schemas.validate import Problem, check_bytes

TARS = "media/tars.json"
TAR_BYTES = 2**30
"""About how many bytes a tar holds."""
_TAR = re.compile(r"media/clips-\d{5,}-of-\d{5,}\.tar")


class Tars(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What `media/tars.json` holds: the tars of the clips, by path, with their hash and size."""

    files: dict[str, FileEntry]


def write_tars(corpus: Path, folder: Path, clips: Mapping[str, FileEntry], track: Tracker = untracked) -> Tars:
    """Write the clips of a corpus, by path, into tars below `folder`, and the list of them. Raises OSError."""
    count = 2 ** (sum(entry.bytes for entry in clips.values()) // TAR_BYTES).bit_length()
    bins: dict[str, list[str]] = defaultdict(list)
    for path, entry in clips.items():
        bins[_tar_of(entry, count)].append(path)
    advance = track("packing clips", len(clips))
    written: dict[str, FileEntry] = {}
    for name, paths in sorted(bins.items()):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(paths, key=lambda path: clips[path].sha256):
                with (corpus / path).open("rb") as file:
                    tar.addfile(_member(_name(path, clips[path]), clips[path].bytes), file)
                advance()
        written[name] = file_entry(target)
    tars = Tars(files=written)
    (folder / TARS).parent.mkdir(parents=True, exist_ok=True)
    (folder / TARS).write_bytes(msgspec.json.format(msgspec.json.encode(tars), indent=2) + b"\n")
    return tars


def read_tars(folder: Path) -> Tars | None:
    """Read the list of tars; None if the clips are no tars. Raises DataError."""
    path = folder / TARS
    if not path.is_file():
        return None
    tars = check_bytes(path.read_bytes(), Tars, TARS, 0)
    if isinstance(tars, Problem):
        raise DataError(str(tars))
    for name in tars.files:
        if not _TAR.fullmatch(name):
            raise DataError(f"{TARS}: {name!r} is no name of a tar of clips")
    return tars


def needed(tars: Tars, clips: Iterable[FileEntry]) -> set[str]:
    """Name the tars that hold clips, by the rule that put them there."""
    counts = {int(name.rpartition("-of-")[2].removesuffix(".tar")) for name in tars.files}
    return {_tar_of(entry, count) for entry in clips for count in counts} & tars.files.keys()


def unpack(folder: Path, names: Iterable[str], clips: Mapping[str, FileEntry]) -> None:
    """Put every clip of the tars at its path below `folder`, and remove the tars. Only files of `clips` are written.

    Raises DataError for a tar that is none.
    """
    places = {_name(path, entry): path for path, entry in clips.items()}
    for name in sorted(names):
        try:
            with tarfile.open(folder / name) as tar:
                for member in tar:
                    path = places.get(member.name)
                    file = tar.extractfile(member) if path is not None and member.isfile() else None
                    if path is None or file is None:
                        continue
                    target = folder / path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with target.open("wb") as written:
                        while block := file.read(2**20):
                            written.write(block)
        except tarfile.TarError as error:
            raise DataError(f"{name}: no readable tar ({error}): pull again") from None
        (folder / name).unlink()


def _tar_of(entry: FileEntry, count: int) -> str:
    """Name the tar, of a power of two of them, that a clip is in."""
    return f"media/clips-{int(entry.sha256[:8], 16) * count >> 32:05d}-of-{count:05d}.tar"


def _name(path: str, entry: FileEntry) -> str:
    return entry.sha256 + PurePosixPath(path).suffix


def _member(name: str, size: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644  # no time and no owner: the same clips give the same bytes
    return info
