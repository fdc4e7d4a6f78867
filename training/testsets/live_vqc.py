"""LIVE-VQC, 585 videos: all of the set. Upstream's evaluation leaves B054 out, which some copies hold damaged."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.sources import live_vqc as source
from training.testsets import About, Items
from training.testsets._scored import no_parts, scored

ABOUT = About(
    title="LIVE-VQC",
    kind="scores",
    expected={"": 585},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
)
EXAMPLE = source.EXAMPLE


def items(labels: Path, part: str | None = None) -> Items:
    """Read data.mat, a text list or the paper's JSON list."""
    no_parts(ABOUT, part)
    return scored(ABOUT, "live_vqc", labels, variant="live_vqc")
