"""Waterloo SQoE-IV: 1,350 sessions, 450 on each of phone, HDTV and UHDTV, with single scores; MOS from 0 to 100.

Read in the shape that `waterloo_i` describes, with `individual_scores` (`[95 83 70]`) that give standard deviation and
number of ratings; a clip is called as its log is. `where: {device: phone}` keeps one device. No licence was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._waterloo import EXAMPLE_LOG, SCALE, sessions
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="Waterloo SQoE-IV",
    homepage="http://ivc.uwaterloo.ca/database/WaterlooSQoE-IV/",
    paper=(
        "Z. Duanmu, W. Liu, Z. Li, D. Chen, Z. Wang, Y. Wang, W. Gao, Assessing the Quality-of-Experience of "
        "Adaptive Bitrate Video Streaming, arXiv 2008.08804"
    ),
    scales={"mos": SCALE},
    counts={"data.csv": 1350},
)
EXAMPLE = Example(
    table="data.csv",
    files={
        "data.csv": (
            "streaming_log,mos,individual_scores,abr,content,encoding_profile,device,trace\n"
            "throughput_H264_market_phone_1.csv,61.0,[55 60 68],throughput,market,H264,phone,3G_1\n"
            "buffer_HEVC_market_uhdtv_7.csv,40.5,[38 43],buffer,market,HEVC,uhdtv,4G_2\n"
        ),
        "streaming_logs/throughput_H264_market_phone_1.csv": EXAMPLE_LOG,
        "streaming_logs/buffer_HEVC_market_uhdtv_7.csv": EXAMPLE_LOG,
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the sessions: score, content group, and stalls from each session's log."""
    yield from sessions("waterloo_iv", ABOUT, recipe, folder)
