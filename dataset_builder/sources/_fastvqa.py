"""The text lists in which FAST-VQA and DOVER keep the labels of other people's sets: `clip, duration, fps, mos`.

They have no header; unknown durations and rates are -1. One shape serves many sets, so each set reads its own list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from dataset_builder.sources import Table, tables
from dataset_builder.tables import AS_ITS_ENDING_SAYS, Form
from schemas.recipe import SourceRecipe

LIST = Form(separator=", ", header=("video", "duration", "fps", "mos"))


def tables_or_lists(recipe: SourceRecipe, folder: Path, form: Form = AS_ITS_ENDING_SAYS) -> Iterator[Table]:
    """Open the tables of a recipe: a `.txt` is a text list (columns `video`, `mos`), anything else the set's own."""
    return tables(recipe, folder, LIST if recipe.table.lower().endswith(".txt") else form)


def last_part(name: str) -> str:
    """Take the file name alone, for sets whose lists name folders that a user's copy need not have."""
    return PurePosixPath(name).name
