"""Shows an audit in the terminal: the scores, where the cuts fall, levels by range mode, and what looks wrong."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dataset_builder.auditing.audit import NEAR, Audit
from schemas.levels import CUTS, LEVELS

ROWS = 6
"""Height of the histogram in lines."""
BAR = 12
EIGHTHS = " ▁▂▃▄▅▆▇█"
LEFT_EIGHTHS = " ▏▎▍▌▋▊▉█"
WIDE = 140
"""From so many columns on, a bin of the histogram is two characters wide."""


def show(audit: Audit, console: Console | None = None) -> None:
    """Print an audit, in 80 columns and better in more."""
    console = console or Console(highlight=False)
    _print_summary(audit, console)
    _print_histogram(audit, console)
    _print_levels(audit, console)
    _print_moves(audit, console)
    _print_findings(audit, console)


def _print_summary(audit: Audit, console: Console) -> None:
    unusable = f" of {audit.rows}" if audit.rows > audit.n else ""
    console.print(Text(audit.table, style="bold"), soft_wrap=True)
    columns = ", ".join(
        f"{role} {name!r}{' (guessed)' if role in audit.guessed else ''}" for role, name in audit.columns.items()
    )
    console.print(f"{audit.n}{unusable} rows; {escape(columns)}", soft_wrap=True)
    scale = "unknown"
    if audit.scale:
        scale = f"{audit.scale.lo:g} to {audit.scale.hi:g} ({'declared' if audit.scale.declared else 'taken'})"
    console.print(
        f"scores {audit.range.lo:g} to {audit.range.hi:g}, mean {audit.mean:.4g}, std {audit.std:.3g},"
        f" {audit.distinct} distinct"
    )
    console.print(f"scale {scale}, {audit.direction}\n")


def _print_histogram(audit: Audit, console: Console) -> None:
    counts, wide = audit.histogram.counts, 2 if console.width >= WIDE else 1
    top = max(counts)
    for row in reversed(range(ROWS)):
        heights = [count / top * ROWS - row for count in counts]
        line = "".join(EIGHTHS[_eighth(height, at_least=row == 0 and height > 0)] * wide for height in heights)
        console.print(f"  {line.rstrip()}")
    lo, hi = audit.histogram.lo, audit.histogram.hi
    width = wide * len(counts)
    console.print(f"  {'▔' * width}")
    ends = f"{lo:g}", f"{hi:g}"
    console.print(f"  {ends[0]}{ends[1]:>{width - len(ends[0])}}  scores")
    ranges = {"minmax": (audit.range.lo, audit.range.hi)} if audit.levels["minmax"] else {}
    if audit.scale:
        ranges["nominal"] = (audit.scale.lo, audit.scale.hi)
    for mode, (start, end) in ranges.items():
        console.print(f"  {_ruler(audit, (start - lo) / (hi - lo), (end - lo) / (hi - lo), width)}  cuts of {mode}")
    console.print()


def _ruler(audit: Audit, start: float, end: float, width: int) -> str:
    """Draw the cuts of a range that spans `start` to `end` of the histogram, with the levels' initials between them."""
    marks = [" "] * width
    initials = [level[0] for level in LEVELS]
    edges = [start + edge * (end - start) for edge in (0, *CUTS, 1)]
    if audit.direction == "lower_is_better":
        initials.reverse()
    for initial, left, right in zip(initials, edges, edges[1:], strict=False):
        marks[_column((left + right) / 2, width)] = initial
    for edge in edges[1:-1]:
        marks[_column(edge, width)] = "│"
    return "".join(marks)


def _column(share: float, width: int) -> int:
    return min(width - 1, max(0, int(share * width)))


def _eighth(height: float, *, at_least: bool) -> int:
    return min(8, max(round(8 * height), int(at_least)))


def _print_levels(audit: Audit, console: Console) -> None:
    bar = BAR * (2 if console.width >= WIDE else 1)
    modes = {mode: counts for mode, counts in audit.levels.items() if counts is not None}
    if not modes:
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("level")
    for mode in modes:
        table.add_column(mode, justify="right")
        table.add_column("share", justify="right")
        table.add_column("", min_width=bar)
    for level in reversed(LEVELS):
        shares = [(counts[level], counts[level] / audit.n) for counts in modes.values()]
        table.add_row(level, *(cell for n, share in shares for cell in (str(n), f"{share:.1%}", _bar(share, bar))))
    table.add_section()
    ceilings = {"minmax": audit.ceiling, "nominal": audit.nominal_ceiling}
    near = {"minmax": audit.near_cut, "nominal": audit.nominal_near_cut}
    for words, cells in (
        ("SRCC ceiling", [_number(ceilings[mode].srcc) for mode in modes]),
        ("PLCC ceiling", [_number(ceilings[mode].plcc) for mode in modes]),
        ("near a cut", [_percent(near[mode]) for mode in modes]),
    ):
        table.add_row(words, *(cell for found in cells for cell in (found, "", "")))
    console.print(table)
    console.print("Ceiling: of a scorer that gives every clip's true level and nothing finer.")
    console.print(f"Near a cut: within {NEAR} of it, on the unit range.")
    if audit.hard_share is not None:
        console.print(f"By the std column, {audit.hard_share:.0%} of single ratings fall on their clip's minmax level.")
    console.print()


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


def _bar(share: float, width: int) -> str:
    eighths = max(round(share * width * 8), int(share > 0))
    return "█" * (eighths // 8) + LEFT_EIGHTHS[eighths % 8].strip()


def _print_moves(audit: Audit, console: Console) -> None:
    moves = audit.moves
    if moves is None:
        return
    if not moves.clips:
        console.print("Every clip has the same level under minmax and nominal.\n")
        return
    console.print(f"{moves.clips} clips ({moves.clips / audit.n:.1%}) change level from minmax (rows) to nominal:")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for level in LEVELS:
        table.add_column(level, justify="right")
    for level in reversed(LEVELS):
        counts = moves.matrix[level]
        table.add_row(level, *(_move(counts[to], stays=to == level) for to in LEVELS))
    console.print(table)


def _move(count: int, *, stays: bool) -> str:
    return f"[dim]{count or '·'}[/dim]" if stays else str(count or "·")


def _print_findings(audit: Audit, console: Console) -> None:
    if not audit.findings:
        console.print("Nothing looks wrong.")
        return
    console.print("To look at:" if len(audit.findings) > 1 else "One thing to look at:")
    grid = Table.grid(padding=(0, 1))
    grid.add_column()
    grid.add_column(overflow="fold")
    for finding in audit.findings:
        grid.add_row(" -", Text(finding.text))
    console.print(grid)
