"""YouTube-UGC, the 1,380 scored originals: all of the set. Re-encoded copies are another benchmark, and are refused."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.sources import youtube_ugc as source
from training.testsets import About, Items
from training.testsets._scored import no_parts, scored

ABOUT = About(
    title="YouTube-UGC",
    kind="scores",
    expected={"": 1380},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
    notes="videos leave the set as licences change: say by --expect how many your release holds",
)
EXAMPLE = source.EXAMPLE


def items(labels: Path, part: str | None = None) -> Items:
    """Read the study's table, a text list or the paper's JSON list."""
    no_parts(ABOUT, part)
    return scored(ABOUT, "youtube_ugc", labels, variant="youtube_ugc")
