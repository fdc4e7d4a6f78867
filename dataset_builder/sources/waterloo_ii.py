"""Waterloo SQoE-II: 588 sessions that switch between qualities; MOS from 0 to 100.

Read in the shape that `waterloo_i` describes; a clip is called as its log is. No licence was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._waterloo import EXAMPLE_LOG, SCALE, sessions
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="Waterloo SQoE-II",
    homepage="http://ivc.uwaterloo.ca/database/WaterlooSQoE-II/",
    paper=(
        "Z. Duanmu, K. Ma, Z. Wang, Quality-of-Experience of Adaptive Video Streaming: Exploring the Space of "
        "Adaptations, ACM Multimedia 2017"
    ),
    scales={"mos": SCALE},
    counts={"data.csv": 588},
)
EXAMPLE = Example(
    table="data.csv",
    files={
        "data.csv": (
            "streaming_log,mos,content,encoding_profile,device\n"
            "001.csv,48.2,WildRiver,H264,hdtv\n"
            "002.csv,71.015,WildRiver,H264,hdtv\n"
        ),
        "streaming_logs/001.csv": EXAMPLE_LOG,
        "streaming_logs/002.csv": EXAMPLE_LOG,
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the sessions: score, content group, and stalls from each session's log."""
    yield from sessions("waterloo_ii", ABOUT, recipe, folder)
