"""The engine: runs a named function over items, each slot in a sandbox process of its own.

A crash, a hang, an exit or a raised error of one item becomes an outcome that names it, and every other item is done.
Functions travel by name ("package.module:function"), take one dict of plain values and give one back. Outcomes come in
the order of the items, whatever the number of slots.
"""

from __future__ import annotations

import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

Item = dict[str, Any]

ATTEMPTS = 2
"""How often an item that kills its process, or outlives its time, is tried: the machine may have been the cause."""

START_SECONDS = 120.0
"""How long a child may take to import its function."""
READY = b"ready\n"
"""What a child writes first, once its function is imported."""


@dataclass(frozen=True)
class Outcome:
    """What became of one item: its `result`, or the `error` in words; `transient` marks a limit of the machine."""

    result: Item | None
    error: str | None = None
    transient: bool = False


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
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(items)):
        waiting.put(index)
    lock, stop = threading.Lock(), threading.Event()
    failures: list[BaseException] = []

    def work() -> None:
        # The child lives and dies with this thread: on Linux its death signal is tied to the thread that spawned it.
        sandbox = _Sandbox(function)
        try:
            while not stop.is_set():
                index = waiting.get_nowait()
                outcome = _attempt(sandbox, items[index], timeout)
                outcomes[index] = outcome
                with lock:
                    on_done(outcome)
        except queue.Empty:
            pass
        except BaseException as error:  # noqa: BLE001 - handed to the caller's thread below
            failures.append(error)
            stop.set()
        finally:
            sandbox.end()

    count = max(1, min(slots or usable_cores(), len(items)))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        stop.set()
    if failures:
        raise failures[0]
    return [outcome for outcome in outcomes if outcome is not None]


def usable_cores() -> int:
    """Count the cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else (os.cpu_count() or 1)


def _attempt(sandbox: _Sandbox, item: Item, timeout: float) -> Outcome:
    outcome = Outcome(None, "never tried")
    for _ in range(ATTEMPTS):
        outcome, alive = sandbox.call(item, timeout)
        if alive:
            break
    return outcome


class _Sandbox:
    """One child process that runs one function; it is started when needed and replaced when it dies."""

    def __init__(self, function: str) -> None:
        self._function = function
        self._child: subprocess.Popen[bytes] | None = None

    def call(self, item: Item, timeout: float) -> tuple[Outcome, bool]:
        """Run one item. Gives the outcome and whether the child survived it."""
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(orjson.dumps(item) + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            return self._died(), False
        line = _read_line(child.stdout.fileno(), timeout)
        if line is None:
            self.end()
            return Outcome(None, f"took longer than {timeout:g} s: raise the recipe's timeout", transient=True), False
        if not line:
            return self._died(), False
        answer = orjson.loads(line)
        return Outcome(answer.get("result"), answer.get("error")), True

    def end(self) -> None:
        """End the child, if there is one, and wait for it."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout):
            if stream is not None:
                # A child that was killed leaves half a request behind; closing must not raise over it.
                try:
                    stream.close()
                except BrokenPipeError:
                    continue

    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "dataset_builder.sandbox", self._function, str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            )
            # No item is to blame for a child that cannot even start, so that is an error of the whole run.
            assert self._child.stdout is not None
            if _read_line(self._child.stdout.fileno(), START_SECONDS) != READY:
                self.end()
                raise RuntimeError(f"the process that should run {self._function} does not start")
        return self._child

    def _died(self) -> Outcome:
        assert self._child is not None
        code = self._child.wait()
        self.end()
        if code >= 0:
            return Outcome(None, f"its process exited with code {code}")
        name = signal.Signals(-code).name
        return Outcome(None, f"its process was ended by {name}", transient=-code == signal.SIGKILL)


def _read_line(descriptor: int, timeout: float) -> bytes | None:
    """Read up to a newline. None = out of time, empty = the other end closed."""
    deadline, parts = time.monotonic() + timeout, bytearray()
    while not parts.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([descriptor], [], [], left)[0]:
            return None
        chunk = os.read(descriptor, 65536)
        if not chunk:
            return b""
        parts += chunk
    return bytes(parts)
