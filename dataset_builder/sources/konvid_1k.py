"""KoNViD-1k, 1,200 videos of 8 s from Flickr: its csv files, MATLAB lists, FAST-VQA's list.

`KoNViD_1k_mos.csv` names clips by Flickr id, as the files of today's release are (`3339962845.mp4`);
`KoNViD_1k_attributes.csv` has a `file_name` as well, which wins: an older release was called
`<id>_original_centercrop_960x540_8s.mp4`. The clips carry Creative Commons licences of their own; the set itself
states none, so a recipe must. Not seen: the attributes' other columns, so no standard deviations are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, Example, Labelled, name_of, rating, required_scale
from dataset_builder.sources._fastvqa import last_part, tables_or_lists
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe

ABOUT = About(
    title="KoNViD-1k",
    homepage="https://database.mmsp-kn.de/konvid-1k-database.html",
    paper="Hosu et al., The Konstanz Natural Video Database (KoNViD-1k), QoMEX 2017",
    scales={"mos": Scale(lo=1, hi=5)},
    counts={"*": 1200},
)
EXAMPLE = Example(
    table="KoNViD_1k_mos.csv",
    files={"KoNViD_1k_mos.csv": '"flickr_id","mos"\n"1234500001","3.4200000000"\n"1234500002","2.1800000000"\n'},
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read any of the tables; clips are named without folders, which no two of them share."""
    scale = required_scale(ABOUT, recipe)
    for table in tables_or_lists(recipe, folder):
        clip = table.column("file_name", "flickr_id", "video_names", "video")
        score = table.column("mos", "MOS", "scores")
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale))


def _label(row: Row, clip: str, score: str, scale: Scale) -> LabelRow:
    return LabelRow(clip=last_part(name_of(row, clip)), score=rating(row, score, scale))
