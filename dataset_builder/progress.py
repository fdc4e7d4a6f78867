"""Progress of long work, on standard error, so that `--json` on standard output stays clean."""

from __future__ import annotations

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
