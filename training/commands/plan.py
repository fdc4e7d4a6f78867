"""`vqa2 plan`: what a training run would take, without training. torch is imported inside the command only."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from rich.console import Console
from rich.table import Table

from schemas.errors import CallError
from training.arguments import print_json, print_line, require_torch
from training.recipes import find_recipe

if TYPE_CHECKING:
    from training.planning.device import Device
    from training.planning.preflight import Preflight

WIDTH = 80


def plan_command(
    recipe: Annotated[Path, typer.Argument(help="A training recipe (YAML), or the name of one of ours.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="key.path=value, over the recipe's own.")] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="A card of this memory, such as 24GB, instead of what is here.")
    ] = None,
    processes: Annotated[int, typer.Option(min=1, help="Over so many processes, one a card.")] = 1,
    sharding: Annotated[
        str, typer.Option(help="What they share out: none, zero2 (gradients, states), or zero3 (weights too, as FSDP).")
    ] = "none",
    as_json: Annotated[bool, typer.Option("--json", help="Print the plan as JSON.")] = False,
) -> None:
    """Say what a training run would take of memory, disk and hours, and whether that is there. Trains nothing.

    Exit code 2 when the run cannot be, as `vqa2 train` would refuse it.
    """
    given, base = find_recipe(recipe, overrides or [])
    require_torch()
    from training.checkpoints.start import quiet
    from training.inputs.cache import require_cache
    from training.planning.memory import Sharding
    from training.planning.preflight import Spread, preflight
    from training.planning.stage_work import learnable, refuse, work_of
    from training.planning.starting_point import starting_point
    from training.trainer.watching import watched

    if sharding not in get_args(Sharding):
        raise CallError(f"--sharding is {', '.join(get_args(Sharding))}, not {sharding!r}")
    card = _card(device) if device else None
    quiet()
    start = starting_point(given, base)
    spread = Spread(
        frozen=start.frozen,
        processes=processes,
        sharding=sharding,  # type: ignore[arg-type]  # held above
        deepspeed=sharding != "none",  # of zero3 and FSDP, what writes more
    )
    work = learnable(work_of(given, start.preset, base / given.corpus, processes), start.config)
    refuse(given, start.config, work)
    if given.cache:
        require_cache(base / given.cache)
    if given.watch:
        watched(given.watch, base / given.corpus, start.config)
    found = preflight(given, start.config, work, out=base / given.out, device=card, spread=spread)
    if as_json:
        print_json(_plain(found))
    else:
        _print(found)
    if found.problems():
        raise typer.Exit(2)


def _card(told: str) -> Device:
    """Make a device of what a card is called by: its memory in GB, which cards mean by powers of two."""
    from training.planning.device import CUDA_CONTEXT, GIB, Device

    number = re.fullmatch(r"(\d+(?:\.\d+)?) ?Gi?B?", told, re.IGNORECASE)
    if number is None or not float(number[1]):
        raise CallError(f"--device: {told!r} is no memory of a card; write it as 24GB, 48GB or 80GB")
    return Device(name=f"a card of {number[1]} GB", free=max(0, int(float(number[1]) * GIB - CUDA_CONTEXT)))


def _plain(found: Preflight) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(found)
    return {**plain, "hours": found.hours, "problems": found.problems(), "warnings": found.warnings()}


def _print(found: Preflight) -> None:
    from training.planning.preflight import size

    table = Table("stage", box=None, pad_edge=False, caption="sizes of one process, at its longest batch")
    for title in ("samples", "steps", "weights", "gradients", "states", "peak", "hours"):
        table.add_column(title, justify="right", no_wrap=True)
    for stage in found.stages:
        memory = stage.memory
        table.add_row(
            stage.name,
            str(stage.samples),
            str(stage.steps),
            *map(size, (memory.weights, memory.gradients, memory.optimizer, memory.peak)),
            "?" if stage.hours is None else f"{stage.hours:.1f}",
        )
    Console(width=WIDTH, highlight=False).print(table)
    for line in found.lines():
        print_line(line)
    for problem in found.problems():
        print_line(f"cannot be: {problem}")
