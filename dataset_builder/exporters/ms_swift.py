"""JSON for ms-swift: `messages` with `role` and `content`, `<video>` and `<image>` tags, and the paths as lists.

Train in the corpus folder (or that of the clips it refers to), or with `ROOT_IMAGE_DIR` naming it, and with `FPS=1`.
The trainer spreads its frames evenly over the clip, an even number of them, 4 at least.
"""

from __future__ import annotations

import re
from typing import Any

from dataset_builder.exporters import _rows
from schemas.sample import Sample

LOSES = "motion features and the words that announce them; the trainer picks its own frames (set FPS=1)"
DATA = ".json"  # one list: where rows stand on lines of their own, a part without any image would declare a null column
_TAGS = re.compile("<audio>|<bbox>|<ref-object>|<cot-process>|<start-image>")


def row(sample: Sample) -> dict[str, Any]:
    """Give the row of a sample: any number of videos and images, each kind in the order of its tags."""
    _rows.refuse_tags(sample, _TAGS)
    shown = _rows.tagged_by_kind(sample)
    messages = [{"role": turn.role, "content": text} for turn, text in zip(sample.turns, shown, strict=True)]
    return {"messages": messages} | _rows.paths_by_kind(sample) | _rows.TAGGED.rest(sample, shown)


def sample_of(row: dict[str, Any]) -> Sample:
    """Make the sample of a row again."""
    return _rows.TAGGED.restored(row, [turn["content"] for turn in row["messages"]], _rows.by_kind(row))
