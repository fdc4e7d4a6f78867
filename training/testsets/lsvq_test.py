"""LSVQ's test split, 7,182 videos (7,182 to 7,220 by release): the rows of the set's tables that are of it."""

from __future__ import annotations

from pathlib import Path

from dataset_builder.sources import Example
from dataset_builder.sources import lsvq as source
from training.testsets import About, Items
from training.testsets._scored import no_parts, scored

ABOUT = About(
    title="LSVQ test",
    kind="scores",
    expected={"": 7182},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
    notes="releases of 7,182 to 7,220 rows are in circulation: say by --expect how many yours holds",
)
EXAMPLE = Example(
    table="labels_train_test.csv",
    files={
        "labels_train_test.csv": "name,mos,is_test\nyfcc-batch1/7001,63.25,False\n"
        "ia-batch2/harbour-tour_1,41.5,True\nyfcc-batch3/12,50.0,True\n"
    },
)


def items(labels: Path, part: str | None = None) -> Items:
    """Read the set's csv (the rows of its test split), FAST-VQA's list or the paper's JSON list."""
    no_parts(ABOUT, part)
    return scored(ABOUT, "lsvq", labels, variant="lsvq_test", keep=lambda row: row.split != "train")
