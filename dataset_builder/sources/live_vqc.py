"""LIVE-VQC, 585 videos by 80 people with 101 devices: data.mat, FAST-VQA's list.

No content group is known: who filmed what is not in the table.
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
    title="LIVE-VQC",
    homepage="https://live.ece.utexas.edu/research/LIVEVQC/",
    paper="Sinno and Bovik, Large-Scale Study of Perceptual Video Quality, IEEE TIP 2019, arXiv 1803.01761",
    licence=LIVE_NOTICE,
    terms=LIVE_TERMS,
    scales={"mos": Scale(lo=0, hi=100)},
    counts={"*": 585},
)
EXAMPLE = Example(
    table="data.mat", files={"data.mat": {"video_list": [["A901.mp4"], ["B902.mp4"]], "mos": [[71.25], [33.5]]}}
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read data.mat or a FAST-VQA list, which puts the clips into a folder `Video`: only their names count."""
    scale = required_scale(ABOUT, recipe)
    for table in tables_or_lists(recipe, folder):
        clip, score = table.column("video_list", "video"), table.column("mos")
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale))


def _label(row: Row, clip: str, score: str, scale: Scale) -> LabelRow:
    return LabelRow(clip=last_part(name_of(row, clip)), score=rating(row, score, scale))
