"""What a benchmark finds, the machine it finds it on, and how processes are measured."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).parents[1]
Cell = str | int | float | bool | None
"""None is shown as a dash."""


class Table(msgspec.Struct, frozen=True):
    """Rows with the same columns; a header names its unit."""

    title: str
    rows: list[dict[str, Cell]]


class Limit(msgspec.Struct, frozen=True):
    """One thing that the project holds itself to: `measured` is at most `limit`, or at least with `least`.

    `measured` is None where this machine cannot measure it; `note` then says why.
    """

    what: str
    measured: float | None
    limit: float
    unit: str
    least: bool = False
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Say whether the limit holds; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.least else self.measured <= self.limit


class Findings(msgspec.Struct, frozen=True):
    """All that a benchmark finds. `setup` says what it was done with: versions, commands, inputs, by name."""

    tables: list[Table]
    limits: list[Limit] = []
    setup: dict[str, str] = {}


def machine() -> dict[str, str]:
    """Name what a benchmark is run on."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.*)", info.read_text()) if info.is_file() else None
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "CPU": f"{cores} cores of {named[1].strip() if named else platform.processor()}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
    }


def version(package: str) -> str | None:
    """Give the version of an installed distribution, or None."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def versions(*packages: str) -> str:
    """Name distributions with their versions."""
    return ", ".join(f"{package} {version(package) or 'not installed'}" for package in packages)


def peak_kb() -> int:
    """Give this process's peak memory in kB. Linux keeps in ru_maxrss what the process that started this one held."""
    status = Path("/proc/self/status")
    if status.is_file():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def in_a_process(module: str, function: str, *arguments: Any) -> Any:
    """Call `benchmarks.<module>.<function>` with JSON values in a process of its own, and give what it returns.

    Raises RuntimeError with the last line of what it said when it fails.
    """
    code = (
        f"import json, sys; from benchmarks.{module} import {function}; "
        f"print(json.dumps({function}(*json.loads(sys.argv[1]))))"
    )
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise RuntimeError(f"{module}.{function}: {said[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def interleaved(repeat: int, works: Sequence[Callable[[], Any]]) -> list[list[Any]]:
    """Do every work once, then all again, so that what the machine does beside them meets all of them alike."""
    found: list[list[Any]] = [[] for _ in works]
    for _ in range(repeat):
        for index, work in enumerate(works):
            found[index].append(work())
    return found


def wall_seconds(work: Callable[[], Any]) -> float:
    """Time a piece of work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def wall_and_cpu_seconds(work: Callable[[], Any]) -> tuple[float, float]:
    """Time a piece of work, and count the CPU seconds of this process and of those that it started and waited for."""
    before = os.times()
    took = wall_seconds(work)
    return took, sum(after - then for after, then in zip(os.times()[:4], before[:4], strict=True))
