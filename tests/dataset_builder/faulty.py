"""Work that goes wrong in every way, for the engine's tests."""

import ctypes
import os
import signal
import time
from typing import Any

from schemas.errors import DataError


def work(item: dict[str, Any]) -> dict[str, Any]:
    how = item["how"]
    if how == "raise":
        raise DataError("the clip is broken")
    if how == "defect":
        raise KeyError("oops")
    if how == "crash":
        ctypes.string_at(0)
    if how == "exit":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        ctypes.PyDLL(None).sleep(60)  # holds the interpreter lock
    if how == "print":
        print("noise on standard output")
    if how == "slow":
        time.sleep(0.05)
    return {"how": how, "pid": os.getpid()}
