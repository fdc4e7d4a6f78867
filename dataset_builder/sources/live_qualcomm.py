"""LIVE-Qualcomm, 208 phone videos of 54 scenes with six kinds of distortion: its MATLAB file, FAST-VQA's lists.

The file holds structs: clips end in `.yuv` (a raw file says neither size nor rate, so people keep converted ones: clips
are named without extension), the kind of distortion is a number from 1, the scores are `unbiased` (the main one) or
`biased`. FAST-VQA's list has the unbiased ones, and the kind as the folder. Kinds without one counterpart among the
taxonomy's words (artifacts, colour, exposure) leave the clip without a distortion and are remarked on. The content
group is the scene; its date and name are spelt in more than one way. Not seen: the words in which the set describes
its kinds; they are taken by their names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from dataset_builder.labels import CellError, LabelRow, number
from dataset_builder.sources import About, Example, Labelled, Table, name_of, rating, required_scale
from dataset_builder.sources._fastvqa import last_part, tables_or_lists
from dataset_builder.sources._live import LIVE_NOTICE, LIVE_TERMS
from dataset_builder.tables import Row, mat_vectors
from schemas.errors import CallError
from schemas.recipe import Scale, SourceRecipe

DISTORTIONS = {
    "Artifacts": None,  # noise or blocks
    "Color": None,  # too much, too little or a cast
    "Exposure": None,  # over or under
    "Focus": "spatial blur",
    "Sharpness": "spatial blur",
    "Stabilization": "camera shake",
}
COLUMNS = {
    "unbiased": ("qualcommSubjectiveData.unBiasedMOS", "mos"),
    "biased": ("qualcommSubjectiveData.biasedMOS",),
}
TYPE, NAMES = "qualcommVideoData.distortionType", "qualcommVideoData.distortionNames"
ABOUT = About(
    title="LIVE-Qualcomm",
    homepage="https://www.colorado.edu/lab/live/live-qualcomm-mobile-capture-video-quality-database",
    paper="Ghadiyaram et al., In-Capture Mobile Video Distortions: A Study of Subjective Behavior and Objective "
    "Algorithms, IEEE TCSVT 2018",
    licence=LIVE_NOTICE,
    terms=LIVE_TERMS,
    scales={"unbiased": Scale(lo=0, hi=100), "biased": Scale(lo=0, hi=100)},
    counts={"*": 208},
)
EXAMPLE = Example(
    table="qualcommSubjectiveData.mat",
    files={
        "qualcommSubjectiveData.mat": {
            "qualcommVideoData": {
                "vidNames": [["0101_PierAtDusk_GS5_01.yuv"], ["0101_PierAtDusk_LGG2_02.yuv"], ["0102tram_GS6.yuv"]],
                "distortionType": [[1], [6], [4]],
                "distortionNames": [[kind] for kind in DISTORTIONS],
            },
            "qualcommSubjectiveData": {
                "unBiasedMOS": [[52.5], [31.25], [44.0]],
                "biasedMOS": [[50.0], [35.0], [41.5]],
            },
        }
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the MATLAB file or a text list."""
    scale = required_scale(ABOUT, recipe)
    for table in tables_or_lists(recipe, folder):
        clip = table.column("qualcommVideoData.vidNames", "video")
        score = table.column(*COLUMNS[ABOUT.variant(recipe)])
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale, kinds=_kinds(table)))


def _kinds(table: Table) -> Sequence[str]:
    """Give the kinds of distortion in the order of their numbers; none for a text list. Raises CallError."""
    if TYPE not in table.header:
        return []
    found = mat_vectors(table.path).get(NAMES)
    if not found:
        raise CallError(f"{table.name}: its distortions are numbers without names: there is no {NAMES}")
    return [str(kind) for kind in found]


def _label(row: Row, clip: str, score: str, scale: Scale, kinds: Sequence[str]) -> LabelRow:
    path = PurePosixPath(name_of(row, clip))
    kind = _kind(row, kinds) if kinds else path.parent.name
    if kind and kind not in DISTORTIONS:
        raise CellError(TYPE if kinds else clip, f"{kind!r} is none of the set's distortions: {', '.join(DISTORTIONS)}")
    word = DISTORTIONS.get(kind)
    return LabelRow(
        clip=PurePosixPath(last_part(str(path))).stem,
        score=rating(row, score, scale),
        group=f"live_qualcomm/{_scene(path.stem)}",
        distortions=[word] if word else [],
        remark=f"the distortion {kind!r} has no one counterpart in the taxonomy" if kind and not word else "",
    )


def _kind(row: Row, kinds: Sequence[str]) -> str:
    value = number(row.get(TYPE), TYPE)
    if value is None or value not in range(1, len(kinds) + 1):
        raise CellError(TYPE, f"{row.get(TYPE)!r} is none of the {len(kinds)} distortions")
    return kinds[int(value) - 1]


def _scene(name: str) -> str:
    """Take date and scene off a name, one way: `0911duckswim` of 0911duckSwim_.., `0912burgers` of 0912_Burgers_.."""
    found = re.match(r"(\d{4})_?([^_]+)", name)
    return f"{found[1]}{found[2]}".lower() if found else name.lower()
