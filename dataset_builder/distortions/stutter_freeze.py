"""Stutter by freeze: the picture stands still while time goes on, then jumps to where it should be by now.

A live player that runs out of data, or a decoder that waits for the next key frame, shows the last picture and then
leaves out what it has missed: "pausing with skipping" in the terms of ITU-T J.247. There is one event in each three
seconds. Nothing is ever shown before its time, and the number of frames is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.distortions._playback import parts, played, shown
from dataset_builder.frame import Frame

NAME = "stuttering"
STILLS = False
STEPS = tuple(
    {"seconds": seconds, "least_frames": least}
    for seconds, least in ((0.12, 1), (0.25, 2), (0.45, 3), (0.8, 4), (1.3, 5))
)
"""How long the picture stands still in each event."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Freeze the picture once in each part of the clip."""
    return played(frames, _order(shape, step, rng))


def _order(shape: Shape, step: Mapping[str, float], rng: np.random.Generator) -> Iterator[int]:
    length = max(round(step["seconds"] * shape.fps), int(step["least_frames"]))
    for first, after in parts(shape, length):
        frozen = max(1, min(length, after - first - 2))
        start = first + int(rng.integers(1, max(2, after - first - frozen)))
        for index in range(first, after):
            yield start - 1 if start <= index < start + frozen else index


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of frames that show what the frame before showed."""
    return float(np.mean(np.diff(shown(frames, clean)) == 0)) if len(frames) > 1 else 0.0
