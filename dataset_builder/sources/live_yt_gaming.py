"""LIVE-YT-Gaming, 600 videos of 59 games: its MATLAB file (names have no extension), FAST-VQA-like lists.

The content group is the game, the part of the name before the number: `AnimalCrossing-008`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, Example, Labelled, name_of, rating, required_scale
from dataset_builder.sources._fastvqa import last_part, tables_or_lists
from dataset_builder.sources._live import LIVE_NOTICE, LIVE_TERMS
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe

ABOUT = About(
    title="LIVE-YT-Gaming",
    homepage="https://live.ece.utexas.edu/research/LIVE-YT-Gaming/index.html",
    paper="Yu et al., Subjective and Objective Analysis of Streamed Gaming Videos, arXiv 2203.12824",
    licence=LIVE_NOTICE,
    terms=LIVE_TERMS,
    scales={"mos": Scale(lo=0, hi=100)},
    counts={"*": 600},
)
EXAMPLE = Example(
    table="LIVE-YT-Gaming.mat",
    files={
        "LIVE-YT-Gaming.mat": {
            "video_list": [["SnowRally-001"], ["SnowRally-002"], ["TileQuest-001"]],
            "MOS": [[61.5], [44.25], [80.0]],
        }
    },
)


def game_of(clip: str) -> str:
    """Give the content group of a clip: its game."""
    return f"live_yt_gaming/{last_part(clip).rpartition('-')[0] or last_part(clip)}"


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the set's MATLAB file or a text list."""
    scale = required_scale(ABOUT, recipe)
    for table in tables_or_lists(recipe, folder):
        clip, score = table.column("video_list", "video"), table.column("MOS", "mos")
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale))


def _label(row: Row, clip: str, score: str, scale: Scale) -> LabelRow:
    name = last_part(name_of(row, clip))
    return LabelRow(clip=name, score=rating(row, score, scale), group=game_of(name))
