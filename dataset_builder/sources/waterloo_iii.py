"""Waterloo SQoE-III: 450 sessions of six players over 13 networks, rated by 34 people; MOS from 0 to 100.

Read in the shape that `waterloo_i` describes, in which the set's authors load it too; a clip is called as its log is.
The tables of the first release were not seen. No licence was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._waterloo import EXAMPLE_LOG, SCALE, sessions
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="Waterloo SQoE-III",
    homepage="http://ivc.uwaterloo.ca/database/WaterlooSQoE-III/",
    paper=(
        "Z. Duanmu, A. Rehman, Z. Wang, A Quality-of-Experience Database for Adaptive Video Streaming, "
        "IEEE Transactions on Broadcasting 64(2), 2018"
    ),
    scales={"mos": SCALE},
    counts={"data.csv": 450},
)
EXAMPLE = Example(
    table="data.csv",
    files={
        "data.csv": (
            "streaming_log,mos,content,encoding_profile,device\n"
            "001.csv,48.2,Market,H264,hdtv\n"
            "002.csv,71.015,Market,H264,hdtv\n"
        ),
        "streaming_logs/001.csv": EXAMPLE_LOG,
        "streaming_logs/002.csv": EXAMPLE_LOG,
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the sessions: score, content group, and stalls from each session's log."""
    yield from sessions("waterloo_iii", ABOUT, recipe, folder)
