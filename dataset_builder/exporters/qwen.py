"""JSON as the Qwen2.5-VL tree of the VQA² repository reads it: turns with `from` and `content`, one `<video>` a clip.

The trainer feeds the motion features of a video by itself, right behind its key frames, so the text has no tag for
them; what announces them is taken out. It picks the key frames itself (an even number, 4 at least), so a number of
images in the text is that of one frame a second and may differ. As published its processor stops at still images; the
rows are written as its documentation shows them. Media are shown in one turn, for the trainer feeds all of them there.
"""

from __future__ import annotations

from typing import Any

from dataset_builder.exporters import _rows
from schemas.errors import DataError
from schemas.sample import IMAGE, VIDEO, Sample

LOSES = (
    "the words that announce motion features (the trainer feeds them behind the key frames); the trainer picks its own "
    "key frames; its processor, as published, stops at still images"
)
DATA = ".json"


def row(sample: Sample) -> dict[str, Any]:
    """Give the record of a sample: one video, images in one turn, or text alone."""
    paths = _rows.one_video_or_images(sample)
    if any(media.kind == "video" and not media.motion_frames for media in sample.media):
        raise DataError(
            f"{sample.id}: {sample.media[0].frames} frames are too few for motion features, which the trainer needs"
        )
    if sum(any(tag in turn.text for tag in (VIDEO, IMAGE)) for turn in sample.turns) > 1:
        raise DataError(f"{sample.id}: the trainer feeds all media in one turn, this sample shows some in another")
    made: dict[str, Any] = {"id": sample.id}
    if paths is not None:
        made[sample.media[0].kind] = paths
    shown = _rows.tagged_by_kind(sample)
    made["conversations"] = [
        {"from": _rows.SPEAKERS[turn.role], "content": text} for turn, text in zip(sample.turns, shown, strict=True)
    ]
    return made | _rows.TAGGED.rest(sample, shown)


def sample_of(row: dict[str, Any]) -> Sample:
    """Make the sample of a record again."""
    paths = row.get("video", row.get("image"))
    return _rows.TAGGED.restored(row, [turn["content"] for turn in row["conversations"]], _rows.in_turn(paths))
