"""A sandbox: one child process that runs one function, item by item, and may die without taking anything with it."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from schemas.errors import CallError

Item = dict[str, Any]

ATTEMPTS = 2
"""How often an item that ends its process, or outlives its time, is tried: the machine may have been the cause."""
KILLED_ATTEMPTS = 4
"""How often one is tried whose process is killed: that comes from outside, or from a machine short of memory."""
START_ATTEMPTS = 20
"""How often a child is started anew that is killed while it starts."""
START_SECONDS = 120.0
"""How long a child may take to import its function."""
NO_PLACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""Errors of the place that is written to: no item is to blame, and none of the others would fare better."""
READY = b"ready\n"
"""What a child writes first, once its function is imported."""


@dataclass(frozen=True)
class Outcome:
    """What became of one item: its `result`, or the `error` in words; `transient` marks a limit of the machine."""

    result: Item | None
    error: str | None = None
    transient: bool = False


class InterruptedRunError(RuntimeError):
    """The run ends early: what became of the item at work is not known."""


class Sandbox:
    """One child process that runs one function; it is started when needed and replaced when it dies.

    `timeout` is in seconds an item, `memory` limits the address space of the child in bytes. The child ends with the
    thread that first calls (Linux ties its death signal to that thread), so that thread must live as long.
    """

    def __init__(self, function: str, timeout: float, memory: int | None = None) -> None:
        """Take what is run and within which limits; nothing is started yet."""
        self._function, self._timeout, self._memory = function, timeout, memory
        self._child: subprocess.Popen[bytes] | None = None
        self._interrupted = False

    def call(self, item: Item) -> Outcome:
        """Run one item, more than once if its process dies.

        Raises CallError where nothing can be written, InterruptedRunError after `interrupt`.
        """
        killed = others = 0
        while True:
            outcome, code = self._once(item)
            if self._interrupted:
                raise InterruptedRunError
            if code is None:
                return outcome
            killed += code == -signal.SIGKILL
            others += code != -signal.SIGKILL
            if others >= ATTEMPTS or killed + others >= KILLED_ATTEMPTS:
                return outcome

    def interrupt(self) -> None:
        """End a call that runs in another thread."""
        self._interrupted = True
        child = self._child
        if child is not None:
            child.kill()

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

    def _once(self, item: Item) -> tuple[Outcome, int | None]:
        """Try one item. Gives the outcome and, if the child did not survive it, how that ended (as Popen's code)."""
        child = self._started()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(orjson.dumps(item) + b"\n")
            child.stdin.flush()
        except BrokenPipeError:
            return self._died(child)
        line = _read_line(child.stdout.fileno(), self._timeout)
        if line is None:
            self.end()
            return Outcome(
                None, f"took longer than {self._timeout:g} s: raise the timeout and use --retry-failed", transient=True
            ), 0
        if not line:
            return self._died(child)
        answer = orjson.loads(line)
        if "stop" in answer:
            raise no_place(*answer["stop"])
        return Outcome(answer.get("result"), answer.get("error"), answer.get("transient", False)), None

    def _started(self) -> subprocess.Popen[bytes]:
        # One that was killed while it started, or had nothing to do, is no item's fault.
        for _ in range(START_ATTEMPTS):
            if self._interrupted:
                raise InterruptedRunError
            if self._child is not None and self._child.poll() is None:
                return self._child
            self.end()
            limits = [str(os.getpid()), str(self._timeout), str(self._memory or 0)]
            self._child = subprocess.Popen(
                [sys.executable, "-m", "dataset_builder.engine.child", self._function, *limits],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            )
            assert self._child.stdout is not None
            ready = _read_line(self._child.stdout.fileno(), START_SECONDS)
            if ready == READY:
                return self._child
            if ready is None or self._child.wait() != -signal.SIGKILL:
                break
        # No item is to blame for a child that cannot even start, so that is an error of the whole run.
        self.end()
        if self._interrupted:
            raise InterruptedRunError
        raise RuntimeError(f"the process that should run {self._function} does not start")

    def _died(self, child: subprocess.Popen[bytes]) -> tuple[Outcome, int]:
        code = child.wait()
        self.end()
        if code >= 0:
            return Outcome(None, f"its process exited with code {code}"), code
        name = signal.Signals(-code).name
        return Outcome(None, f"its process was ended by {name}", transient=-code == signal.SIGKILL), code


def no_place(where: str, number: int) -> CallError:
    """Make the error of a place that cannot be written to, with the errno of the attempt."""
    return CallError(
        f"cannot write to {where}: {os.strerror(number)}; what is done is kept: make room and run it again"
    )


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
