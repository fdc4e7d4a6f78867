"""KonIQ-10k: 10,073 photographs as they come, MOS from 1 to 5 (variant mos) or 0 to 100 (zscore), LIQE's distortions.

Three tables are read: `koniq10k_scores_and_distributions.csv`, whose MOS runs from 1 to 5 beside a MOS_zscore from 0 to
100; `koniq10k_distributions_sets.csv`, whose MOS is that from 0 to 100, with the authors' split in `set` (its mean from
1 to 5 is worked out from the shares c1..c5); and LIQE's lists, whose score is the one from 1 to 5. SD is that of the
ratings from 1 to 5. No licence was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import CellError, LabelRow, number, score_of
from dataset_builder.sources import (
    About,
    Example,
    Labelled,
    Table,
    _liqe,
    name_of,
    rating,
    required_scale,
    tables,
    text,
)
from dataset_builder.tables import AS_ITS_ENDING_SAYS, Row
from schemas.errors import CallError
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Score, Split

ABOUT = About(
    title="KonIQ-10k",
    homepage="https://database.mmsp-kn.de/koniq-10k-database.html",
    paper=(
        "V. Hosu, H. Lin, T. Sziranyi, D. Saupe, KonIQ-10k: An Ecologically Valid Database for Deep Learning of Blind "
        "Image Quality Assessment, IEEE Transactions on Image Processing 29, 2020, arXiv 1910.06180"
    ),
    scales={"mos": Scale(lo=1, hi=5), "zscore": Scale(lo=0, hi=100)},
    counts={
        "koniq10k_*.csv": 10073,
        "koniq10k_train_clip.txt": 7051,
        "koniq10k_val_clip.txt": 1007,
        "koniq10k_test_clip.txt": 2015,
    },
)
EXAMPLE = Example(
    table="koniq10k_*_clip.txt",
    files={
        "koniq10k_train_clip.txt": (
            "1024x768/9000000001.jpg\t3.41\toverexposure\thuman\tinvalid\tinvalid\n"
            "1024x768/9000000002.jpg\t2.25\trealistic contrast change\tnight\tlandscape\tinvalid\n"
        ),
        "koniq10k_test_clip.txt": "1024x768/9000000003.jpg\t1.9\trealistic blur\tanimal\tinvalid\tinvalid\n",
    },
)
SETS: dict[str, Split] = {"training": "train", "validation": "val", "test": "test"}


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the set's own tables or LIQE's lists, which hold the variant mos alone."""
    variant = ABOUT.variant(recipe)
    scale = required_scale(ABOUT, recipe)
    listed = _liqe.is_list(recipe)
    if listed and variant != "mos":
        raise CallError(f"source {recipe.name!r}: LIQE's lists hold the variant mos, not {variant}")
    for table in tables(recipe, folder, _liqe.LIST if listed else AS_ITS_ENDING_SAYS):
        if listed:
            yield from table.each(partial(_listed, table, scale))
        else:
            table.column("image_name")
            column = table.column("MOS_zscore", "set")
            yield from table.each(partial(_label, recipe.decimal, scale, variant, column))


def _listed(table: Table, scale: Scale, row: Row) -> LabelRow:
    name, remark = _liqe.distortion_of(row)
    return LabelRow(
        clip=name_of(row, "path"),
        score=rating(row, "mos", scale),
        split=_liqe.split_of(table.name),
        distortions=[name] if name else [],
        remark=remark,
    )


def _label(decimal: str, scale: Scale, variant: str, column: str, row: Row) -> LabelRow:
    clip = name_of(row, "image_name")
    with_sets = column == "set"
    if variant == "zscore":
        score = rating(row, "MOS" if with_sets else "MOS_zscore", scale, decimal=decimal, ratings="c_total")
    elif with_sets:
        score = _mean_of_shares(row, scale, decimal)
    else:
        score = rating(row, "MOS", scale, decimal=decimal, std="SD", ratings="c_total")
    return LabelRow(clip=clip, score=score, split=_split(row) if with_sets else None)


def _split(row: Row) -> Split:
    found = text(row, "set") or ""
    if found not in SETS:
        raise CellError("set", f"{found!r} is none of {', '.join(SETS)}")
    return SETS[found]


def _mean_of_shares(row: Row, scale: Scale, decimal: str) -> Score:
    shares = [number(row.get(f"c{level}"), f"c{level}", decimal) or 0.0 for level in range(1, 6)]
    if min(shares) < 0 or sum(shares) <= 0:
        raise CellError("c1", "c1 to c5 are no shares of the ratings")
    mean = sum(level * share for level, share in enumerate(shares, 1)) / sum(shares)
    std, ratings = (number(row.get(name), name, decimal) for name in ("SD", "c_total"))
    return score_of(mean, std, ratings, scale, "c1")
