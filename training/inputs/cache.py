"""A cache of what was computed of clips: found again by content and parameters, never by file name.

A cache folder holds one folder for each Method, and in it shards of safetensors, which are memory-mapped when read. An
entry's key hashes the bytes of the clip and the whole Method, so that an entry of another clip, another preprocessing
or other weights cannot be found, wherever its file is put. Each entry carries a checksum, which is held to when it is
first read. Which files there are and every byte of them follow from the entries alone, not from who made them when.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor
from torch import uint8 as byte

from schemas.errors import CallError, DataError

ENTRIES_PER_SHARD = 64
"""The most entries that a shard holds on average: one new entry rewrites that much."""
INDEX = "index.json"
WORK = "work"
"""The folder of a cache in which the engine keeps what was done, and what failed."""
NEW = "new"
"""Where entries wait, a file each, to be packed into shards."""
SUFFIX = ".safetensors"
ABANDONED_SECONDS = 24 * 3600.0
"""After how long a half-written file of a process that may still run is taken to be left behind."""
_FACTS = "entries"


class Method(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How something is computed of a clip: all that the result depends on beside the clip's bytes.

    `version` is that of our code: raise it when the same parameters give other results.
    """

    what: str
    version: int
    params: dict[str, Any]

    @property
    def digest(self) -> str:
        """Hash the method (sha256, hex)."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def folder(self) -> str:
        """Name the folder of this method's entries."""
        return f"{self.what}-{self.digest[:16]}"

    def key(self, clip: str) -> str:
        """Give the key of a clip's entry; `clip` is the sha256 of its bytes (hex)."""
        return hashlib.sha256(f"{self.digest} {clip}".encode()).hexdigest()


@dataclass(frozen=True)
class Entry:
    """What was computed of one clip: a tensor, and plain JSON values beside it."""

    data: Tensor
    facts: dict[str, Any] = field(default_factory=dict)


class Cache:
    """Reads the entries of one method."""

    def __init__(self, root: Path, method: Method) -> None:
        """Open a cache folder. Raises CallError if there is none, DataError if its index is damaged."""
        if not root.is_dir():
            raise CallError(f"{root}: no such cache folder; `vqa2 features` makes one")
        self._folder, self._method = root / method.folder, method
        self._packed = _Packed(self._folder, method)

    def __contains__(self, clip: str) -> bool:
        """Say whether there is an entry for the clip with this sha256."""
        return self._shard_of(self._method.key(clip)) is not None

    def get(self, clip: str) -> Entry | None:
        """Read the entry for the clip with this sha256, None if there is none. Raises DataError if it is damaged."""
        key = self._method.key(clip)
        shard = self._shard_of(key)
        return shard.read(key) if shard else None

    def _shard_of(self, key: str) -> _Shard | None:
        """Find the shard with an entry. Where there is none, another process may have packed since: look once more."""
        packed = self._packed
        if (shard := packed.shard_of(key)) or not packed.is_old():
            return shard
        # In one step: other threads may read meanwhile.
        self._packed = packed = _Packed(self._folder, self._method)
        return packed.shard_of(key)


def require_cache(root: Path) -> None:
    """Raise CallError for a folder that is not there, or is no cache nor empty as a new one is."""
    if not root.is_dir():
        raise CallError(f"{root}: no such cache folder; `vqa2 features` makes one")
    if not (root / WORK).is_dir() and not any(root.glob(f"*/{INDEX}")) and any(root.iterdir()):
        raise CallError(f"{root}: no cache folder; `vqa2 features` makes one")


def write_new(root: Path, method: Method, clip: str, entry: Entry) -> dict[str, int]:
    """Keep what was computed of a clip until it is packed. Gives the file below `new_folder`, and its bytes."""
    key = method.key(clip)
    path = Path(method.folder) / NEW / key[:2] / f"{key}{SUFFIX}"
    whole = root / path
    whole.parent.mkdir(parents=True, exist_ok=True)
    _write(whole, {key: entry})
    return {path.as_posix(): whole.stat().st_size}


def pack(root: Path, method: Method) -> int:
    """Move the entries that wait into shards and give their number.

    A reader finds the old or the new state of a shard at any time; a run that is killed is taken up by the next.
    Raises DataError naming a file that is damaged: nothing of it gets into a shard.
    """
    folder = root / method.folder
    if not (folder / NEW).is_dir():
        return 0
    with _alone(folder):
        waiting = {path.stem: path for path in sorted((folder / NEW).glob(f"*/*{SUFFIX}"))}
        if not waiting:
            return 0
        old_count = _shard_count(folder, method)
        old = {i: folder / _shard_name(i, old_count) for i in range(old_count)}
        known = {key for path in old.values() if path.is_file() for key in _Shard(path).sums}
        fresh = waiting.keys() - known
        # Never fewer than there are: a shard that someone removed is about to be filled again.
        count = max(old_count, _count_for(len(known | fresh)))
        coming: defaultdict[int, list[str]] = defaultdict(list)
        for key in sorted(fresh):
            coming[_spread(key) % count].append(key)
        for index in range(count) if count != old_count else sorted(coming):
            entries: dict[str, Entry] = {}
            # Counts are powers of two: what is in this shard was in that one.
            if old_count and (source := old[index % old_count]).is_file():
                shard = _Shard(source)
                entries |= {key: shard.read(key) for key in shard.sums if _spread(key) % count == index}
            entries |= {key: _only(waiting[key], key) for key in coming[index]}
            if entries:
                _write(folder / _shard_name(index, count), entries)
        write_whole(folder / INDEX, _index(method, count))
        outgrown = [p for p in folder.glob(f"*{SUFFIX}") if not p.name.endswith(f"-of-{count:06d}{SUFFIX}")]
        _sweep(folder, [*outgrown, *waiting.values()])
        return len(fresh)


