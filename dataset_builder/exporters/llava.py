"""LLaVA-style JSON, as the trainer of the VQA² repository reads it.

A list of records. A video stands under the key `image`; the key `frames per sec` marks it as one, and its text holds
two `<image>` (key frames, then motion features); `gt_score` is the score on 0 to 100 as a string. An exporter has

- `LOSES`: what of a sample the format cannot hold, in words;
- `SUFFIX`: the ending of its file;
- `write(samples, file)`: writes samples to a binary file and gives how many.

A video of fewer than 4 frames has no motion features, which the trainer cannot read: refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import orjson

from schemas.errors import DataError
from schemas.sample import IMAGE, MOTION, VIDEO, Sample

LOSES = "provenance, target level and range, checksums and frame counts"
SUFFIX = ".json"


def write(samples: Iterable[Sample], file: BinaryIO) -> int:
    """Write the samples as one JSON list. Raises DataError naming a sample that the format cannot hold."""
    count = 0
    file.write(b"[")
    for sample in samples:
        file.write((b",\n" if count else b"\n") + orjson.dumps(_row(sample)))
        count += 1
    file.write(b"\n]\n")
    return count


def _row(sample: Sample) -> dict[str, Any]:
    if len(sample.media) != 1:
        raise DataError(
            f"{sample.id}: the format holds one clip or image a record, this sample has {len(sample.media)}"
        )
    media = sample.media[0]
    if media.kind == "video" and not media.motion_frames:
        raise DataError(f"{sample.id}: {media.frames} frames are too few for motion features, which the format needs")
    speakers = {"user": "human", "assistant": "gpt"}
    row: dict[str, Any] = {"id": sample.id, "image": media.path}
    if media.kind == "video":
        row["frames per sec"] = 1
    if sample.target:
        row["gt_score"] = str(100 * sample.target.mos)
    row["conversations"] = [
        {"from": speakers[turn.role], "value": turn.text.replace(VIDEO, IMAGE).replace(MOTION, IMAGE)}
        for turn in sample.turns
    ]
    return row
