"""YouTube-UGC, the 1,020 re-encoded H.264 clips: MATLAB and text lists, or the study's table.

The people of the study saw the originals: the scores are theirs, the files are copies at CRF 10, cut to 20 s, called
`<video>_crf_10_ss_00_t_20.0.mp4`. Lists of 1,142 to 1,147 clips are in circulation; the set itself gives no number.
The scores of a list may be 1xN (`youtube_ugc_data.mat`). The study's table of 1,380 originals is read too, each
standing for its copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled, _youtube_ugc
from dataset_builder.sources._youtube_ugc import HOMEPAGE, LICENCE, PAPER, SCALES
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="YouTube-UGC, re-encoded",
    homepage=HOMEPAGE,
    paper=PAPER,
    licence=LICENCE,
    scales=SCALES,
    counts={"*": 1020},
)
EXAMPLE = Example(
    table="youtube_ugc_data.mat",
    files={
        "youtube_ugc_data.mat": {
            "index": [[2, 1, 3], [3, 1, 2]],
            "scores": [[3.512, 2.204, 4.1]],
            "video_names": [
                ["Sports_1080P-00aa_crf_10_ss_00_t_20.0.mp4"],
                ["Vlog_360P-00bb_crf_10_ss_00_t_20.0.mp4"],
                ["HDR_2160P-00cc_crf_10_ss_00_t_20.0.mp4"],
            ],
        }
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the scores of originals as those of their copies."""
    yield from _youtube_ugc.labels(recipe, folder, ABOUT, reencoded=True)
