"""Flicker: brightness that swings from frame to frame, as under mains light: a sinusoidal gain in linear light.

The swing repeats every 2.7 frames, so that it never settles into a pattern of few frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import exposed
from dataset_builder.frame import Frame

NAME = "flicker"
STILLS = False
STEPS = tuple({"stops": stops} for stops in (0.12, 0.25, 0.45, 0.75, 1.2))
PERIOD_FRAMES = 2.7


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Expose every frame by a swinging number of stops."""
    phase = float(rng.random()) * 2 * math.pi
    for index, frame in enumerate(frames):
        yield exposed(frame, step["stops"] * math.sin(2 * math.pi * index / PERIOD_FRAMES + phase))


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the mean second difference over time of the mean luma, in 8-bit steps."""
    return float(np.abs(np.diff([frame.planes()[0].mean() for frame in frames], n=2)).mean())
