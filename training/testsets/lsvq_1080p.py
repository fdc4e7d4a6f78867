"""LSVQ's 1080p test split, 3,573 videos (3,561 to 3,573 by release)."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.sources import Example
from dataset_builder.sources import lsvq as source
from training.testsets import About, Items
from training.testsets._scored import no_parts, scored

ABOUT = About(
    title="LSVQ 1080p",
    kind="scores",
    expected={"": 3573},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
    notes="releases of 3,561 to 3,573 rows are in circulation, and the paper's repository has a list of 2,575",
)
EXAMPLE = Example(
    table="labels_test_1080p.csv",
    files={
        "labels_test_1080p.csv": "name,height,width,mos,frame_number\n"
        "yfcc-batch1/7003,1080,1920,63.25,240\nia-batch2/pier_4,1080,1920,41.5,200\n"
    },
)


def items(labels: Path, part: str | None = None) -> Items:
    """Read labels_test_1080p.csv, FAST-VQA's list or the paper's JSON list (scores on 0 to 1)."""
    no_parts(ABOUT, part)
    return scored(ABOUT, "lsvq", labels, variant="lsvq_1080p", keep=lambda row: row.split != "train")
