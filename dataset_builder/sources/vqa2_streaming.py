"""VQA²'s published streaming conversations: what live-ii, waterloo_III and waterloo_I files of q-future hold.

`gt_score` is a number written as text: the score of the set, already stretched to 0-100 between the set's own extremes
(arXiv 2411.03795; the range is that of the whole set, so the extremes of one file say nothing). The level words are
VQA²'s own. The data set has no card and no stated licence: declare the terms under which you use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._conversations import conversations
from schemas.recipe import Scale, SourceRecipe

ABOUT = About(
    title="VQA-stage2-streaming",
    homepage="https://huggingface.co/datasets/q-future/VQA-stage2-streaming",
    paper="arXiv 2411.03795",
    scales={"gt_score": Scale(lo=0, hi=100, range="nominal")},
    counts={"live-ii_*": 420, "waterloo_III_*": 450, "waterloo_I_*": 180},
)
CONFIG = "stage2-streaming"
EXAMPLE = Example(
    table="live-ii_ver1.json",
    files={
        "live-ii_ver1.json": """[
 {"image": "LIVE-NFLX-II/Test/a.mp4", "frames per sec": 1, "gt_score": "41.5", "conversations": [
  {"from": "human", "value": "Key frames:\\n<image>. Motion:\\n <image>. How would you evaluate the quality?"},
  {"from": "gpt", "value": "The quality of this video is fair."}]},
 {"image": "LIVE-NFLX-II/Test/b.mp4", "frames per sec": 1, "gt_score": "100.0", "conversations": [
  {"from": "human", "value": "Key frames:\\n<image>. Motion:\\n <image>. How would you evaluate the quality?"},
  {"from": "gpt", "value": "The quality of this video is high."}]}
]"""
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the conversations."""
    return conversations(recipe, folder, ABOUT)
