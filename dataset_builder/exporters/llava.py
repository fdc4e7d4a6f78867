"""LLaVA-style JSON, as the trainer of the VQA² repository reads it.

A list of records. A video stands under the key `image`; the key `frames per sec` marks it as one, and its text holds
two `<image>` (key frames, then motion features); `gt_score` is the score on 0 to 100 as a string. An exporter has

- `LOSES`: what of a sample is lost, or is not what the reader trains on, in words;
- `DATA`: the file of its rows. A suffix alone (`.json`: one list, `.jsonl`: a row a line) makes the export one file; a
  name, in which `{config}` stands for that of the config, makes it a folder that holds this file;
- `row(sample)`: gives the row of a sample, plain values, from the sample alone. Raises DataError naming a sample that
  the format cannot hold: then nothing is written;
- `sample_of(row)`: gives the equal sample again. Raises ValueError saying what is wrong with the row. Left out where
  rows are not enough for that;
- `beside(data)`, of a folder that needs more files: their names and contents, plain values, from the name of the rows'
  file;
- `FRAMES = True`, of a folder whose rows name key frames: then each that `frame_files` names is put there as PNG.

Writing, appearance in one piece, progress and the decoding of frames are `dataset_builder.exporting`'s.

A video of fewer than 4 frames has no motion features, which the trainer cannot read: refused, as are a video beside
anything else, and a path with `B054` in it, which the trainer replaces by the first record's video without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from dataset_builder.exporters import _rows
from schemas.errors import DataError
from schemas.sample import IMAGE, MOTION, VIDEO, MediaRef, Sample

LOSES = "nothing: what the trainer has no place for stands under the key vqa2, which it leaves alone"
DATA = ".json"
_TAG = re.compile(f"{VIDEO}|{MOTION}")


def row(sample: Sample) -> dict[str, Any]:
    """Give the record of a sample: one video, or images."""
    paths = _rows.one_video_or_images(sample)
    if paths is None:
        raise DataError(f"{sample.id}: the format holds a clip or images in each record, this sample shows none")
    for media in sample.media:
        if media.kind == "video" and not media.motion_frames:
            raise DataError(
                f"{sample.id}: {media.frames} frames are too few for motion features, which the trainer needs"
            )
        if "B054" in media.path:
            raise DataError(f"{sample.id}: the trainer takes another video for any path with B054: {media.path}")
    made: dict[str, Any] = {"id": sample.id, "image": paths}
    if sample.media[0].kind == "video":
        made["frames per sec"] = 1
    if sample.target:
        made["gt_score"] = str(100 * sample.target.mos)
    shown = _shown(sample)
    made["conversations"] = [
        {"from": _rows.SPEAKERS[turn.role], "value": text} for turn, text in zip(sample.turns, shown, strict=True)
    ]
    return made | _FORM.rest(sample, shown)


def sample_of(row: dict[str, Any]) -> Sample:
    """Make the sample of a record again."""
    return _FORM.restored(row, [turn["value"] for turn in row["conversations"]], _rows.in_turn(row["image"]))


def _shown(sample: Sample) -> list[str]:
    return [_TAG.sub(IMAGE, turn.text) for turn in sample.turns]


def _plain(shown: Sequence[str], media: Sequence[MediaRef]) -> list[str]:
    pairs: Iterator[tuple[str, str]] = ((IMAGE, tag) for clip in media for tag in clip.placeholders())
    return _rows.replaced(shown, pairs)


_FORM = _rows.Form(_plain)
