"""Flicker: brightness that swings from frame to frame, as under mains light: a sinusoidal gain in linear light.

The swing repeats every 2.7 frames, so that it never settles into a pattern of few frames.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import exposed
from dataset_builder.video import Pixels

NAME = "flicker"
STILLS = False
STOPS = (0.12, 0.25, 0.45, 0.75, 1.2)
PERIOD_FRAMES = 2.7


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Expose every frame by a swinging number of stops."""
    phase = float(rng.uniform(0, 2 * math.pi))
    for index, frame in enumerate(frames):
        swing = math.sin(2 * math.pi * index / PERIOD_FRAMES + phase)
        yield from exposed(iter([frame]), STOPS[severity - 1] * swing)
