"""LIVE-YT-Gaming, 600 videos of 59 games: all of the set."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.sources import live_yt_gaming as source
from training.testsets import About, Items
from training.testsets._scored import no_parts, scored

ABOUT = About(
    title="LIVE-YT-Gaming",
    kind="scores",
    expected={"": 600},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
)
EXAMPLE = source.EXAMPLE


def items(labels: Path, part: str | None = None) -> Items:
    """Read the MATLAB file, a text list or the paper's JSON list (scores on 0 to 1)."""
    no_parts(ABOUT, part)
    return scored(ABOUT, "live_yt_gaming", labels, variant="live_yt_gaming")
