"""YouTube-UGC, the 1,380 scored originals of 20 s: the study's table, or a list of originals.

Only the scores of the full clip are read. `MOSChunk00` to `MOSChunk10` belong to 10 s cuts, which are no files of the
set. Videos leave the set as licences change, so clips may be missing. An .xls must be saved as .xlsx or .csv. Content
groups are shared with `youtube_ugc_h264`: an original and its copy land in one split.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled, _youtube_ugc
from dataset_builder.sources._youtube_ugc import HOMEPAGE, LICENCE, PAPER, SCALES
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="YouTube-UGC",
    homepage=HOMEPAGE,
    paper=PAPER,
    licence=LICENCE,
    scales=SCALES,
    counts={"*": 1380},
)
EXAMPLE = Example(
    table="MOS.csv",
    files={
        "MOS.csv": "vid,category,resolution,MOSFull,MOSChunk00,stdFull\n"
        "Sports_1080P-00aa,Sports,1080,3.512,3.4,0.611\nVlog_360P-00bb,Vlog,360,2.204,2.1,0.702\n"
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the scores of originals; a row that names a re-encoded copy goes to quarantine."""
    yield from _youtube_ugc.labels(recipe, folder, ABOUT, reencoded=False)
