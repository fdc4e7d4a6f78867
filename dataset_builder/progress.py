"""Progress of long work, on standard error, so that `--json` on standard output stays clean."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

ERROR_CONSOLE = Console(stderr=True)
LINE_SECONDS = 30.0
"""How often a line tells of the progress where there is no terminal to draw a bar on, as in the log of a batch job."""


class Advance(Protocol):
    """Tells that one more is done."""

    def __call__(self, *, failed: bool = False) -> None:
        """Advance by one; `failed` = it has no result."""


Tracker = Callable[[str, int], Advance]
"""Starts a progress bar (description, total) and gives the call that advances it by one."""


def untracked(_what: str, _total: int) -> Advance:
    """Take the place of a Tracker where nobody looks."""
    return lambda *, failed=False: None


class _Rate(ProgressColumn):
    """How many a second are done, and how many of them failed."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        failed = task.fields.get("failed", 0)
        told = f"{rate:.{1 if rate < 10 else 0}f}/s" if rate else ""
        return Text.assemble(told, (f" {failed} failed", "red") if failed else "")


def progress_bar() -> Progress:
    """Make a progress display: description, bar, count, elapsed and remaining time, rate. Use it as a context."""
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        _Rate(),
        console=ERROR_CONSOLE,
    )


@contextmanager
def tracker() -> Iterator[Tracker]:
    """Show progress while in the context: call with a description and a total, get the call that advances by one."""
    with progress_bar() as progress:

        def track(what: str, total: int) -> Advance:
            task = progress.add_task(what, total=total, failed=0)
            told = time.monotonic()

            def advance(*, failed: bool = False) -> None:
                nonlocal told
                at = progress.tasks[task]
                progress.update(task, advance=1, failed=at.fields["failed"] + failed)
                if not ERROR_CONSOLE.is_terminal and time.monotonic() - told >= LINE_SECONDS:
                    told = time.monotonic()
                    ERROR_CONSOLE.print(_line(at), soft_wrap=True, highlight=False)

            return advance

        yield track


def _line(task: Task) -> str:
    left = f", {task.time_remaining:.0f} s left" if task.time_remaining is not None else ""
    rate = f", {task.speed:.1f}/s" if task.speed else ""
    return f"{task.description}: {task.completed:.0f} of {task.total:.0f}{rate}{left}, {task.fields['failed']} failed"
