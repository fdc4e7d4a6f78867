"""SPAQ: 11,125 photographs of 66 smartphones, MOS from 0 to 100.

`MOS and Image attribute scores.xlsx` (Image name, MOS, and scores of attributes that are not distortions: not read), or
the same saved as CSV.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, Example, Labelled, Table, name_of, rating, required_scale, tables
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe

ABOUT = About(
    title="SPAQ",
    homepage="https://github.com/h4nwei/SPAQ",
    paper=(
        "Y. Fang, H. Zhu, Y. Zeng, K. Ma, Z. Wang, Perceptual Quality Assessment of Smartphone Photography, CVPR 2020, "
        "doi 10.1109/CVPR42600.2020.00373"
    ),
    licence="educational and research use without fee (SPAQ's own notice)",
    scales={"mos": Scale(lo=0, hi=100)},
    counts={"MOS*mage*attribute*scores.*": 11125},
)
EXAMPLE = Example(
    table="Annotations/MOS and Image attribute scores.xlsx",
    files={
        "Annotations/MOS and Image attribute scores.xlsx": [
            {"Image name": "90001.jpg", "MOS": 48.5, "Brightness": 50.1, "Colorfulness": 44.0, "Contrast": 47.2},
            {"Image name": "90002.jpg", "MOS": 71, "Brightness": 60.5, "Colorfulness": 66.1, "Contrast": 58.8},
        ]
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read names and scores."""
    scale = required_scale(ABOUT, recipe)
    for table in tables(recipe, folder):
        table.column("Image name")
        table.column("MOS")
        yield from table.each(partial(_label, table, scale))


def _label(table: Table, scale: Scale, row: Row) -> LabelRow:
    return LabelRow(clip=name_of(row, "Image name"), score=rating(row, "MOS", scale, decimal=table.recipe.decimal))
