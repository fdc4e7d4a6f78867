"""What the model is fed of a clip or image: one decode pass, held to what a sample states of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from dataset_builder.corpus import file_entry
from dataset_builder.video import MediaError, read_clip
from schemas.errors import DataError
from schemas.frames import motion_frame_count
from schemas.sample import IMAGE, MOTION, VIDEO, MediaRef
from training.inputs.conversation import MediaTokens
from training.inputs.features import FeatureCache, KeyFrames, key_frames_of
from training.models.config import MotionConfig
from training.models.frame_stats import frame_statistics
from training.models.frames import key_frame_pixels

MOST_DENSE = 4 << 30
"""Bytes of dense frames that one clip may need: 9,700 frames as the released weights want them, over 5 minutes."""
GREY = 128
"""Mid-grey, for the control that blanks the key frames."""


@dataclass(frozen=True)
class Feed:
    """One clip or image, ready to be batched.

    `pictures` are [K, 3, h, w] uint8: the key frames, or the one image. `motion` is [T, C] float32 features where the
    extractor is a rule or a cache holds them, the dense uint8 frames where it is a network, None for images and clips
    of under 4 frames.
    `frames` and `fps` are those of the file.
    """

    kind: Literal["video", "image"]
    pictures: Tensor
    motion: Tensor | None
    frames: int
    fps: float

    def media_tokens(self, config: MotionConfig) -> MediaTokens:
        """List the placeholders of this media and the tokens that stand for each."""
        count, _, height, width = self.pictures.shape
        if self.kind == "image":
            return [(IMAGE, config.image_pieces(height, width))]
        video = (VIDEO, config.video_pieces(count, height, width, self.fps))
        return [video] if self.motion is None else [video, (MOTION, config.motion_tokens(len(self.motion)))]

    def blanked(self) -> Feed:
        """Give the same media with mid-grey pictures, the motion kept."""
        return Feed(self.kind, torch.full_like(self.pictures, GREY), self.motion, self.frames, self.fps)


def media_tokens_of(feeds: Sequence[Feed], config: MotionConfig) -> MediaTokens:
    """List the placeholders of several media, in order, and the tokens that stand for each."""
    return [pair for feed in feeds for pair in feed.media_tokens(config)]


def motion_stride(feeds: Sequence[Feed], config: MotionConfig) -> int:
    """Give the step between the motion features that the model takes, of the longest clip: 1 = all."""
    return max((config.motion_stride(len(feed.motion)) for feed in feeds if feed.motion is not None), default=1)


def read_feed(
    path: Path,
    config: MotionConfig,
    kind: Literal["video", "image"] | None = None,
    cache: FeatureCache | None = None,
    *,
    motion: bool = True,
) -> Feed:
    """Decode a file once and prepare it. Without `kind`, one frame makes an image; without `motion`, none is read.

    With `cache` motion comes from there, by the file's bytes, and key frames where they were kept. Raises MediaError
    for a file that cannot be read, or an `image` of several frames; NotCachedError where the cache has no motion of it.
    """
    motion = motion and config.reads_motion
    if cache is not None:
        return _cached_feed(path, config, kind, cache, motion=motion)
    dense_form = config.dense_form if motion and kind != "image" else None
    clip = read_clip(path, dense_form, each_key=partial(key_frame_pixels, config=config))
    shown = key_frames_of(clip)
    kind = _kind(shown, kind)
    features = None
    if (count := motion_frame_count(clip.frames)) and kind == "video" and motion:
        assert clip.dense is not None
        dense = clip.dense[:count]
        rule = config.motion_extractor == "frame_stats"
        features = torch.from_numpy(frame_statistics(dense, config.dense_size) if rule else dense)
    return Feed(kind, shown.pictures, features, clip.frames, clip.fps)


def refuse_long(frames: int, config: MotionConfig) -> None:
    """Raise MediaError for a clip that has more dense frames than memory is to hold."""
    if frames * config.dense_form.frame_bytes > MOST_DENSE:
        most = MOST_DENSE // config.dense_form.frame_bytes
        raise MediaError(f"{frames} frames, for motion at most {most} are read: cut the clip, or read from a cache")


def _cached_feed(
    path: Path, config: MotionConfig, kind: Literal["video", "image"] | None, cache: FeatureCache, *, motion: bool
) -> Feed:
    try:
        sha256 = file_entry(path).sha256
    except OSError as error:
        raise MediaError(f"the file cannot be read ({error.strerror})") from None
    shown = cache.key_frames(sha256) or key_frames_of(
        read_clip(path, each_key=partial(key_frame_pixels, config=config))
    )
    kind = _kind(shown, kind)
    moves = motion and kind == "video" and motion_frame_count(shown.frames) > 0
    return Feed(kind, shown.pictures, cache.motion(sha256) if moves else None, shown.frames, shown.fps)


def _kind(shown: KeyFrames, stated: Literal["video", "image"] | None) -> Literal["video", "image"]:
    if stated == "image" and shown.frames != 1:
        raise MediaError(f"stated to be an image, but {shown.frames} frames decode")
    return stated or ("image" if shown.frames == 1 else "video")


class FeedReader:
    """Reads the media of samples under `root`; with `keep`, each file is decoded once and held in memory."""

    def __init__(self, root: Path, config: MotionConfig, *, keep: bool, cache: FeatureCache | None = None) -> None:
        """Take the folder that media paths are relative to, and a cache of motion features."""
        self._root, self._config, self._keep, self._cache = root, config, keep, cache
        self._kept: dict[tuple[str, str], Feed] = {}

    def read(self, media: MediaRef) -> Feed:
        """Read one media reference. Raises DataError when it cannot be read or is other than the sample states."""
        key = (media.path, media.kind)
        feed = self._kept.get(key)
        if feed is None:
            try:
                if self._cache is None and self._config.reads_motion and media.kind == "video":
                    refuse_long(media.frames, self._config)
                feed = read_feed(self._root / media.path, self._config, media.kind, self._cache)
            except MediaError as error:
                raise DataError(f"{media.path}: {error}") from None
            if self._keep:
                self._kept[key] = feed
        _hold_to(media, feed, motion=self._config.reads_motion)
        return feed


def _hold_to(media: MediaRef, feed: Feed, *, motion: bool) -> None:
    """A stated count is part of the question that the model is asked: a wrong one would teach it nonsense."""
    read = {
        "frames": feed.frames,
        "key_frames": len(feed.pictures),
    }
    if motion:
        read["motion_frames"] = 0 if feed.motion is None else len(feed.motion)
    for name, count in read.items():
        if (stated := getattr(media, name)) != count:
            raise DataError(f"{media.path}: the sample states {name} {stated}, the file gives {count}: rebuild it")
