"""The engine: runs named functions over items, each slot in a sandbox process of its own.

A crash, a hang, an exit or a raised error of one item becomes an outcome that names it, and every other item is done.
`run` keeps outcomes in memory; `run_stage` keeps them on disk, in shards that are resumed, shared and spread over
machines. Functions travel by name ("package.module:function"), take one dict of plain values and give one back.
"""

from dataset_builder.engine.local import HereEngine, LocalEngine, run, usable_cores
from dataset_builder.engine.sandbox import NO_PLACE, Item, Outcome, no_place
from dataset_builder.engine.shards import Stage, Work, source_digest
from dataset_builder.engine.stages import Engine, Part, StageResult, run_stage

__all__ = [
    "NO_PLACE",
    "Engine",
    "HereEngine",
    "Item",
    "LocalEngine",
    "Outcome",
    "Part",
    "Stage",
    "StageResult",
    "Work",
    "no_place",
    "run",
    "run_stage",
    "source_digest",
    "usable_cores",
]
