"""KADID-10k: 81 pictures, each with 25 distortions of 5 levels, 10,125 images; called DMOS, but 5 is best and 1 worst.

`dmos.csv` (dist_img, ref_img, dmos, var) or LIQE's lists. The column `var` holds the standard deviation, over all
ratings: as such, and not as a variance, it fits the means of 30 whole ratings. An image is `I<picture>_<type>_<level>`,
and its distortion is taken from there, after what the set's own generator does at each level, because LIQE's words for
types 7 and 8 are each other's: 7 takes saturation away (MATLAB: HSV saturation x 0.4 .. 0, and -0.4, which inverts
colours), 8 adds it (Lab x 1, which changes nothing, .. 9). Type 25 raises contrast at levels 1 to 3 and lowers it at 4
and 5. No licence was found: the authors say "freely available to the research community".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import CellError, LabelRow
from dataset_builder.sources import About, Example, Labelled, Table, _liqe, name_of, rating, required_scale, tables
from dataset_builder.tables import AS_ITS_ENDING_SAYS, Row
from schemas.recipe import Scale, SourceRecipe

ABOUT = About(
    title="KADID-10k",
    homepage="https://database.mmsp-kn.de/kadid-10k-database.html",
    paper="H. Lin, V. Hosu, D. Saupe, KADID-10k: A Large-scale Artificially Distorted IQA Database, QoMEX 2019",
    scales={"dmos": Scale(lo=1, hi=5, direction="higher_is_better")},
    counts={"dmos.csv": 10125, "kadid10k_train_clip.txt": 7125, "kadid10k_test_clip.txt": 2000},
)
EXAMPLE = Example(
    table="dmos.csv",
    files={
        "dmos.csv": (
            "dist_img,ref_img,dmos,var\nI90_01_02.png,I90.png,4.2,0.71\nI90_07_03.png,I90.png,2.4,0.88\n"
            "I91_25_05.png,I91.png,3.1,0.9\n"
        )
    },
)
IMAGE = re.compile(r"(?:^|/)(?P<picture>I\d+)_(?P<type>\d+)_(?P<level>[1-5]|0[1-5])\.\w+$")
WORDS = (
    "gaussian blur",
    "lens",
    "motion",
    "diffusion",
    "shifting",
    "color quantization",
    "desaturation",
    "oversaturation",
    "jpeg2000 compression",
    "jpeg compression",
    "white noise",
    "white with color",
    "impulse",
    "multiplicative",
    "white noise with denoise",
    "brighten",
    "darken",
    "shifting the mean",
    "jitter",
    "noneccentricity patch",
    "pixelate",
    "quantization",
    "color blocking",
    "sharpness",
    "contrast",
)
"""Types 1 to 25 in LIQE's words, 7 and 8 the right way round."""
BY_LEVEL: dict[tuple[int, int], str | None] = {
    (7, 5): None,
    (8, 1): None,
    **{(25, level): "high contrast" for level in (1, 2, 3)},
    **{(25, level): "low contrast" for level in (4, 5)},
}


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the set's table or LIQE's lists."""
    scale = required_scale(ABOUT, recipe)
    listed = _liqe.is_list(recipe)
    for table in tables(recipe, folder, _liqe.LIST if listed else AS_ITS_ENDING_SAYS):
        if not listed:
            for column in ("dist_img", "dmos"):
                table.column(column)
        yield from table.each(partial(_listed if listed else _label, table, scale))


def _label(table: Table, scale: Scale, row: Row) -> LabelRow:
    clip = name_of(row, "dist_img")
    picture, name, remark = _shown(clip, "dist_img")
    score = rating(row, "dmos", scale, decimal=table.recipe.decimal, std="var")
    return LabelRow(clip=clip, score=score, group=picture, distortions=[name] if name else [], remark=remark)


def _listed(table: Table, scale: Scale, row: Row) -> LabelRow:
    clip = name_of(row, "path")
    picture, name, remark = _shown(clip, "path")
    said, _ = _liqe.distortion_of(row)
    if name and said and said != name:
        remark = f"LIQE says {said}, the set's generator makes {name}: the generator is believed"
    return LabelRow(
        clip=clip,
        score=rating(row, "mos", scale),
        group=picture,
        split=_liqe.split_of(table.name),
        distortions=[name] if name else [],
        remark=remark,
    )


def _shown(clip: str, column: str) -> tuple[str, str | None, str]:
    """Read content group and distortion off an image's name; a remark says why there is no distortion."""
    found = IMAGE.search(clip)
    kind = int(found["type"]) if found else 0
    if not found or not 1 <= kind <= len(WORDS):
        raise CellError(column, f"{clip!r} is not called as the set's images are: I<picture>_<type>_<level>.png")
    group, level, word = f"kadid_10k/{found['picture']}", int(found["level"]), WORDS[kind - 1]
    name = BY_LEVEL.get((kind, level), _liqe.TAXONOMY[word])
    if name:
        return group, name, ""
    at = f" at level {level}" if (kind, level) in BY_LEVEL else ""
    return group, None, f"type {kind} ({word}){at} is none of the taxonomy's distortions: only the score is used"
