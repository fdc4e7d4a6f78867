"""A folder for LLaMA-Factory: ShareGPT rows and the `dataset_info.json` that declares them under the config's name.

Train with `dataset_dir` this folder, `dataset` the config, `media_dir` the corpus folder (or the folder of clips that
it refers to), and `video_fps: 1`. The trainer spreads its frames evenly over the clip, one fewer than we count where
the last second is not whole.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any

from dataset_builder.exporters import _rows
from schemas.sample import Sample

LOSES = "motion features and the words that announce them; the trainer picks its own frames (set video_fps: 1)"
DATA = "{config}.json"
_TAGS = re.compile("<audio>")


def row(sample: Sample) -> dict[str, Any]:
    """Give the row of a sample: any number of videos and images, each kind in the order of its tags."""
    _rows.refuse_tags(sample, _TAGS)
    shown = _rows.tagged_by_kind(sample)
    turns = [{"from": _rows.SPEAKERS[turn.role], "value": text} for turn, text in zip(sample.turns, shown, strict=True)]
    return {"conversations": turns} | _rows.paths_by_kind(sample) | _rows.TAGGED.rest(sample, shown)


def sample_of(row: dict[str, Any]) -> Sample:
    """Make the sample of a row again."""
    return _rows.TAGGED.restored(row, [turn["value"] for turn in row["conversations"]], _rows.by_kind(row))


def beside(data: str) -> dict[str, Any]:
    """Declare the rows: which column and tag is what, nothing left to what the trainer takes for granted."""
    columns = {"messages": "conversations", "videos": "videos", "images": "images"}
    tags = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
    declared = {"file_name": data, "formatting": "sharegpt", "columns": columns, "tags": tags}
    return {"dataset_info.json": {PurePath(data).stem: declared}}
