"""Progress of long work, on standard error, so that `--json` on standard output stays clean."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

ERROR_CONSOLE = Console(stderr=True)


def progress_bar() -> Progress:
    """Make a progress display: description, bar, count, elapsed and remaining time. Use it as a context."""
    return Progress(
        TextColumn("[progress.description]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=ERROR_CONSOLE,
    )


@contextmanager
def tracker() -> Iterator[Callable[[str, int], Callable[[], None]]]:
    """Show progress while in the context: call with a description and a total, get the call that advances by one."""
    with progress_bar() as progress:

        def track(what: str, total: int) -> Callable[[], None]:
            task = progress.add_task(what, total=total)
            return lambda: progress.advance(task)

        yield track
