"""JSON as the trainer of Q-Align reads it: `<|image|>` tags, ids `name->score`, and the words bad to excellent.

Our five level words become those of the absolute category rating (ITU-T P.910) by their position, low as bad and high
as excellent, where an answer rates: in the answer of a sample that has a score, and in "the quality of this video is
...". The score in the id is on 0 to 100, 100 the best. The trainer reads a video by a path that ends in `.mp4`, at one
frame a whole second, and there is one tag a frame; other videos, and those shorter than a second, are refused. It moves
the tags of a turn before its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from dataset_builder.exporters import _rows
from schemas.errors import DataError
from schemas.levels import LEVELS
from schemas.sample import MediaRef, Sample

LOSES = (
    "motion features and the words that announce them, the last frame of a clip whose last second is not whole; level "
    "words are bad to excellent by position"
)
DATA = ".json"
WORDS: dict[str, str] = dict(zip(LEVELS, ("bad", "poor", "fair", "good", "excellent"), strict=True))
_LEVEL = "|".join(LEVELS)
_RATED = re.compile(rf"(?<=quality of this (?:video|image) is )(?:{_LEVEL})\b")
_TAG = "<|image|>"


def row(sample: Sample) -> dict[str, Any]:
    """Give the record of a sample: one video, images, or text alone."""
    paths = _rows.one_video_or_images(sample)
    _rows.refuse_tags(sample, re.compile(re.escape(_TAG)))
    for media in sample.media:
        if media.path.endswith("mp4") != (media.kind == "video"):
            raise DataError(f"{sample.id}: the trainer reads a video by its .mp4, and {media.path} would be read wrong")
        if media.kind == "video" and not _seconds(media):
            raise DataError(f"{sample.id}: the trainer reads one frame a whole second, {media.path} has none")
    score = f"->{100 * sample.target.mos!r}" if sample.target else ""
    made: dict[str, Any] = {"id": sample.id.replace("->", "-") + score}
    if paths is not None:
        made["image"] = paths
    shown = _shown(sample)
    made["conversations"] = [
        {"from": _rows.SPEAKERS[turn.role], "value": text} for turn, text in zip(sample.turns, shown, strict=True)
    ]
    return made | _FORM.rest(sample, shown)


def sample_of(row: dict[str, Any]) -> Sample:
    """Make the sample of a record again."""
    turns = [turn["value"] for turn in row["conversations"]]
    return _FORM.restored(row, turns, _rows.in_turn(row.get("image")))


def _seconds(media: MediaRef) -> int:
    """Count the frames that the trainer reads."""
    return int(media.frames / media.fps)


def _tag(media: MediaRef) -> str:
    return _TAG * (_seconds(media) if media.kind == "video" else 1)


def _shown(sample: Sample) -> list[str]:
    texts = _rows.tagged(sample, _tag)
    for index in range(1, len(texts), 2):
        texts[index] = _RATED.sub(lambda found: WORDS[found[0]], texts[index])
    if sample.target and texts[-1] == sample.turns[-1].text:
        # No such sentence: the last level word is the one that rates, as in "It is good."
        said = list(re.finditer(rf"\b{sample.target.level}\b", texts[-1]))[-1]
        texts[-1] = texts[-1][: said.start()] + WORDS[said[0]] + texts[-1][said.end() :]
    return texts


def _plain(shown: Sequence[str], media: Sequence[MediaRef]) -> list[str]:
    return _rows.untagged(shown, media, _tag)


_FORM = _rows.Form(_plain)
