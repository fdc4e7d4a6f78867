"""The rating lists in the repository of the VQA² paper: JSON lists of clip and score on three scales, 0-1, 1-5, 0-100.

A list does not say its scale, so a recipe must: by `variant`, the set that the list is of, or by `scale`. Three lists
of `rating/` are rescaled to 0-1 (LSVQ 1080p, KoNViD-1k, LIVE-YT-Gaming); their raw twins in `eval/` need `scale`, and
so does the 15 % of LIVE-VQC there, which is rescaled. The keys differ from list to list (`img_path`, `VIDEO_path`,
`video_path`, `image`; `mos`, `gt_score`, `GT_SCORE`). `level`, where given, is not used: one row of each list says 6,
where 5 is the highest, which is remarked on. The lists of LSVQ and `UGC_test.json` are test splits, and stay that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from dataset_builder.labels import LabelRow, number
from dataset_builder.sources import About, Example, Labelled, _youtube_ugc, name_of, rating, required_scale, tables
from dataset_builder.sources._fastvqa import last_part
from dataset_builder.sources.live_yt_gaming import game_of
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Split

ABOUT = About(
    title="rating lists of VQA²",
    homepage="https://github.com/Q-Future/Visual-Question-Answering-for-Video-Quality-Assessment",
    paper="Jia et al., VQA²: Visual Question Answering for Video Quality Assessment, arXiv 2411.03795",
    scales={
        "lsvq_test": Scale(lo=0, hi=100),
        "lsvq_1080p": Scale(lo=0, hi=1),
        "youtube_ugc": Scale(lo=1, hi=5),
        "konvid_1k": Scale(lo=0, hi=1),
        "live_vqc": Scale(lo=0, hi=100),
        "live_yt_gaming": Scale(lo=0, hi=1),
        "ugc_test": Scale(lo=0, hi=100),
    },
    counts={
        "LSVQ(test).json": 7182,
        "LSVQ(test_1080p).json": 2575,
        "lsvq1080p.json": 3573,
        "YT_UGC*.json": 1380,
        "konvid*.json": 1200,
        "LIVE-VQC.json": 585,
        "live_VQC.json": 88,
        "YT-Gaming.json": 600,
        "UGC_test.json": 4000,
    },
    no_main=True,
)
EXAMPLE = Example(
    table="lsvq1080p.json",
    files={
        "lsvq1080p.json": '[{"img_path": "ia-batch1/-pier.mp4", "mos": 0.61, "level": 4}, '
        '{"img_path": "yfcc-batch9/77.mp4", "mos": 1.0, "level": 6}]'
    },
    options={"variant": "lsvq_1080p"},
)


def _recording_of(clip: str) -> str:
    """Give the content group of `<recording>-<number>.mp4`: cuts of one recording belong together."""
    return f"ugc_test/{last_part(clip).rpartition('-')[0] or last_part(clip)}"


GROUPS: dict[str, Callable[[str], str]] = {
    "youtube_ugc": _youtube_ugc.group_of,
    "live_yt_gaming": game_of,
    "ugc_test": _recording_of,
}
"""How the content group is read off a clip's name, for the sets where it can be."""
TEST_SETS = {"lsvq_test", "lsvq_1080p", "ugc_test"}
"""Lists of what their sets publish as test splits."""


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read a list, whatever its keys are called."""
    scale, variant = required_scale(ABOUT, recipe), ABOUT.variant(recipe)
    split: Split | None = "test" if variant in TEST_SETS else None
    for table in tables(recipe, folder):
        clip = table.column("img_path", "VIDEO_path", "video_path", "image")
        score = table.column("mos", "gt_score", "GT_SCORE")
        for labelled in table.each(partial(_label, clip=clip, score=score, scale=scale, group_of=GROUPS.get(variant))):
            yield replace(labelled, split=split) if isinstance(labelled, LabelRow) else labelled


def _label(row: Row, clip: str, score: str, scale: Scale, group_of: Callable[[str], str] | None) -> LabelRow:
    name, level = name_of(row, clip), number(row.get("level"), "level")
    return LabelRow(
        clip=name,
        score=rating(row, score, scale),
        group=group_of(name) if group_of else None,
        remark="" if level in (None, 1, 2, 3, 4, 5) else f"its level {level:g} is none of 1 to 5, and is not used",
    )
