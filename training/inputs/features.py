"""What is worth computing once per clip: motion features of an extractor that does not learn, and small key frames.

Both are kept under a Method (training/inputs/cache.py) that holds everything they depend on, so that what is read back
equals what reading the clip anew would give.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from dataset_builder.engine import source_digest
from dataset_builder.video import Clip, DenseForm, MediaError, Pixels
from schemas.frames import MOTION_STRIDE
from training.inputs.cache import Cache, Entry, Method, bytes_of, require_cache
from training.models.frame_stats import STATISTICS, frame_statistics
from training.models.frames import normalised, rgb_of_planar

if TYPE_CHECKING:
    from training.models.config import MotionConfig

MOTION_VERSION = 1
"""Raise it when the same dense frames and weights give other features."""
KEY_FRAME_VERSION = 1
"""Raise it when the same clip gives other small key frames."""


class NotCachedError(MediaError):
    """A cache was given that does not hold the motion features of this clip."""


@dataclass(frozen=True)
class KeyFrames:
    """The key frames of a clip as they are fed, [K, 3, h, w] uint8, and the file's frame count and rate."""

    pictures: Tensor
    frames: int
    fps: float


def key_frames_of(clip: Clip[Tensor]) -> KeyFrames:
    """Take the small key frames of a clip. Raises MediaError where there are none, or the clip changes its shape."""
    if not clip.keys:
        raise MediaError("no frame decodes")
    if len(shapes := {tuple(key.shape) for key in clip.keys}) > 1:
        raise MediaError(f"its key frames come in {len(shapes)} shapes, one clip has one: cut it where it changes")
    return KeyFrames(torch.stack(clip.keys), clip.frames, clip.fps)


def motion_method(config: MotionConfig, extractor: nn.Module | None) -> Method:
    """Say how motion features are computed; `extractor` is the network with its weights, None for frame statistics."""
    form = config.dense_form
    params: dict[str, Any] = {
        "decoder": decoder(),
        "dense": {"size": form.size, "filter": form.filter, "pixels": form.pixels},
        "frames": f"all, floored to a multiple of {MOTION_STRIDE}",
    }
    if extractor is None:
        return Method(what="frame_stats", version=MOTION_VERSION, params={**params, "channels": list(STATISTICS)})
    known = {**params, "normalised": "x / 127.5 - 1", "weights": weights_digest(extractor)}
    return Method(what="slowfast", version=MOTION_VERSION, params=known)


def key_frame_method(config: MotionConfig) -> Method:
    """Say how key frames are made small for the vision tower."""
    params = {
        "decoder": decoder(),
        "each": "round(fps)-th frame",
        **config.key_frame_form.params(),
    }
    return Method(what="key_frames", version=KEY_FRAME_VERSION, params=params)


@lru_cache
def decoder() -> dict[str, str]:
    """Name the libraries that decode and scale, and hash our code that reads with them: pixels depend on all."""
    libraries = {name: ".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale")}
    return {**libraries, "reading": source_digest("dataset_builder.video")}


def weights_digest(module: nn.Module) -> str:
    """Hash parameters and buffers by name, type, shape and bytes (sha256, hex)."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(bytes_of(tensor))
    return digest.hexdigest()


@torch.inference_mode()
def motion_features(dense: Pixels, form: DenseForm, extractor: nn.Module | None) -> Tensor:
    """Compute the features [T, C] float32 of the dense frames of one clip, as the data path or the model would."""
    if extractor is None:
        return torch.from_numpy(frame_statistics(dense, form.size))
    first = next(extractor.parameters())
    frames = torch.from_numpy(dense).to(first.device)
    rgb = rgb_of_planar(frames) if form.pixels == "yuv420p" else frames
    features: Tensor = extractor(normalised(rgb, first.dtype))
    return features.float().cpu()


def packed_key_frames(found: KeyFrames) -> Entry:
    """Make an entry of key frames: lossless WebP, one after the other."""
    files = [_webp(picture) for picture in found.pictures]
    data = torch.from_numpy(np.frombuffer(b"".join(files), np.uint8).copy())
    return Entry(data, {"sizes": list(map(len, files)), "frames": found.frames, "fps": found.fps})


def unpacked_key_frames(entry: Entry) -> KeyFrames:
    """Make key frames of an entry: the same pixels."""
    parts = torch.split(entry.data, entry.facts["sizes"])
    pictures = [np.asarray(Image.open(io.BytesIO(bytes_of(part))).convert("RGB")) for part in parts]
    stacked = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())
    return KeyFrames(stacked, entry.facts["frames"], entry.facts["fps"])


def _webp(picture: Tensor) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(picture.numpy().transpose(1, 2, 0)))
    image.save(out, "WEBP", lossless=True, quality=20, method=0)
    return out.getvalue()


class FeatureCache:
    """Reads motion features, and key frames where they were kept, by the sha256 of a clip."""

    def __init__(self, root: Path, config: MotionConfig, extractor: nn.Module | None, remedy: str) -> None:
        """Open a cache for a model; `remedy` is the command that fills it, for messages.

        Raises CallError if there is no such folder, or it is none of `vqa2 features`.
        """
        require_cache(root)
        self._root, self._remedy = root, remedy
        self._method = motion_method(config, extractor)
        self._motion = Cache(root, self._method)
        self._key_frames = Cache(root, key_frame_method(config))

    def __contains__(self, clip: str) -> bool:
        """Say whether the motion features of this clip are there."""
        return clip in self._motion

    def is_of(self, config: MotionConfig, extractor: nn.Module | None) -> bool:
        """Say whether a model with this extractor would be fed the same features."""
        return motion_method(config, extractor) == self._method

    def motion(self, clip: str) -> Tensor:
        """Read the motion features [T, C] float32 of a clip. Raises NotCachedError if they are not there."""
        entry = self._motion.get(clip)
        if entry is None:
            raise NotCachedError(self.missing("its motion features are"))
        return entry.data

    def key_frames(self, clip: str) -> KeyFrames | None:
        """Read the key frames of a clip, None if they were not kept."""
        entry = self._key_frames.get(clip)
        return None if entry is None else unpacked_key_frames(entry)

    def missing(self, what: str) -> str:
        """Say that something is not there and how to get it there."""
        return (
            f"{what} not in the cache {self._root} for these bytes and this model's extractor and preprocessing: "
            f"run `{self._remedy}`"
        )
