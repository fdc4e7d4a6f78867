"""Work that goes wrong in every way, for the engine's tests."""

import ctypes
import errno
import hashlib
import os
import signal
import time
from pathlib import Path
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
    if how == "sleep":
        time.sleep(60)
    if how == "allocate":
        return {"how": how, "bytes": len(bytearray(8 << 30))}
    if how == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "clip.mp4")
    if how == "gpu":
        return {"device": os.environ.get("CUDA_VISIBLE_DEVICES")}
    if how == "no json":
        return {"how": how, "what": object()}
    return {"how": how, "pid": os.getpid()}


def render(item: dict[str, Any]) -> dict[str, Any]:
    """Take some time, tell a folder of marks that it was called, and write a side file named by its content."""
    if marks := item.get("marks"):
        with (Path(marks) / item["text"]).open("a", encoding="utf-8") as file:
            file.write(".")
    time.sleep(item.get("seconds", 0.0))
    if item.get("fails"):
        raise DataError(f"{item['text']} cannot be rendered")
    content = (item["text"] * 1000).encode()
    name = f"{hashlib.sha256(content).hexdigest()[:16]}.txt"
    folder = Path(item["files_folder"])
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{os.getpid()}.partial"
    partial.write_bytes(content)
    partial.replace(folder / name)
    return {"text": item["text"].upper(), "files": {name: len(content)}}
