"""VideoFeedback, 37,600 generated and real videos rated 1 to 4 on five dimensions: its parquet files.

`variant` picks the dimension; `visual_quality` is the main one. A score is one whole rating, not a mean of many. Clips
are named by `id`, as the mp4 files are (`p000304.mp4`). The split is in the file's name (`train-..`, `test-..`), the
content group is the prompt. `annotated` holds 32,901 + 680 rows, `real` 4,000 + 80: they are told apart by folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from dataset_builder.labels import LabelRow
from dataset_builder.sources import About, Example, Labelled, name_of, rating, required_scale, tables, text
from dataset_builder.tables import Row
from schemas.recipe import Scale, SourceRecipe
from schemas.record import SPLITS, Split

COLUMNS = {
    "visual_quality": "visual quality",
    "temporal_consistency": "temporal consistency",
    "dynamic_degree": "dynamic degree",
    "text_to_video_alignment": "text-to-video alignment",
    "factual_consistency": "factual consistency",
}
PROMPT = "text prompt"
ABOUT = About(
    title="VideoFeedback",
    homepage="https://huggingface.co/datasets/TIGER-Lab/VideoFeedback",
    paper="He et al., VideoScore: Building Automatic Metrics to Simulate Fine-grained Human Feedback for Video "
    "Generation, EMNLP 2024, arXiv 2406.15252",
    licence="Apache-2.0",
    scales=dict.fromkeys(COLUMNS, Scale(lo=1, hi=4)),
    counts={"*annotated*train*": 32901, "*annotated*test*": 680, "*real*train*": 4000, "*real*test*": 80},
)
EXAMPLE = Example(
    table="annotated/train-*.parquet",
    files={
        "annotated/train-00000-of-00001.parquet": [
            {"id": name, "images": [f"{name}_00.jpg"], PROMPT: prompt, **dict.fromkeys(COLUMNS.values(), score)}
            for name, prompt, score in (("x900001", "a kite over dunes", 3), ("x900002", "two foxes dance", 1))
        ]
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read one dimension of the parquet files."""
    scale, score = required_scale(ABOUT, recipe), COLUMNS[ABOUT.variant(recipe)]
    for table in tables(recipe, folder):
        clip = table.column("id")
        table.column(score)
        split = next((s for s in SPLITS if PurePosixPath(table.name).name.startswith(s)), None)
        yield from table.each(partial(_label, clip=clip, score=score, scale=scale, split=split))


def _label(row: Row, clip: str, score: str, scale: Scale, split: Split | None) -> LabelRow:
    prompt = " ".join((text(row, PROMPT) or "").split()).lower()
    return LabelRow(
        clip=name_of(row, clip),
        score=rating(row, score, scale),
        group=f"video_feedback/{prompt}" if prompt else None,
        split=split,
    )
