"""Waterloo SQoE-I: 180 sessions of 20 contents, smooth, with initial buffering or with one stall; MOS from 0 to 100.

Read in the shape in which the set's authors publish their sets together: `data.csv` (streaming_log, mos, content,
encoding_profile, device) with `streaming_logs` beside it. The clips of the first release carry other names, which
`data.csv` does not hold: a clip here is called as its log is (`001.csv`: `001.mp4`). No licence was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._waterloo import EXAMPLE_LOG, SCALE, sessions
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="Waterloo SQoE-I",
    homepage="http://ivc.uwaterloo.ca/database/WaterlooSQoE-I/",
    paper=(
        "Z. Duanmu, K. Zeng, K. Ma, A. Rehman, Z. Wang, A Quality-of-Experience Index for Streaming Video, "
        "IEEE Journal of Selected Topics in Signal Processing 11(1), 2017"
    ),
    scales={"mos": SCALE},
    counts={"data.csv": 180},
)
EXAMPLE = Example(
    table="data.csv",
    files={
        "data.csv": (
            "streaming_log,mos,content,encoding_profile,device\n"
            "001.csv,58.104,Harbour,H264,hdtv\n002.csv,33.75,Harbour,H264,hdtv\n"
        ),
        "streaming_logs/001.csv": EXAMPLE_LOG,
        "streaming_logs/002.csv": EXAMPLE_LOG,
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the sessions: score, content group, and stalls from each session's log."""
    yield from sessions("waterloo_i", ABOUT, recipe, folder)
