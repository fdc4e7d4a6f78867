"""The engine of a cluster: shards as tasks of Ray core. Every node needs this package and the same folders.

A node or worker that is lost costs the items at hand: its shards are run again elsewhere and go on from their journals.
Nothing of Ray is imported before a stage is run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataset_builder.engine.sandbox import Outcome, Sandbox
from dataset_builder.engine.shards import Shard, ShardDone, read_part, run_shard
from schemas.errors import CallError

RETRIES = 10
"""How often a shard is run anew whose worker was lost: a node may take many of them with it."""

_sandboxes: dict[tuple[str, float, int | None, str | None], Sandbox] = {}
"""In a worker of Ray, which does one task at a time: its sandboxes, kept from shard to shard."""


@dataclass(frozen=True)
class RayEngine:
    """Runs shards on the cluster at `address`, or without one on this machine with `slots` processes.

    `memory` limits the address space of each process in bytes.
    """

    address: str | None = None
    slots: int | None = None
    memory: int | None = None

    def map_unordered(self, shards: Iterable[Shard], told: Callable[[Outcome], None]) -> Iterator[ShardDone]:
        """Run shards as tasks and give what became of each; `told` hears of a shard's items when it is done."""
        ray = self._connected()
        from ray.exceptions import RayTaskError

        window = 2 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        pending: list[Any] = []

        def taken() -> ShardDone:
            nonlocal pending
            (ready, *_), pending = ray.wait(pending, num_returns=1)
            try:
                done: ShardDone = ray.get(ready)
            except RayTaskError as error:
                raise error.cause from None
            for _, outcome in read_part(done.part):
                told(outcome)
            return done

        try:
            for shard in shards:
                if shard.stage.gpus > ray.cluster_resources().get("GPU", 0):
                    raise CallError(f"{shard.stage.name} needs {shard.stage.gpus:g} GPUs, the cluster has fewer")
                task = ray.remote(_run).options(num_cpus=1, num_gpus=shard.stage.gpus, max_retries=RETRIES)
                pending.append(task.remote(shard, None if shard.stage.gpus else self.memory))
                if len(pending) >= window:
                    yield taken()
            while pending:
                yield taken()
        finally:
            for task in pending:
                ray.cancel(task, force=True)

    def _connected(self) -> Any:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            import ray
        except ImportError:
            raise CallError('Ray is not installed: pip install "vqa2[ray]"') from None
        if not ray.is_initialized():
            path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
            # Workers of this machine find what this process finds; those of a cluster have their own installation.
            here = {"num_cpus": self.slots, "runtime_env": {"env_vars": {"PYTHONPATH": path}}}
            options: dict[str, Any] = {} if self.address else here
            try:
                ray.init(address=self.address or "local", log_to_driver=False, logging_level="warning", **options)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise CallError(f"no Ray cluster answers at {self.address!r}: {error}") from None
        return ray


def _run(shard: Shard, memory: int | None) -> ShardDone:
    """Run one shard in a worker of Ray."""
    limits = (shard.stage.function, shard.stage.timeout, memory)
    # A child keeps the GPU that it started with; the next task of this worker may be dealt another.
    key = (*limits, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if key not in _sandboxes:
        _sandboxes[key] = Sandbox(*limits)
    return run_shard(shard, _sandboxes[key], lambda _: None)
