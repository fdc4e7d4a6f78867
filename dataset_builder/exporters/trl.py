"""A folder for TRL: `messages` whose parts are text and images, and the key frames of every clip as PNG files.

TRL's supervised trainer has no way for video: a column of videos is passed over, and the model trains on text alone. So
a video is its key frames, those that the VQA² model is fed, each an image at its place in the text. The folder loads by
`datasets.load_dataset(FOLDER)`, pictures included, and needs nothing of the corpus any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dataset_builder.exporters import _rows
from schemas.frames import key_frame_indices
from schemas.sample import IMAGE, VIDEO, MediaRef, Sample

LOSES = "motion features and the words that announce them; all frames but the key frames"
DATA = "metadata.jsonl"
FRAMES = True
_PICTURE = {"type": "image"}


def row(sample: Sample) -> dict[str, Any]:
    """Give the row of a sample: any number of clips and images."""
    shown = _shown(sample)
    messages = [{"role": turn.role, "content": parts} for turn, parts in zip(sample.turns, shown, strict=True)]
    files = [name for media in sample.media for name in frame_files(media)]
    return {"messages": messages, "images_file_names": files} | _FORM.rest(sample, shown)


def sample_of(row: dict[str, Any]) -> Sample:
    """Make the sample of a row again."""
    return _FORM.restored(row, [turn["content"] for turn in row["messages"]], lambda kind: "")


def frame_files(media: MediaRef) -> list[str]:
    """Name the files of a clip's key frames, by its bytes and the number of the frame."""
    frames = key_frame_indices(media.frames, media.fps) if media.kind == "video" else [0]
    return [f"frames/{media.sha256[:2]}/{media.sha256}/{index:06d}.png" for index in frames]


def _shown(sample: Sample) -> list[list[dict[str, str]]]:
    media = iter(sample.media)
    return [_parts(text, media) for text in _rows.texts_without_motion(sample)]


def _parts(text: str, media: Any) -> list[dict[str, str]]:
    parts = []
    for words, placeholder in _rows.pieces(text):
        if words:
            parts.append({"type": "text", "text": words})
        if placeholder:
            parts += [_PICTURE] * next(media).key_frames
    return parts


def _plain(shown: Sequence[list[dict[str, str]]], media: Sequence[MediaRef]) -> list[str]:
    """Write one placeholder for the pictures of each clip."""
    left = [(VIDEO if clip.kind == "video" else IMAGE, clip.key_frames) for clip in reversed(media)]
    texts, due = [], 0
    for parts in shown:
        text = ""
        for part in parts:
            if part["type"] != "image":
                text += part["text"]
                continue
            if not due and left:
                placeholder, due = left.pop()
                text += placeholder
            due -= 1
        texts.append(text)
    return texts


_FORM = _rows.Form(_plain, paths=False)
