"""Shows the result of the demo in the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from schemas.lock import Benchmark

ROWS = {
    "trained": "trained",
    "blank_frames": "trained, key frames blanked",
    "untrained": "untrained",
    "trivial": "trivial: sharpness of key frames",
}


def show(summary: dict[str, Any], out: Path) -> None:
    """Print the tables: pairs and quarantined inputs by config, correlations, and what each step took."""
    console = Console(highlight=False)
    corpus = Table(title="Corpus", title_justify="left")
    for name in ("config", "pairs", "quarantined"):
        corpus.add_column(name, justify="left" if name == "config" else "right")
    for config, count in summary["configs"].items():
        corpus.add_row(config, str(count["pairs"]), str(count["quarantined"]))
    console.print(corpus)

    scores = Table(title="Scores of clips whose content was never seen", title_justify="left")
    for name in ("model", "n", "SRCC", "PLCC"):
        scores.add_column(name, justify="left" if name == "model" else "right")
    for row, words in ROWS.items():
        scores.add_row(words, str(summary[row]["n"]), *(_number(summary[row][key]) for key in ("srcc", "plcc")))
    console.print(scores)
    benchmark = msgspec.convert(summary["benchmark"], Benchmark)
    console.print(f"Benchmark {benchmark}.", soft_wrap=True)
    console.print(
        "The labels are synthetic: measured full-reference quality, not people's\n"
        "opinions. The model was trained from random weights on tiny clips. PLCC is\n"
        "without a logistic fit."
    )
    took = ", ".join(f"{name} {step['seconds']:.0f} s" for name, step in summary["steps"].items())
    console.print(f"{summary['seconds']:.0f} s in all ({took}), at most {summary['peak_mb']:.0f} MB.")
    console.print(
        f"See {out / 'corpus'}, {out / 'model'}, {out / 'summary.json'} and {out / 'report.json'}.", soft_wrap=True
    )


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
