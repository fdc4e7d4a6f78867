"""Shards of work on disk: what was done of each is kept, item by item, under a key of what its result depends on.

A stage has a folder. A shard that is done is a part in it, `{shard}-{hash of its items' keys}.jsonl`, one line an item
in the order of ids; that it exists means that it is whole. While a shard is worked on, lines are appended to a journal
beside it, so that a killed run loses the item at hand and no more. Another input gives another key, so a line can only
be read by whom it was written for.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from dataset_builder.engine.sandbox import NO_PLACE, Item, Outcome, Sandbox, no_place
from dataset_builder.leftovers import is_abandoned
from schemas.errors import CallError


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

    `left` names the files that earlier runs left of it beside the part.
    """

    stage: Stage
    work: Sequence[Work]
    keys: Sequence[str]
    part: Path
    left: Sequence[str]
    retry_failed: bool


@dataclass(frozen=True)
class ShardDone:
    """What became of a shard: how many items have a result, failed, and how many of both were known before."""

    part: Path
    done: int
    failed: int
    reused: int


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
    """Yield id and outcome of every item of a part. Raises CallError if the part is gone or damaged."""
    try:
        lines = path.read_bytes().splitlines()
        for _, item_id, outcome in map(_parsed, lines):
            yield item_id, outcome
    except FileNotFoundError:
        raise CallError(f"{path} is gone: another run with other inputs uses the same work folder") from None
    except (orjson.JSONDecodeError, KeyError):
        raise CallError(f"{path} is damaged: remove it and run again") from None


def run_shard(shard: Shard, sandbox: Sandbox, told: Callable[[Outcome], None]) -> ShardDone:
    """Run what is not known yet of a shard and write its part whole; `told` hears of every item.

    Raises CallError where nothing can be written.
    """
    try:
        return _run_shard(shard, sandbox, told)
    except OSError as error:
        if error.errno in NO_PLACE:
            raise no_place(f"{str(shard.part.parent)!r}", error.errno) from None
        raise


def _run_shard(shard: Shard, sandbox: Sandbox, told: Callable[[Outcome], None]) -> ShardDone:
    known = _known(shard)
    lines: list[bytes] = []
    failed = reused = 0
    with _Journal(shard.part) as journal:
        for work, key in zip(shard.work, shard.keys, strict=True):
            outcome = known.get(key)
            if outcome is not None and _holds(outcome, work, retry_failed=shard.retry_failed):
                reused += 1
                line = _line(key, work.id, outcome)
            else:
                outcome = sandbox.call({**shard.stage.params, **work.content, **work.arguments})
                line = _line(key, work.id, outcome)
                journal.append(line)
            lines.append(line)
            failed += outcome.error is not None
            told(outcome)
        # A part that is there already holds the same lines, unless one of them was tried anew.
        if reused < len(lines) or not shard.part.is_file():
            _write_whole(shard.part, b"".join(lines))
    _sweep(shard)
    return ShardDone(shard.part, len(lines) - failed, failed, reused)


def _hash(value: Any) -> str:
    return hashlib.blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _line(key: str, item_id: str, outcome: Outcome) -> bytes:
    value: Item = {"key": key, "id": item_id, "result": outcome.result}
    if outcome.error is not None:
        value |= {"error": outcome.error, "transient": outcome.transient}
    return orjson.dumps(value) + b"\n"


def _parsed(line: bytes) -> tuple[str, str, Outcome]:
    value = orjson.loads(line)
    outcome = Outcome(value["result"], value.get("error"), value.get("transient", False))
    return value["key"], value["id"], outcome


def _known(shard: Shard) -> dict[str, Outcome]:
    """Read what earlier runs, ended or not, left of this shard. A line that was cut short counts as not written."""
    known: dict[str, Outcome] = {}
    for name in dict.fromkeys([*shard.left, shard.part.name]):
        try:
            content = (shard.part.parent / name).read_bytes()
        except FileNotFoundError:
            continue
        for line in content[: content.rfind(b"\n") + 1].splitlines():
            try:
                key, _, outcome = _parsed(line)
            except (orjson.JSONDecodeError, KeyError):
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


class _Journal:
    """Lines of a shard that is being worked on; made with the first of them, removed when the part is written."""

    def __init__(self, part: Path) -> None:
        self._path = part.with_name(f".{part.stem}.wip.{_here()}")
        self._descriptor: int | None = None

    def __enter__(self) -> _Journal:
        return self

    def append(self, line: bytes) -> None:
        """Write one line in one call: another process never sees half of it, a killed one leaves no more than half."""
        if self._descriptor is None:
            self._descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        written = os.write(self._descriptor, line)
        if written < len(line):  # the disk filled up within the line; what follows it says so by name
            os.write(self._descriptor, line[written:])

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            if kind is None:
                self._path.unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.stem}.tmp.{_here()}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _here() -> str:
    """Name this thread among all that may share the folder."""
    return f"{os.getpid()}.{threading.get_ident()}.{socket.gethostname()}"


def _sweep(shard: Shard) -> None:
    """Remove what earlier runs left of a shard that is done: parts of other inputs, journals of the dead."""
    for name in shard.left:
        path = shard.part.with_name(name)
        if path == shard.part:
            continue
        if name.startswith("."):  # .{part}.{wip or tmp}.{pid}.{thread}.{host}
            _, _, pid, _, host = name[1:].split(".", 4)
            if not is_abandoned(path, int(pid), host):
                continue
        path.unlink(missing_ok=True)
