"""Shows a probe in the terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from dataset_builder.preflight.cost import Range
from dataset_builder.preflight.predict import Prediction
from dataset_builder.preflight.probe import Contents, Failure, Probe

LISTED = 6
"""Of codecs, sizes and rates so many are named, the rest counted."""


def show(found: Probe, console: Console | None = None) -> None:
    """Print a probe, in 80 columns and better in more. Every clip that fails is named."""
    console = console or Console(highlight=False)
    contents = found.contents
    console.print(Text(found.folder, style="bold"), soft_wrap=True)
    stills = f", {contents.stills} of them still images" if contents.stills else ""
    console.print(f"{_many(found.clips, 'clip')}{stills}, {_bytes(contents.bytes)} readable")
    if found.others:
        named = ", ".join(f"{suffix or 'no suffix'} {count}" for suffix, count in found.others.items())
        console.print(f"{_many(sum(found.others.values()), 'other file')} by suffix: {escape(named)}")
    _print_contents(contents, console)
    console.print(f"[bold]Headers[/]: {found.failing.clips} read, {len(found.header_failures)} fail")
    _print_failures(found.header_failures, console)
    _print_decoding(found, console)
    if found.prediction:
        _print_prediction(found.prediction, console)


def _print_contents(contents: Contents, console: Console) -> None:
    rows = {"codec": contents.codecs, "size": contents.sizes, "frames/s": contents.rates}
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, counts in rows.items():
        if counts:
            listed = [f"{value} ({count})" for value, count in list(counts.items())[:LISTED]]
            rest = sum(list(counts.values())[LISTED:])
            table.add_row(name, escape(", ".join([*listed, *([f"others ({rest})"] if rest else [])])))
    if spread := contents.seconds:
        ends = f"{spread.least:.4g} to {spread.most:.4g} s, half of them up to {spread.median:.4g} s"
        table.add_row("duration", f"{ends}, {_seconds(spread.total)} together")
    if contents.untimed:
        table.add_row("", f"{_many(contents.untimed, 'clip')} of untold duration")
    console.print(table)


def _print_failures(failures: list[Failure], console: Console) -> None:
    for failure in failures:
        limit = " (a limit of this machine)" if failure.transient else ""
        console.print(escape(f"  {failure.file}: {failure.reason}{limit}"), soft_wrap=True)


def _print_decoding(found: Probe, console: Console) -> None:
    told = found.failing
    if told.complete:
        console.print(f"[bold]Decoding[/]: all {told.clips} decoded, {told.failed} fail ({told.share:.2%}): counted")
    else:
        console.print(
            f"[bold]Decoding[/]: {told.decoded} of {told.clips} drawn (seed {found.seed}), {told.failed} fail"
            f" ({told.share:.2%}; exact 95 % interval {told.share_low:.2%} to {told.share_high:.2%})"
        )
        console.print(
            f"  of the {told.clips} clips some {told.expected:.0f} will fail, from {told.low} to {told.high};"
            " --full decodes all"
        )
    _print_failures(found.decode_failures, console)
    if beside := len(found.decode_failures) - told.failed:
        console.print(f"  {beside} of these were decoded beside the sample and are not in its share")


def _print_prediction(told: Prediction, console: Console) -> None:
    what = f"{told.recipe}, {_many(told.tried, 'clip')} built on trial" if told.recipe else "reading and copying alone"
    title = f"A build of {_many(told.clips, 'clip')} by {_many(told.workers, 'worker')} ({what})"
    table = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD, title_style="bold")
    for name in ("", "predicted", "from", "to"):
        table.add_column(name, justify="right" if name else "left")

    def add(name: str, value: Range, form: object) -> None:
        assert callable(form)
        table.add_row(name, *(form(x) for x in (value.value, value.low, value.high)))

    disk, seconds = told.disk, told.seconds
    add("disk", disk.total, _bytes)
    if told.recipe:
        for name, part in (("clips copied", disk.clips), ("clips rendered", disk.rendered), ("text", disk.text)):
            add(f"  {name}", part, _bytes)
        add("  most while building", disk.peak, _bytes)
    add("time", seconds.total, _seconds)
    if told.recipe:
        for name, part in (("reading", seconds.reading), ("rendering", seconds.rendering), ("the rest", seconds.rest)):
            add(f"  {name}", part, _seconds)
    add("  CPU time of reading", seconds.cpu, _seconds)
    add("memory", told.memory, _bytes)
    add("  one worker", told.memory_a_worker, _bytes)
    console.print(table)
    for remark in told.remarks:
        console.print(escape(f"Note: {remark}"), soft_wrap=True)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _bytes(size: float) -> str:
    """Give bytes in decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 2 * 3600:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h" if seconds < 48 * 3600 else f"{seconds / 86400:.3g} d"