class _Packed:
    """The shards of a method as they were at one time; each is opened when it is needed."""

    def __init__(self, folder: Path, method: Method) -> None:
        self._folder = folder
        self._time = _written_at(folder)  # before the index is read: what comes between makes this old
        self._count = _shard_count(folder, method)
        self._shards: dict[int, _Shard | None] = {}

    def is_old(self) -> bool:
        """Say whether something was packed since."""
        return _written_at(self._folder) != self._time

    def shard_of(self, key: str) -> _Shard | None:
        """Find the shard that holds an entry."""
        if not self._count:
            return None
        index = _spread(key) % self._count
        if index not in self._shards:
            try:
                self._shards[index] = _Shard(self._folder / _shard_name(index, self._count))
            except FileNotFoundError:
                self._shards[index] = None
        shard = self._shards[index]
        return shard if shard and key in shard.sums else None


class _Shard:
    """One file of entries, memory-mapped; `sums` are the keys in it, with checksum and facts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._checked: set[str] = set()
        try:
            self._file = _opened(path)
            self.sums: dict[str, dict[str, Any]] = orjson.loads(self._file.metadata()[_FACTS])
            if set(self._file.keys()) != self.sums.keys():
                raise self._damaged("its header contradicts itself")
        except (SafetensorError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise self._damaged(error) from None

    def read(self, key: str) -> Entry:
        """Read one entry. Raises DataError when it is not what was written."""
        told = self.sums[key]
        try:
            entry = Entry(self._file.get_tensor(key), told["facts"])
            if key not in self._checked and _checksum(key, entry) != told["sha256"]:
                raise self._damaged(f"the entry {key[:12]} is not what was written")
        except (SafetensorError, KeyError, TypeError) as error:
            raise self._damaged(error) from None
        self._checked.add(key)
        return entry

    def _damaged(self, reason: object) -> DataError:
        return DataError(f"{self._path} is damaged ({reason}): remove it and run `vqa2 features` again")


def _opened(path: Path) -> Any:
    return safe_open(path, "pt")


def _sweep(folder: Path, done: Iterable[Path]) -> None:
    """Remove files that are done with, and what killed runs left half written."""
    for path in done:
        path.unlink(missing_ok=True)
    for path in (*folder.glob(".*.tmp"), *(folder / NEW).glob("*/.*.tmp")):
        with contextlib.suppress(FileNotFoundError):
            if path.parent == folder or path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                path.unlink()


def _only(path: Path, key: str) -> Entry:
    """Read a file of one entry."""
    shard = _Shard(path)
    if key not in shard.sums:
        raise DataError(f"{path} holds the entry of another key: remove it and run `vqa2 features` again")
    return shard.read(key)


def _write(path: Path, entries: Mapping[str, Entry]) -> None:
    told = {k: {"sha256": _checksum(k, entry), "facts": entry.facts} for k, entry in entries.items()}
    # One metadata value only: safetensors writes several in no fixed order.
    metadata = {_FACTS: orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()}
    write_whole(path, save({k: entries[k].data.contiguous() for k in sorted(entries)}, metadata))


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _checksum(key: str, entry: Entry) -> str:
    told = [key, str(entry.data.dtype), list(entry.data.shape), entry.facts]
    digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS))
    digest.update(bytes_of(entry.data))
    return digest.hexdigest()


def bytes_of(tensor: Tensor) -> memoryview:
    """View the bytes of a tensor, whatever its type."""
    flat: NDArray[np.uint8] = tensor.detach().cpu().contiguous().reshape(-1).view(byte).numpy()
    return flat.data


def _index(method: Method, count: int) -> bytes:
    value = {"method": msgspec.to_builtins(method), "digest": method.digest, "shards": count}
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2) + b"\n"


def _written_at(folder: Path) -> tuple[int, int] | None:
    """Tell one writing of the index from another; None where there is none."""
    try:
        told = (folder / INDEX).stat()
    except FileNotFoundError:
        return None
    return told.st_ino, told.st_mtime_ns


def _shard_count(folder: Path, method: Method) -> int:
    """Read how many shards there are; 0 where nothing was packed."""
    try:
        told = orjson.loads((folder / INDEX).read_bytes())
        count = int(told["shards"])
        if told["digest"] != method.digest or count < 1 or count & (count - 1):
            raise ValueError("it is another method's, or names an impossible number of shards")
    except FileNotFoundError:
        return 0
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder / INDEX} is damaged ({error}): remove the folder {folder.name!r}") from None
    return count


def _count_for(entries: int) -> int:
    """Give the number of shards for so many entries: a power of two, so that shards split cleanly as a cache grows."""
    return 1 << (max(1, -(-entries // ENTRIES_PER_SHARD)) - 1).bit_length()


def _spread(key: str) -> int:
    return int(key[:15], 16)


def _shard_name(index: int, count: int) -> str:
    return f"{index:06d}-of-{count:06d}{SUFFIX}"


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else packs this folder, and keep others out."""
    with (folder / ".lock").open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
