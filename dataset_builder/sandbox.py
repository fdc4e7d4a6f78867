"""The child process of an engine slot: reads items as JSON lines, runs one function on each, writes outcomes.

Started by `dataset_builder.engine`; ends when its parent does (death signal on Linux, end of input anywhere).
"""

from __future__ import annotations

import ctypes
import importlib
import os
import signal
import sys

import orjson

from dataset_builder.engine import READY
from schemas.errors import CallError, DataError

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve items until the input ends."""
    function, parent = sys.argv[1], int(sys.argv[2])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the signal was set
            return
    # Answers get a descriptor of their own: whatever a library prints goes to standard error.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    answers.write(READY)
    for line in sys.stdin.buffer:
        try:
            answer = {"result": call(orjson.loads(line))}
        except (DataError, CallError) as error:
            answer = {"error": str(error)}
        except MemoryError:
            answer = {"error": "out of memory"}
        except Exception as error:  # noqa: BLE001 - one item's defect must not end the run
            answer = {"error": f"a defect in {function}: {type(error).__name__}: {error}"}
        answers.write(orjson.dumps(answer) + b"\n")


if __name__ == "__main__":
    main()
