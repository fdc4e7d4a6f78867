"""LSVQ, 39,000 user-made videos: the set's own csv of train and test, of the 1080p test, FAST-VQA's lists.

`labels_train_test.csv` says in `is_test` which split a row is in; of the other tables the file's name says it.
`is_valid` is no filter: the published counts and results take in the rows where it is False. The scores of the three
patches of a video (`mos_p1` to `mos_p3`) are not those of a clip and are left alone. Releases differ in length: 7,182
to 7,220 test rows and 3,561 to 3,573 rows of 1080p are in circulation.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from dataset_builder.labels import CellError, LabelRow
from dataset_builder.sources import About, Example, Labelled, name_of, rating, required_scale, text
from dataset_builder.sources._fastvqa import tables_or_lists
from dataset_builder.sources._live import LIVE_NOTICE, LIVE_TERMS
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Split

ABOUT = About(
    title="LSVQ",
    homepage="https://github.com/baidut/PatchVQ",
    paper="Ying et al., Patch-VQ: 'Patching Up' the Video Quality Problem, CVPR 2021, arXiv 2011.13544",
    licence=LIVE_NOTICE,
    terms=LIVE_TERMS,
    scales={"mos": Scale(lo=0, hi=100)},
    counts={"*1080p*": 3573, "*train_test*": 28056 + 7182, "*train*": 28056, "*test*": 7182},
)
EXAMPLE = Example(
    table="labels_train_test.csv",
    files={
        "labels_train_test.csv": "name,p1,height,width,mos_p1,mos,frame_number,is_test,is_valid\n"
        'yfcc-batch1/7001,"[0, 96, 0, 54, 3, 60]",540,960,61.5,63.25,240,False,True\n'
        'ia-batch2/harbour-tour_1,"[5, 101, 9, 63, 0, 57]",540,960,38.0,41.5,200,True,False\n'
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the set's csv or a FAST-VQA list. Names keep their folder: `yfcc-batch1/4` is not `yfcc-batch2/4`."""
    scale = required_scale(ABOUT, recipe)
    for table in tables_or_lists(recipe, folder):
        clip, score = table.column("name", "video"), table.column("mos")
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale, split=_split_of(table.name)))


def _label(row: Row, clip: str, score: str, scale: Scale, split: Split | None) -> LabelRow:
    return LabelRow(clip=name_of(row, clip), score=rating(row, score, scale), split=_split(row) or split)


def _split(row: Row) -> Split | None:
    found = text(row, "is_test")
    if found is not None and found.lower() not in {"true", "false"}:
        raise CellError("is_test", f"{found!r} is neither True nor False")
    return None if found is None else "test" if found.lower() == "true" else "train"


def _split_of(table: str) -> Split | None:
    name = PurePosixPath(table).name.lower()
    if "1080p" in name or ("test" in name and "train" not in name):
        return "test"
    return "train" if "train" in name and "test" not in name else None
