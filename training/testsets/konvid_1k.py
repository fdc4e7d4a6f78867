"""KoNViD-1k, 1,200 videos: all of the set is the test set, as nobody trains on it in the paper."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.sources import konvid_1k as source
from training.testsets import About, Items
from training.testsets._scored import no_parts, scored

ABOUT = About(
    title="KoNViD-1k",
    kind="scores",
    expected={"": 1200},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
)
EXAMPLE = source.EXAMPLE


def items(labels: Path, part: str | None = None) -> Items:
    """Read the set's csv, MATLAB or text list, or the paper's JSON list (scores on 0 to 1)."""
    no_parts(ABOUT, part)
    return scored(ABOUT, "konvid_1k", labels, variant="konvid_1k")
