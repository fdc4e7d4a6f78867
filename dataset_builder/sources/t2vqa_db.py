"""T2VQA-DB, 10,000 generated videos of 1,000 prompts by 9 models: info.txt, `video|prompt|score` without a header.

The content group is the prompt. No licence is stated, so a recipe must say one. Not seen: info.txt itself, only the
code that reads it; the scale of 0 to 100 is not written there, so declare `scale` if yours differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, Example, Labelled, name_of, rating, required_scale, tables, text
from dataset_builder.tables import Form, Row
from schemas.recipe import Scale, SourceRecipe

INFO = Form(separator="|", header=("video", "prompt", "mos"), quoted=False)
ABOUT = About(
    title="T2VQA-DB",
    homepage="https://github.com/QMME/T2VQA",
    paper="Kou et al., Subjective-Aligned Dataset and Metric for Text-to-Video Quality Assessment, ACM MM 2024, "
    "arXiv 2403.11956",
    scales={"mos": Scale(lo=0, hi=100)},
    counts={"*": 10000},
)
EXAMPLE = Example(
    table="info.txt",
    files={"info.txt": "0001.mp4|a lighthouse, at night|48.25\n0002.mp4|a paper boat in the rain|61.5\n"},
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read info.txt."""
    scale = required_scale(ABOUT, recipe)
    for table in tables(recipe, folder, INFO):
        yield from table.each(partial(_label, scale=scale))


def _label(row: Row, scale: Scale) -> LabelRow:
    prompt = " ".join((text(row, "prompt") or "").split()).lower()
    return LabelRow(
        clip=name_of(row, "video"),
        score=rating(row, "mos", scale),
        group=f"t2vqa_db/{prompt}" if prompt else None,
    )
