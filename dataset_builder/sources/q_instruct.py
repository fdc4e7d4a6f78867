"""Q-Instruct's conversations about low-level image quality: `cleaned_labels.json`, no scores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dataset_builder.sources import About, Example, Labelled
from dataset_builder.sources._conversations import conversations
from schemas.recipe import SourceRecipe

ABOUT = About(
    title="Q-Instruct",
    homepage="https://huggingface.co/datasets/q-future/Q-Instruct-DB",
    paper="arXiv 2311.06783",
    licence="Apache-2.0",
)
CONFIG = "stage3"
EXAMPLE = Example(
    table="cleaned_labels.json",
    files={
        "cleaned_labels.json": """[
 {"id": "1", "image": "spaq_koniq/a.jpg", "conversations": [
  {"from": "human", "value": "<image>\\nIs it sharp?"}, {"from": "gpt", "value": "No, it is out of focus."}]},
 {"id": "2", "image": "spaq_koniq/b.jpg", "conversations": [
  {"from": "human", "value": "Describe its quality.\\n<image>"}, {"from": "gpt", "value": "It is noisy."}]}
]"""
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the conversations."""
    return conversations(recipe, folder, ABOUT)
