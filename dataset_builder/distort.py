"""Distorting clips: a chain of named distortions applied while a clip is decoded once, and nothing else changed."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import dataset_builder.distortions
from dataset_builder.encode import encode_frames, encode_picture, named_by_bytes
from dataset_builder.frame import Frame, frames_of
from dataset_builder.local import blended, box_of
from schemas.errors import CallError
from schemas.plugins import load_plugin
from schemas.record import Applied, Box, Distortion, Media

SEVERITIES = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Shape:
    """The shape of what a distortion is applied to: pixels, frames per second, and how many frames."""

    width: int
    height: int
    fps: float
    frames: int


def applied(
    kind: str,
    severity: int,
    start: float | None = None,
    end: float | None = None,
    box: Box | None = None,
    *,
    plugins: Sequence[Path] = (),
) -> Applied:
    """Say in full what is to be applied: a distortion by name, with the parameters that its severity has.

    Raises CallError for an unknown kind and a severity that is none.
    """
    module = load_plugin(dataset_builder.distortions, kind, plugins)
    if severity not in SEVERITIES:
        raise CallError(f"severity runs from 1 to 5, not {severity}")
    parameters = {name: float(value) for name, value in module.STEPS[severity - 1].items()}
    return Applied(kind=kind, severity=severity, parameters=parameters, start=start, end=end, box=box)


def describe(kind: str, plugins: Sequence[Path] = ()) -> dict[str, Any]:
    """Tell what a distortion is: its first line, its word, whether it is spatial or temporal, its five severities."""
    module = load_plugin(dataset_builder.distortions, kind, plugins)
    return {
        "about": (module.__doc__ or "").partition("\n")[0],
        "answer": module.NAME,
        "kind": "spatial" if module.STILLS else "temporal",
        "stills": module.STILLS,
        "severities": {str(severity): dict(module.STEPS[severity - 1]) for severity in SEVERITIES},
    }


def truth_of(chain: Sequence[Applied], plugins: Sequence[Path] = ()) -> list[Distortion]:
    """Say in the taxonomy's words what a chain does; its first distortion is the main one."""
    return [
        Distortion(
            name=load_plugin(dataset_builder.distortions, step.kind, plugins).NAME,
            severity=step.severity,
            start=step.start,
            end=step.end,
            box=step.box,
            main=index == 0,
        )
        for index, step in enumerate(chain)
    ]


def distorted(
    frames: Iterable[Frame],
    shape: Shape,
    chain: Sequence[Applied],
    *,
    seed: int,
    key: str,
    plugins: Sequence[Path] = (),
) -> Iterator[Frame]:
    """Apply distortions one after another; the same arguments give the same frames.

    `key` names the clip (its sha256). Frames outside a window and pixels outside a box pass unchanged. Raises CallError
    for an unknown kind, a window or box outside the clip, and a distortion over time of a single frame.
    """
    result = iter(frames)
    for index, step in enumerate(chain):
        result = _one(result, shape, step, _generator(seed, key, index, step), plugins)
    return result


def _one(
    frames: Iterator[Frame], shape: Shape, step: Applied, rng: np.random.Generator, plugins: Sequence[Path]
) -> Iterator[Frame]:
    module = load_plugin(dataset_builder.distortions, step.kind, plugins)
    first, last = _window(shape, step)
    if last - first == 1 and not module.STILLS:
        raise CallError(f"{step.kind} needs more than one frame")
    inside = replace(shape, frames=last - first)
    box = None if step.box is None else box_of(step.box, shape.width, shape.height)
    if box is not None:
        inside = replace(inside, width=box.width, height=box.height)

    def all_frames() -> Iterator[Frame]:
        yield from itertools.islice(frames, first)
        window = itertools.islice(frames, last - first)
        if box is None:
            yield from module.apply(window, inside, step.parameters, rng)
        else:
            # The lag between the two is what the distortion looks ahead at.
            whole, ahead = itertools.tee(window)
            parts = module.apply((box.cut(frame) for frame in ahead), inside, step.parameters, rng)
            yield from blended(whole, parts, box)
        yield from frames

    return all_frames()


def _generator(seed: int, key: str, index: int, step: Applied) -> np.random.Generator:
    name = "\0".join([str(seed), key, str(index), step.kind, str(step.severity)])
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))


def _window(shape: Shape, step: Applied) -> tuple[int, int]:
    """Give the first frame of the window and the one after its last; times may be off by half a frame."""
    seconds = shape.frames / shape.fps
    start = 0.0 if step.start is None else step.start
    end = seconds if step.end is None else step.end
    if math.isfinite(start) and math.isfinite(end):
        first, last = round(start * shape.fps), round(end * shape.fps)
        if 0 <= first < last <= shape.frames:
            return first, last
    raise CallError(f"{step.kind} from {start:g} s to {end:g} s lies outside the clip of {shape.frames} frames")


def distort_item(item: dict[str, Any]) -> dict[str, Any]:
    """Distort one file as work for the engine.

    Takes {source, media, chain, seed, out_folder, plugins} and writes `out_folder/ab/<sha256>.mp4` (`.png` for a
    still); gives its path relative to `out_folder` and its sha256.
    """
    media = msgspec.convert(item["media"], Media)
    shape = Shape(media.width, media.height, media.fps, media.frames)
    chain = msgspec.convert(item["chain"], list[Applied])
    plugins = [Path(folder) for folder in item["plugins"]]
    decoded = frames_of(Path(item["source"]))
    frames = distorted(decoded, shape, chain, seed=item["seed"], key=media.sha256, plugins=plugins)

    def write(path: Path) -> None:
        if media.kind == "image":
            encode_picture(next(frames).rgb(), path)
        else:
            encode_frames(frames, media.fps, path)

    return named_by_bytes(Path(item["out_folder"]), ".png" if media.kind == "image" else ".mp4", write)
