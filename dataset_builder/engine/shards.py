"""Shards of work on disk: what was done of each is kept, item by item, under a key of what its result depends on.

A stage has a folder. A shard that is done is a part in it, `{shard}-{hash of its items' keys}.jsonl`, one line an item
in the order of ids; that it exists means that it is whole. While a shard is worked on, lines are appended to a journal
beside it, so that a killed run loses the item at hand and no more. Another input gives another key, so a line can only
be read by whom it was written for.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import socket
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

import orjson

from dataset_builder.engine.sandbox import NO_PLACE, Item, Outcome, no_place
from dataset_builder.leftovers import is_abandoned
from schemas.errors import CallError, DataError

UNFINISHED = ".unfinished"
"""Where journals lie, in the folder of a stage."""


@dataclass(frozen=True)
class Stage:
    """A named function that is run over items, and what its results depend on beside them.

    `version` and `params` are part of every key: raise the version when the function gives other results. `timeout`
    is in seconds an item. A stage with `gpus` gets that many of them for each process where the engine deals them out.
    """

    name: str
    function: str
    version: int | str = 1
    params: Item = field(default_factory=dict)
    timeout: float = 600.0
    gpus: float = 0.0
    shard_size: int = 64


@dataclass(frozen=True)
class Work:
    """One item: `id` is its stable name, `content` what its result depends on, `arguments` what else it is given.

    `arguments` (paths of this host) are no part of the key and must leave no trace in the result. The function gets
    one dict of the stage's params, the content and the arguments.
    """

    id: str
    content: Item
    arguments: Item = field(default_factory=dict)


@dataclass(frozen=True)
class Shard:
    """One shard to be run: its work in the order of ids with the keys, and the part that the results go to.

    `older` names the parts that earlier runs made of this shard.
    """

    stage: Stage
    work: Sequence[Work]
    keys: Sequence[str]
    part: Path
    older: Sequence[str]
    retry_failed: bool


@dataclass(frozen=True)
class ShardDone:
    """What became of a shard: how many items have a result, failed, and how many of both were known before."""

    part: Path
    done: int
    failed: int
    reused: int


class Caller(Protocol):
    """What runs one item of a stage."""

    def call(self, item: Item) -> Outcome:
        """Run the stage's function on the item."""
        ...


def source_digest(*modules: str, files: Iterable[Path] = ()) -> str:
    """Hash the source of modules, of packages with all that is in them, and of files: for a stage's version."""
    paths: list[Path] = []
    for module in modules:
        spec = importlib.util.find_spec(module)
        if spec is None or spec.origin is None:
            raise ValueError(f"there is no module {module!r}")
        origin = Path(spec.origin)
        paths += sorted(origin.parent.rglob("*.py")) if origin.name == "__init__.py" else [origin]
    digest = hashlib.sha256()
    for path in [*paths, *sorted(files)]:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def key_of(stage: Stage, work: Work) -> str:
    """Hash what a result depends on: the stage, its version and params, and the content of the item."""
    return _hash([stage.name, stage.function, stage.version, stage.params, work.content])


def part_name(index: int, work: Sequence[Work], keys: Sequence[str]) -> str:
    """Name the part of a shard by what is in it."""
    return f"{index:06d}-{_hash([[item.id, key] for item, key in zip(work, keys, strict=True)])[:12]}.jsonl"


def read_part(path: Path) -> Iterator[tuple[str, Outcome]]:
    """Yield id and outcome of every item of a part. Raises CallError if the part is gone, DataError if damaged."""
    try:
        lines = path.read_bytes().splitlines()
        for _, item_id, outcome in map(_parsed, lines):
            yield item_id, outcome
    except FileNotFoundError:
        raise CallError(f"{path} is gone: another run with other inputs uses the same work folder") from None
    except ValueError:
        raise DataError(f"{path} is damaged: remove it and run again") from None


def run_shard(shard: Shard, caller: Caller, told: Callable[[Outcome], None]) -> ShardDone:
    """Run what is not known yet of a shard and write its part whole; `told` hears of every item.

    Raises CallError where nothing can be written.
    """
    try:
        return _run_shard(shard, caller, told)
    except OSError as error:
        if error.errno in NO_PLACE:
            raise no_place(f"{str(shard.part.parent)!r}", error.errno) from None
        raise


