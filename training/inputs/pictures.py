"""The pictures of a batch as inputs of its backbone: squares for LLaVA-OneVision, patches and grids for Qwen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from training.inputs.feeds import Feed
from training.models.config import MotionConfig, PatchedConfig
from training.models.frames import normalised, patched


def picture_inputs(config: MotionConfig, samples: Sequence[Sequence[Feed]]) -> dict[str, Any]:
    """Give the model inputs that carry the images and key frames of a batch; none where nothing is shown."""
    images = [[f for f in feeds if f.kind == "image"] for feeds in samples]
    videos = [[f for f in feeds if f.kind == "video"] for feeds in samples]
    if isinstance(config, PatchedConfig):
        return _patched(config, images, videos)
    inputs: dict[str, Any] = {}
    if any(images):
        shown, of = stacked([[f.pictures for f in feeds] for feeds in images])
        inputs |= {"pixel_values": normalised(shown), "image_mask": of.clamp(max=1)}
    if any(videos):
        shown, of = stacked([[f.pictures for f in feeds] for feeds in videos])
        inputs |= {"pixel_values_videos": normalised(shown), "frame_mask": of}
    return inputs


def _patched(config: PatchedConfig, images: list[list[Feed]], videos: list[list[Feed]]) -> dict[str, Any]:
    inputs: dict[str, Any] = {}
    for samples, pixels, grids in (
        (images, "pixel_values", "image_grid_thw"),
        (videos, "pixel_values_videos", "video_grid_thw"),
    ):
        if any(samples):
            inputs[pixels] = stacked([[patched(f.pictures, config) for f in feeds] for feeds in samples])[0]
            inputs[grids] = stacked([[_grid(f, config)[None] for f in feeds] for feeds in samples])[0]
    if any(videos) and config.times_steps:
        seconds = [[torch.tensor([config.seconds_of_step(f.fps)]) for f in feeds] for feeds in videos]
        inputs["second_per_grid_ts"] = stacked(seconds)[0]
    return inputs


def _grid(feed: Feed, config: PatchedConfig) -> Tensor:
    """Count steps in time, rows and columns of patches."""
    count, _, height, width = feed.pictures.shape
    side = int(config.vision_config.patch_size)
    return torch.tensor([config.steps(count), height // side, width // side])


def stacked(samples: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
    """Put the clips [n, ...] of each sample one after the other, and pad the samples to one [B, N, ...].

    Gives besides [B, N] of which clip of its sample each is, counted from 1; 0 = padding. Needs at least one clip.
    """
    some = next(clip for clips in samples for clip in clips)
    longest = max(sum(map(len, clips)) for clips in samples)
    out = torch.zeros((len(samples), longest, *some.shape[1:]), dtype=some.dtype)
    of = torch.zeros(out.shape[:2], dtype=torch.long)
    for row, numbers, clips in zip(out, of, samples, strict=True):
        start = 0
        for number, clip in enumerate(clips, 1):
            row[start : start + len(clip)] = clip
            numbers[start : start + len(clip)] = number
            start += len(clip)
    return out, of
