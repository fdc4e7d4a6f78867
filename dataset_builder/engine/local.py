"""The engine of one machine: a thread for each slot, each with a sandbox process of its own."""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from dataset_builder.engine.sandbox import Item, Outcome, Sandbox
from dataset_builder.engine.shards import Shard, ShardDone, run_shard

T = TypeVar("T")
J = TypeVar("J")

LEAST_MEMORY = 4 << 30
"""Bytes of address space that every child may have at least: libraries map more than they use."""


def run(
    function: str,
    items: Sequence[Item],
    *,
    slots: int | None = None,
    timeout: float = 600.0,
    on_done: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Run `function` on every item and give the outcomes in the order of the items.

    `slots` is the number of processes (default: the cores this process may use); `timeout` is in seconds an item;
    `on_done` is called after each item, from one thread at a time.
    """
    outcomes: list[Outcome | None] = [None] * len(items)
    count = max(1, min(slots or usable_cores(), len(items)))

    def work(sandbox: Sandbox, index: int) -> tuple[int, Outcome]:
        return index, sandbox.call(items[index])

    for index, outcome in _on_slots(count, lambda: Sandbox(function, timeout), work, range(len(items))):
        outcomes[index] = outcome
        on_done(outcome)
    return [outcome for outcome in outcomes if outcome is not None]


@dataclass(frozen=True)
class LocalEngine:
    """Runs shards on this machine. `slots` is the number of processes (default: the cores this process may use).

    `memory` limits the address space of each in bytes (default: the machine's memory shared out over the slots).
    """

    slots: int | None = None
    memory: int | None = None

    def map_unordered(self, shards: Iterable[Shard], told: Callable[[Outcome], None]) -> Iterator[ShardDone]:
        """Run shards as slots come free and give what became of each; `told` hears of every item, from one thread."""
        shards = iter(shards)
        first = next(shards, None)
        if first is None:
            return
        stage = first.stage
        count = self.slots or usable_cores()
        # Address space says nothing of a process that uses a GPU: drivers map all of its memory.
        memory = None if stage.gpus else self.memory or max(LEAST_MEMORY, _memory_of_machine() // count)
        lock = threading.Lock()

        def tell(outcome: Outcome) -> None:
            with lock:
                told(outcome)

        def work(sandbox: Sandbox, shard: Shard) -> ShardDone:
            return run_shard(shard, sandbox, tell)

        def chained() -> Iterator[Shard]:
            yield first
            yield from shards

        yield from _on_slots(count, lambda: Sandbox(stage.function, stage.timeout, memory), work, chained())


@dataclass(frozen=True)
class HereEngine:
    """Runs shards in this process: for a few items of a function that only computes. What it raises is raised."""

    function: Callable[[Item], Item]

    def call(self, item: Item) -> Outcome:
        """Run one item."""
        return Outcome(self.function(item))

    def map_unordered(self, shards: Iterable[Shard], told: Callable[[Outcome], None]) -> Iterator[ShardDone]:
        """Run shards one after the other."""
        for shard in shards:
            yield run_shard(shard, self, told)


def usable_cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1)


def _memory_of_machine() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _on_slots(
    count: int, make: Callable[[], Sandbox], work: Callable[[Sandbox, J], T], jobs: Iterable[J]
) -> Iterator[T]:
    """Do jobs on `count` threads, each with a sandbox that lives as long as it, and give the results as they come.

    Jobs are taken one by one as threads come free. The first error ends all, as does leaving the iterator.
    """
    waiting, lock, stop = iter(jobs), threading.Lock(), threading.Event()
    # None = a thread has ended. Few results wait, so that jobs are not taken faster than results are.
    results: queue.Queue[tuple[T | None, BaseException | None] | None] = queue.Queue(4 * count)
    sandboxes: list[Sandbox] = []

    def slot(sandbox: Sandbox) -> None:
        try:
            while not stop.is_set():
                with lock:
                    job = next(waiting, None)
                if job is None:
                    break
                _put(results, (work(sandbox, job), None), stop)
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            _put(results, (None, error), stop)
        finally:
            sandbox.end()
            _put(results, None, stop)

    threads = []
    for _ in range(count):
        sandboxes.append(make())
        threads.append(threading.Thread(target=slot, args=[sandboxes[-1]], daemon=True))
    for thread in threads:
        thread.start()
    alive = count
    try:
        while alive:
            got = results.get()
            if got is None:
                alive -= 1
                continue
            result, error = got
            if error is not None:
                raise error
            yield result  # type: ignore[misc]
    finally:
        stop.set()
        for sandbox in sandboxes:
            sandbox.interrupt()
        for thread in threads:
            thread.join()


def _put(results: queue.Queue[T], result: T, stop: threading.Event) -> None:
    """Hand over a result, unless nobody is there to take it."""
    while not stop.is_set():
        try:
            results.put(result, timeout=0.1)
        except queue.Full:
            continue
        return
