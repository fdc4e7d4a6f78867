"""CVD2014, 234 videos of 5 scenes by 78 cameras: the csv of realigned scores, FAST-VQA's list.

The csv has `;` between cells, decimal commas, nameless columns and a tail of blank rows. Two scores stand in it:
`realigned` (the main one, comparable across the seven tests; it runs from -6.50 to 93.38, negative scores included,
and has no ends of its own, so its range stands for a scale) and `original` (0 to 100, comparable within one test only).
FAST-VQA's list holds the realigned ones. The content group is the scene, of which there are five: with so few, look at
what a drawn split gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, Example, Labelled, name_of, rating, required_scale
from dataset_builder.sources._fastvqa import last_part, tables_or_lists
from dataset_builder.tables import Form, Row
from schemas.recipe import Scale, SourceRecipe

COLUMNS = {"realigned": ("Realignment MOS", "mos"), "original": ("Original MOS",)}
ABOUT = About(
    title="CVD2014",
    homepage="https://zenodo.org/records/2646315",
    paper="Nuutinen et al., CVD2014 - A Database for Evaluating No-Reference Video Quality Assessment Algorithms, "
    "IEEE TIP 2016, doi 10.1109/TIP.2016.2562513",
    licence="CC-BY-4.0",
    scales={"realigned": Scale(lo=-6.5, hi=93.38), "original": Scale(lo=0, hi=100)},
    counts={"*": 234},
)
EXAMPLE = Example(
    table="Realignment_MOS.csv",
    files={
        "Realignment_MOS.csv": "Content;File_name;Original MOS;Realignment MOS;;;;\r\n"
        "City;Test01_City_D91;70,12;66,04;;;;\r\nTalking head;Test05_Talking_Head_D92;21,5;-3,25;;;;\r\n;;;;;;;\r\n"
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the csv or a text list. Clips are named without folder and extension, as the csv names them."""
    scale = required_scale(ABOUT, recipe)
    for table in tables_or_lists(recipe, folder, Form(separator=";")):
        clip = table.column("File_name", "video")
        score = table.column(*COLUMNS[ABOUT.variant(recipe)])
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale))


def _label(row: Row, clip: str, score: str, scale: Scale) -> LabelRow:
    name = PurePosixPath(last_part(name_of(row, clip))).stem
    # Test05_Talking_Head_D07 and Test06_Talking_head_D07 show the same scene.
    scene = "_".join(name.split("_")[1:-1]).lower() or name
    return LabelRow(clip=name, score=rating(row, score, scale, decimal=","), group=f"cvd2014/{scene}")
