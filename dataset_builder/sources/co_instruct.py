"""Co-Instruct's conversations that compare the quality of several images, no scores.

The licence was not seen: declare the terms under which you use it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._conversations import conversations
from schemas.recipe import SourceRecipe

ABOUT = About(title="Co-Instruct", homepage="https://github.com/Q-Future/Co-Instruct", paper="arXiv 2402.16641")
CONFIG = "stage3"
EXAMPLE = Example(
    table="coinstruct.json",
    files={
        "coinstruct.json": """[
 {"id": 0, "image": ["a.jpg", "b.jpg"], "conversations": [
  {"from": "human", "value": "The first image: <|image|>\\nThe second image: <|image|>\\nWhich is sharper?"},
  {"from": "gpt", "value": "The first one."}]},
 {"id": 1, "image": ["b.jpg", "c.jpg", "a.jpg"], "conversations": [
  {"from": "human", "value": "The images: <|image|>, <|image|> and <|image|>. Which is darkest?"},
  {"from": "gpt", "value": "The third image."}]}
]"""
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the conversations."""
    return conversations(recipe, folder, ABOUT)
