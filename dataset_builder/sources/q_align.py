"""Q-Align's conversations: a level word of the absolute category rating for an image or video, the score in the id.

The id reads `name->score`, on the scale of the set that the file is about, so the recipe declares the `scale`. The cut
points behind the words are equal steps of a range that is often not the file's own, and some answers use other words
(pristine, pleasing): the words are compared with what the declared scale makes of the score, never trusted. `bad` and
`excellent` are our `low` and `high`; `levels: rederived` writes our words into the answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled, required_scale
from dataset_builder.sources._conversations import ACR, conversations
from schemas.recipe import SourceRecipe

ABOUT = About(title="Q-Align", homepage="https://github.com/Q-Future/Q-Align", paper="arXiv 2312.17090")
CONFIG = "stage2-ugc"
EXAMPLE = Example(
    table="train.json",
    files={
        "train.json": """[
 {"id": "a.jpg->4.5", "image": "a.jpg", "conversations": [
  {"from": "human", "value": "Can you rate it?\\n<|image|>"}, {"from": "gpt", "value": "The quality is excellent."}]},
 {"id": "b.jpg->1.5", "image": "b.jpg", "conversations": [
  {"from": "human", "value": "Can you rate it?\\n<|image|>"}, {"from": "gpt", "value": "The quality is bad."}]}
]"""
    },
    options={"scale": {"lo": 1, "hi": 5, "range": "nominal"}},
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the conversations. Raises CallError without a declared scale."""
    required_scale(ABOUT, recipe)
    return conversations(recipe, folder, ABOUT, words=ACR, name_holds_score=True)
