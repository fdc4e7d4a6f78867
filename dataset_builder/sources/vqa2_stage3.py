"""VQA²'s published stage-3 conversations: `state3_only.json` and `state3_mix.json` of q-future.

No score, no id, no stated licence (declare your terms). The mix repeats the level questions of stage 2, without their
scores. The counts are what arithmetic on the pages of the hub's viewer gives; they were not read anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._conversations import conversations
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="VQA-stage3",
    homepage="https://huggingface.co/datasets/q-future/VQA-stage3",
    paper="arXiv 2411.03795",
    counts={"state3_only.json": 115_214, "state3_mix.json": 143_270},
)
CONFIG = "stage3"
EXAMPLE = Example(
    table="some.json",
    files={
        "some.json": """[
 {"image": "LSVQ/yfcc-batch1/1.mp4", "frames per sec": 1, "conversations": [
  {"from": "human", "value": "Key frames:\\n <image>. Motion:\\n <image>. Does it flicker? "},
  {"from": "gpt", "value": "Yes, slightly, in the first second."}]},
 {"image": "LSVQ/yfcc-batch1/1.mp4", "frames per sec": 1, "conversations": [
  {"from": "human", "value": "Key frames:\\n <image>. Motion:\\n <image>. Is it blurred? A. Yes B. No "},
  {"from": "gpt", "value": "B. No"}]}
]"""
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the conversations."""
    return conversations(recipe, folder, ABOUT)
