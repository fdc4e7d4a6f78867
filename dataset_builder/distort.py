"""Distorting clips: a named distortion applied while a clip is decoded once, written with nothing else changed."""

from __future__ import annotations

import hashlib
import itertools
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import dataset_builder.distortions
from dataset_builder.encode import encode_picture, encode_video
from dataset_builder.video import Pixels, rgb_frames
from schemas.errors import CallError
from schemas.plugins import load_plugin
from schemas.record import Media

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Shape:
    """The shape of a clip: pixels, frames per second, and how many frames."""

    width: int
    height: int
    fps: float
    frames: int


@dataclass(frozen=True)
class Degradation:
    """One distortion to apply: the plug-in's name, severity 1 to 5, and seconds from and to, None = throughout."""

    kind: str
    severity: int
    start: float | None = None
    end: float | None = None


def distorted(
    frames: Iterator[Pixels],
    shape: Shape,
    wanted: Degradation,
    *,
    seed: int,
    key: str,
    plugins: Sequence[Path] = (),
) -> Iterator[Pixels]:
    """Apply a distortion to frames; the same arguments give the same frames.

    `key` names the clip (its sha256). Frames outside the window pass unchanged. Raises CallError for an unknown kind, a
    severity that is none, a window outside the clip, and a distortion over time of a single frame.
    """
    module = load_plugin(dataset_builder.distortions, wanted.kind, plugins)
    if wanted.severity not in SEVERITIES:
        raise CallError(f"severity runs from 1 to 5, not {wanted.severity}")
    first, last = _window(shape, wanted)
    if last - first == 1 and not module.STILLS:
        raise CallError(f"{wanted.kind} needs more than one frame")
    name = "\0".join([str(seed), key, wanted.kind, str(wanted.severity)])
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))

    def all_frames() -> Iterator[Pixels]:
        yield from itertools.islice(frames, first)
        inside = itertools.islice(frames, last - first)
        yield from module.apply(inside, replace(shape, frames=last - first), wanted.severity, rng)
        yield from frames

    return all_frames()


def _window(shape: Shape, wanted: Degradation) -> tuple[int, int]:
    """Give the first frame of the window and the one after its last; times may be off by half a frame."""
    seconds = shape.frames / shape.fps
    start = 0.0 if wanted.start is None else wanted.start
    end = seconds if wanted.end is None else wanted.end
    if math.isfinite(start) and math.isfinite(end):
        first, last = round(start * shape.fps), round(end * shape.fps)
        if 0 <= first < last <= shape.frames:
            return first, last
    raise CallError(f"{wanted.kind} from {start:g} s to {end:g} s lies outside the clip of {shape.frames} frames")


def distort_item(item: dict[str, Any]) -> dict[str, Any]:
    """Distort one file as work for the engine.

    Takes {source, media, kind, severity, seed, out_folder, plugins} and writes `out_folder/ab/<sha256>.mp4` (`.png` for
    a still); gives its path relative to `out_folder` and its sha256.
    """
    media = msgspec.convert(item["media"], Media)
    shape = Shape(media.width, media.height, media.fps, media.frames)
    wanted = Degradation(item["kind"], item["severity"])
    plugins = [Path(folder) for folder in item["plugins"]]
    decoded = rgb_frames(Path(item["source"]))
    frames = distorted(decoded, shape, wanted, seed=item["seed"], key=media.sha256, plugins=plugins)
    out, suffix = Path(item["out_folder"]), ".png" if media.kind == "image" else ".mp4"
    out.mkdir(parents=True, exist_ok=True)
    partial = out / f".{os.getpid()}.partial"
    try:
        if media.kind == "image":
            encode_picture(next(frames), partial)
        else:
            encode_video(frames, media.fps, partial)
        with partial.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        path = out / sha256[:2] / f"{sha256}{suffix}"
        path.parent.mkdir(exist_ok=True)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return {"path": path.relative_to(out).as_posix(), "sha256": sha256}
