"""The child process of an engine slot: reads items as JSON lines, runs one function on each, writes outcomes.

It ends when its parent does. On Linux a death signal sees to that. Elsewhere a thread watches the pipe to the parent,
and where a function holds the interpreter lock so that no thread runs, the alarm clock ends the process some seconds
after the time that an item has: that needs no interpreter.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import select
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import orjson

from dataset_builder.engine.sandbox import NO_PLACE, READY
from schemas.errors import CallError, DataError

PR_SET_PDEATHSIG = 1
GRACE = 10.0
"""Seconds after an item's time at which the alarm clock ends a child whose parent has not done so."""


def main() -> None:
    """Serve items until the input ends: function, parent's pid, seconds an item, bytes of memory (0 = no limit)."""
    function, parent, seconds, memory = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
    if not _end_with(parent):
        return
    _be_first_to_go()
    # Answers get a descriptor of their own: whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    if memory:
        _limit_memory(memory)
    answers.write(READY)
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_REAL, seconds + GRACE)
        try:
            answer: dict[str, Any] = {"result": call(orjson.loads(line))}
        except (DataError, CallError) as error:
            answer = {"error": str(error), "transient": getattr(error, "transient", False)}
        except MemoryError:
            answer = {"error": f"needs more than {memory >> 20} MB of memory" if memory else "out of memory"}
            answer["transient"] = True
        except Exception as error:  # noqa: BLE001 - one item's defect must not end the run
            answer = _failure(error, function)
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(_line(answer, function))


def _failure(error: Exception, function: str) -> dict[str, Any]:
    if isinstance(error, OSError) and error.errno in NO_PLACE:
        return {"stop": [repr(str(error.filename)) if error.filename else "the work folder", error.errno]}
    return {"error": f"a defect in {function}: {type(error).__name__}: {error}"}


def _line(answer: dict[str, Any], function: str) -> bytes:
    try:
        return orjson.dumps(answer) + b"\n"
    except TypeError as error:
        return orjson.dumps({"error": f"a defect in {function}: its result is no plain JSON: {error}"}) + b"\n"


def _end_with(parent: int) -> bool:
    """See to it that this process ends with its parent; False if that is gone already."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_watch_input, daemon=True).start()
    return os.getppid() == parent


def _watch_input() -> None:
    watched = select.poll()
    watched.register(0, 0)  # asks for nothing but is told of the other end's hanging up
    watched.poll()
    os._exit(1)


def _be_first_to_go() -> None:
    """Where memory runs out, the kernel should end a child, not the driver that can say which item it was."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _limit_memory(memory: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):  # macOS knows the limit but does not always take it
        resource.setrlimit(resource.RLIMIT_AS, (memory, hard))


if __name__ == "__main__":
    main()
