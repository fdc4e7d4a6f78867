"""Peak resident memory of this process and of its children, in bytes."""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path

SAMPLING_SECONDS = 0.05


def reset_peak() -> None:
    """Let the peak be counted anew, where the system can (Linux: clear_refs of proc(5))."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_of(process: str = "self") -> int:
    """Give the peak of a process by its id. Not getrusage on Linux: a child's starts at what its parent held."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


class ChildPeaks:
    """The largest peak of any child of this process, looked at from a thread while the context lasts."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.largest = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> ChildPeaks:
        """Start to look."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()
        if sys.platform != "linux":
            self.largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss

    def _watch(self) -> None:
        while sys.platform == "linux" and not self._over.wait(SAMPLING_SECONDS):
            for listed in Path("/proc/self/task").glob("*/children"):
                try:
                    children = listed.read_text().split()
                    self.largest = max(self.largest, *map(peak_of, children), 0)
                except OSError:  # it ended meanwhile
                    continue