def _run_shard(shard: Shard, caller: Caller, told: Callable[[Outcome], None]) -> ShardDone:
    known = _known(shard)
    lines: list[bytes] = []
    failed = reused = 0
    with _Unfinished(shard.part) as unfinished:
        for work, key in zip(shard.work, shard.keys, strict=True):
            outcome = known.get(key)
            if outcome is not None and _holds(outcome, work, retry_failed=shard.retry_failed):
                reused += 1
                line = _line(key, work.id, outcome)
            else:
                outcome = caller.call({**shard.stage.params, **work.content, **work.arguments})
                line = _line(key, work.id, outcome)
                unfinished.append(line)
            lines.append(line)
            failed += outcome.error is not None
            told(outcome)
        # A part that is there already holds the same lines, unless one of them was tried anew.
        if reused < len(lines) or not shard.part.is_file():
            unfinished.write_part(b"".join(lines))
    for name in shard.older:
        if name != shard.part.name:
            shard.part.with_name(name).unlink(missing_ok=True)
    return ShardDone(shard.part, len(lines) - failed, failed, reused)


def _hash(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _line(key: str, item_id: str, outcome: Outcome) -> bytes:
    value: Item = {"key": key, "id": item_id, "result": outcome.result}
    if outcome.error is not None:
        value |= {"error": outcome.error, "transient": outcome.transient}
    written = orjson.dumps(value)
    return b"%08x %b\n" % (zlib.crc32(written), written)


def _parsed(line: bytes) -> tuple[str, str, Outcome]:
    """Read a line. Raises ValueError for one that is not as it was written."""
    checksum, _, written = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(written):
        raise ValueError("a line is not as it was written")
    value = orjson.loads(written)
    outcome = Outcome(value["result"], value.get("error"), value.get("transient", False))
    return value["key"], value["id"], outcome


def _known(shard: Shard) -> dict[str, Outcome]:
    """Read what earlier runs, ended or not, left of this shard. A line that was cut short counts as not written."""
    known: dict[str, Outcome] = {}
    parts = [shard.part.with_name(name) for name in dict.fromkeys([*shard.older, shard.part.name])]
    for path in [*parts, *_Unfinished.journals(shard.part)]:
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            continue
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            try:
                key, _, outcome = _parsed(line)
            except ValueError:
                continue
            if key not in known or known[key].error is not None:
                known[key] = outcome
    return known


def _holds(outcome: Outcome, work: Work, *, retry_failed: bool) -> bool:
    """Say whether an earlier outcome still stands: its side files are there, and it need not be tried anew."""
    if outcome.result is None:
        return not retry_failed
    folder, files = work.arguments.get("files_folder"), outcome.result.get("files")
    if folder is None or not isinstance(files, Mapping):
        return True
    return all(_size(Path(folder) / name) == size for name, size in files.items())


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


class _Unfinished:
    """What there is of a shard before its part is whole: journals, one for each process that works on it.

    They lie in `.unfinished/{shard}/` as `journal.{pid}.{thread}.{host}`, and are gone when the shard is done.
    """

    def __init__(self, part: Path) -> None:
        self._part = part
        self._folder = self.folder(part)
        self._writer = f"{os.getpid()}.{threading.get_ident()}.{socket.gethostname()}"
        self._journal: FileIO | None = None

    @staticmethod
    def folder(part: Path) -> Path:
        return part.parent / UNFINISHED / part.name.partition("-")[0]

    @classmethod
    def journals(cls, part: Path) -> list[Path]:
        """List the journals of a shard, whoever wrote them."""
        return sorted(cls.folder(part).glob("journal.*"))

    def __enter__(self) -> _Unfinished:
        return self

    def append(self, line: bytes) -> None:
        """Write one line in one call: another process never sees half of it, a killed one leaves no more than half."""
        if self._journal is None:
            self._journal = self._open("journal")
        written = self._journal.write(line)
        if written < len(line):  # the disk filled up within the line; trying again says so by name
            self._journal.write(line[written:])

    def write_part(self, content: bytes) -> None:
        """Put the part to its place, whole."""
        with self._open("part") as file:
            file.write(content)
            os.fsync(file.fileno())
        self._path("part").replace(self._part)

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if self._journal is not None:
            self._journal.close()
        self._path("part").unlink(missing_ok=True)
        if kind is None:
            self._path("journal").unlink(missing_ok=True)
            # Another process may be at work on this shard, or have removed the folder.
            with contextlib.suppress(OSError):
                for path in list(self._folder.iterdir()):
                    _, pid, _, host = path.name.split(".", 3)
                    if is_abandoned(path, int(pid), host):
                        path.unlink(missing_ok=True)
                self._folder.rmdir()
                self._folder.parent.rmdir()

    def _path(self, what: str) -> Path:
        return self._folder / f"{what}.{self._writer}"

    def _open(self, what: str) -> FileIO:
        while True:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                return self._path(what).open("ab", buffering=0)
            except FileNotFoundError:
                continue  # another slot, done with its shard, removed the folder
            except FileExistsError:  # so it did between two looks of mkdir, unless there is a file in the place
                if self._folder.is_file() or self._folder.parent.is_file():
                    raise
