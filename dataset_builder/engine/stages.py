"""A stage of work over any number of items: split into shards, run by an engine, resumed, shared between machines."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import IO, Protocol

import orjson

from dataset_builder.engine.local import LocalEngine
from dataset_builder.engine.sandbox import Outcome
from dataset_builder.engine.shards import Shard, ShardDone, Stage, Work, key_of, part_name, read_part
from schemas.errors import CallError, DataError

PLAN = "plan.json"
BUCKETS = 128
"""Files that the items of a stage are spread over while they wait; a power of two."""
BUCKET_BYTES = 256 << 10
"""Bytes of a bucket that stay in memory."""
FEWEST_SHARDS = 256
"""Shards that a stage of as many items has at least, so that every slot of a machine has work to the end."""

Part = tuple[int, int]
"""(i, n): the i-th of n runs, counted from 1, that share the shards of every stage."""


class Engine(Protocol):
    """What runs shards: processes of this machine, or of many."""

    def map_unordered(self, shards: Iterable[Shard], told: Callable[[Outcome], None]) -> Iterator[ShardDone]:
        """Run shards and give what became of each as it is done; `told` hears of every item, from one thread."""
        ...


@dataclass
class StageResult:
    """What became of a stage: counts of items, and where the outcomes are.

    `done` have a result, `failed` an error, `reused` of both were known before. `complete` is False where this run is
    one part of several and others have not done theirs.
    """

    shards: int
    done: int = 0
    failed: int = 0
    reused: int = 0
    complete: bool = True
    parts: list[Path] = field(default_factory=list)

    def outcomes(self) -> Iterator[tuple[str, Outcome]]:
        """Yield (id, outcome) of every item whose shard is done, by shard and id: one part in memory at a time."""
        for part in sorted(self.parts):
            yield from read_part(part)


def run_stage(
    stage: Stage,
    work: Iterable[Work],
    folder: Path,
    *,
    engine: Engine | None = None,
    shards: int | None = None,
    part: Part | None = None,
    retry_failed: bool = False,
    told: Callable[[Outcome], None] = lambda _: None,
) -> StageResult:
    """Run a stage over items, keeping results in `folder/<stage name>`; what earlier runs left there is not redone.

    Items are read once and may be more than memory holds. An item belongs to the shard hash(id) % n; n is chosen at
    the first run (or given as `shards`) and kept, so that a new item changes one shard. With `part` only every n-th
    shard is run. With `retry_failed` items that failed are tried again. `told` hears of every item, from one thread.
    Raises CallError where nothing can be written, ValueError for two items of one id.
    """
    place = folder / stage.name
    with contextlib.ExitStack() as stack:
        try:
            place.mkdir(parents=True, exist_ok=True)
            buckets = _Buckets(stack)
            for item in work:
                buckets.add(item)
            count = _shard_count(place, shards or _default_shards(buckets.count, stage.shard_size))
        except OSError as error:
            raise CallError(f"cannot write to {str(place)!r}: {error.strerror}") from None
        result = StageResult(count)
        older = _older(place)

        def wanted() -> Iterator[Shard]:
            for index, items in buckets.by_shard(count):
                keys = [key_of(stage, item) for item in items]
                path = place / part_name(index, items, keys)
                if part is None or index % part[1] == part[0] - 1 or path.name in older[index]:
                    yield Shard(stage, items, keys, path, older[index], retry_failed)
                else:
                    result.complete = False

        for done in (engine or LocalEngine()).map_unordered(wanted(), told):
            result.done += done.done
            result.failed += done.failed
            result.reused += done.reused
            result.parts.append(done.part)
    return result


class _Buckets:
    """Items on their way to shards, on disk where they are many. A bucket holds whole shards, or is a part of one."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.count = 0
        self._files: list[IO[bytes]] = [
            stack.enter_context(tempfile.SpooledTemporaryFile(BUCKET_BYTES))  # noqa: SIM115 - it is one
            for _ in range(BUCKETS)
        ]

    def add(self, work: Work) -> None:
        self.count += 1
        line = orjson.dumps([work.id, work.content, work.arguments])
        self._files[_spread(work.id) % BUCKETS].write(line + b"\n")

    def by_shard(self, count: int) -> Iterator[tuple[int, list[Work]]]:
        """Yield each shard that has items, and these by id. Raises ValueError for two items of one id."""
        step = min(count, BUCKETS)
        for first in range(step):
            found: dict[int, list[Work]] = defaultdict(list)
            for file in self._files[first::step]:
                file.seek(0)
                for line in file:
                    item_id, content, arguments = orjson.loads(line)
                    found[_spread(item_id) % count].append(Work(item_id, content, arguments))
            for index in sorted(found):
                items = sorted(found[index], key=lambda item: item.id)
                for item_id, same in groupby(items, key=lambda item: item.id):
                    if len(list(same)) > 1:
                        raise ValueError(f"two items of one stage are called {item_id!r}")
                yield index, items


def _spread(item_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(item_id.encode(), digest_size=8).digest(), "big")


def _default_shards(items: int, size: int) -> int:
    """Choose a power of two, so that shards and buckets nest: shards of about `size` items, or enough for all slots."""
    return 1 << max(0, max(-(-items // size), min(items, FEWEST_SHARDS)) - 1).bit_length()


def _shard_count(place: Path, wanted: int) -> int:
    """Give the number of shards that the first run of this stage chose; all runs that share the folder agree on it."""
    plan = place / PLAN
    if not plan.is_file():
        with tempfile.NamedTemporaryFile(dir=place, prefix=".plan.") as file:
            file.write(orjson.dumps({"shards": wanted}))
            file.flush()
            try:
                os.link(file.name, plan)
            except FileExistsError:  # another run was first
                pass
            except OSError:  # a file system without links; runs of the same input choose the same anyway
                shutil.copyfile(file.name, plan)
    try:
        count = orjson.loads(plan.read_bytes())["shards"]
    except (orjson.JSONDecodeError, KeyError):
        raise DataError(f"{plan} is damaged: remove the folder {place.name!r} and run again") from None
    if count & (count - 1) or count < 1:
        raise DataError(f"{plan}: {count} shards is no power of two: remove the folder {place.name!r} and run again")
    return int(count)


def _older(place: Path) -> defaultdict[int, list[str]]:
    """List the parts that earlier runs made of each shard."""
    older: defaultdict[int, list[str]] = defaultdict(list)
    for path in sorted(place.glob("*-*.jsonl")):
        older[int(path.name.partition("-")[0])].append(path.name)
    return older
