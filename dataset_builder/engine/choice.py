"""Which engine runs a command's work, and which share of it, as words of the command line say."""

from __future__ import annotations

import re

from dataset_builder.engine.local import LocalEngine
from dataset_builder.engine.stages import Engine, Part
from schemas.errors import CallError


def engine_of(name: str, *, workers: int | None, memory: int | None = None, address: str | None = None) -> Engine:
    """Give the engine `local` or `ray`; `memory` is in megabytes a process. Raises CallError for another name."""
    limit = memory * 1_000_000 if memory else None
    if name == "ray":
        from dataset_builder.engine.on_ray import RayEngine

        return RayEngine(address, workers, limit)
    if name != "local":
        raise CallError(f"no engine is called {name!r}; there are: local, ray")
    if address:
        raise CallError("--ray-address is for --engine ray")
    return LocalEngine(workers, limit)


def part_of(written: str) -> Part:
    """Read `i/n`. Raises CallError for anything else, and for an i outside 1 to n."""
    found = re.fullmatch(r"(\d+)/(\d+)", written, re.ASCII)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise CallError(f"--part {written!r}: write I/N with I from 1 to N, such as 1/4")
    return int(found[1]), int(found[2])
