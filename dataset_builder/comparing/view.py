"""Shows a comparison in the terminal: what differs by config and source and why, levels that flipped, what else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.comparison import REASONS, WHATS, Comparison, Edit, SampleChange, SourceChange, What
from schemas.levels import LEVELS

FLIPS = 5
"""Flips that are named; all are in the matrix."""
EXAMPLES = 12
"""Other changes that are named."""
EDITS = 20
"""Values of the recipe that are shown."""
LONGEST = 60
BEFORE = 16
"""Characters that are shown of a long text before the first one that differs."""
STYLES = {"added": "green", "removed": "red", "changed": "yellow"}
STEP_STYLES = {"none": "green", "patch": "green", "minor": "yellow", "major": "bold red"}


def show(found: Comparison, console: Console | None = None) -> None:
    """Print a comparison, in 80 columns and better in more."""
    console = console or Console(highlight=False)
    _print_head(found, console)
    _print_samples(found, console)
    _print_flips(found, console)
    _print_examples(found.examples, console)
    _print_records(found, console)
    _print_edits("Scales", found.scales, console)
    _print_edits("Recipe", found.recipe, console)
    _print_edits("Pairs", found.pairs, console)
    _print_edits("Tools", found.tools, console)
    _print_rest(found, console)


def _print_head(found: Comparison, console: Console) -> None:
    grid = Table.grid(padding=(0, 2))
    for style in ("dim", "bold", None, None):
        grid.add_column(style=style, overflow="fold")
    for sign, side in (("A", found.before), ("B", found.after)):
        grid.add_row(
            sign, Text(side.corpus), f"{side.samples} samples of {side.records} clips", f"schema {side.schema_version}"
        )
    console.print(grid)
    step = Text(found.step, style=STEP_STYLES[found.step])
    if found.step == "none":
        console.print("No difference.")
    else:
        console.print(Text.assemble("Version step: ", step, f" ({'; '.join(found.step_reasons)})"), soft_wrap=False)


def _print_samples(found: Comparison, console: Console) -> None:
    configs = {name: config for name, config in found.configs.items() if config.sources}
    if not configs:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title="Samples", title_justify="left", title_style="bold")
    table.add_column("config", no_wrap=True)
    table.add_column("source", overflow="fold")
    table.add_column("samples", justify="right")
    table.add_column("", no_wrap=True)
    table.add_column("why", overflow="fold")
    for name, config in configs.items():
        first = True
        for source, change in config.sources.items():
            for index, (count, what, why) in enumerate(_lines(change)):
                table.add_row(name if first else "", Text("" if index else source), str(count), what, why)
                first = False
    console.print(table)


def _lines(change: SourceChange) -> Iterator[tuple[int, Text, str]]:
    for what in WHATS:
        if count := getattr(change, what):
            yield count, Text(what, style=STYLES[what]), _why(change, what)
    if change.restamped:
        yield change.restamped, Text("restamped", style="dim"), "the recipe's hash alone"


def _why(change: SourceChange, what: What) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in change.why.get(what, {}).items())


def _print_flips(found: Comparison, console: Console) -> None:
    for name, config in found.configs.items():
        for source, change in config.sources.items():
            if change.flips:
                count = sum(n for row in change.flips.values() for n in row.values())
                console.print(Text(f"Level flips of {name}, {source}: {count} (rows A, columns B)", style="bold"))
                console.print(_matrix(change))
    named = {flip.id: flip for flip in found.flips}  # a mix of stages holds the same samples again
    for flip in list(named.values())[:FLIPS]:
        console.print(Text(f"  {flip.id}: {flip.old} → {flip.new} ({', '.join(flip.reasons)})"), soft_wrap=True)
    if len(named) > FLIPS:
        console.print(f"  and {len(named) - FLIPS} more: --list FILE writes them all")
    if named:
        console.print()


def _matrix(change: SourceChange) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for level in LEVELS:
        table.add_column(level, justify="right")
    for level in reversed(LEVELS):
        row = change.flips.get(level, {})
        table.add_row(level, *(Text(str(row[to])) if to in row else Text("·", style="dim") for to in LEVELS))
    return table


def _print_examples(examples: Sequence[SampleChange], console: Console) -> None:
    if not examples:
        return
    console.print(Text("Such as", style="bold"))
    kinds: dict[tuple[object, ...], SampleChange] = {}
    for change in examples:  # the first of each kind; a mix of stages holds the same samples again
        kinds.setdefault((change.id.partition("/")[0], change.source, change.what, *change.reasons), change)
    for change in list(kinds.values())[:EXAMPLES]:
        console.print(
            Text.assemble("  ", (change.what, STYLES[change.what]), f" {change.id} ({', '.join(change.reasons)})"),
            soft_wrap=True,
        )
        for edit in change.edits[:3]:
            console.print(Text(f"    {_told(edit, console)}"), soft_wrap=True)
        if len(change.edits) > 3:
            console.print(f"    and {len(change.edits) - 3} more values")
    if len(kinds) > EXAMPLES:
        console.print("  and more: --list FILE writes every sample, with all its values that differ")
    used = [reason for reason in REASONS if any(reason in change.reasons for change in examples)]
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(style="dim", overflow="fold")
    for reason in used:
        grid.add_row(f"  {reason}", REASONS[reason])
    console.print(grid)
    console.print()


def _print_records(found: Comparison, console: Console) -> None:
    for source, change in found.records.items():
        counts = [f"{getattr(change, what)} {what}" for what in WHATS if getattr(change, what)]
        why = _why(change, "changed")
        told = f"Records of {source}: {', '.join(counts)}"
        console.print(Text(f"{told} ({why})" if why else told))


def _print_edits(what: str, edits: Sequence[Edit], console: Console) -> None:
    if not edits:
        return
    console.print(Text(what, style="bold"))
    for edit in edits[:EDITS]:
        console.print(Text(f"  {_told(edit, console)}"), soft_wrap=True)
    if len(edits) > EDITS:
        console.print(f"  and {len(edits) - EDITS} more: --json shows them")


def _told(edit: Edit, console: Console) -> str:
    room = max(LONGEST, console.width - len(edit.field) - 12) // 2
    old, new = edit.old, edit.new
    if isinstance(old, str) and isinstance(new, str) and max(len(old), len(new)) > room:
        same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), 0)
        old, new = (f"…{text[same - BEFORE :]}" if same > BEFORE else text for text in (old, new))
    return f"{edit.field}: {_short(old, room)} → {_short(new, room)}"


def _short(value: Any, room: int) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    text = text.replace("\n", " ")
    return f"{text[: room - 1]}…" if len(text) > room else text


def _print_rest(found: Comparison, console: Console) -> None:
    quarantine = found.quarantine
    if quarantine.added or quarantine.removed:
        added, removed = sum(quarantine.added.values()), sum(quarantine.removed.values())
        counts = f"{quarantine.before} → {quarantine.after} rows, {added} new, {removed} gone"
        console.print(Text(f"Quarantine: {counts}"))
        for row in quarantine.first_added[:5]:
            where = f"{row.file}{'' if row.row is None else f' row {row.row}'}"
            console.print(Text(f"  {where}: {row.reason}"), soft_wrap=True)
    for folder, counts_of in found.files.folders.items():
        told = ", ".join(f"{count} {what}" for what, count in counts_of.items())
        here = [name for name in found.files.others if (name.rpartition("/")[0] or ".").startswith(folder)]
        names = f": {', '.join(here)}" if here else ""
        where = "beside the manifest" if folder == "." else f"in {folder}/"
        console.print(Text(f"Files {where}: {told}{names}"))
