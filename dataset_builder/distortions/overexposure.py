"""Overexposure: more light than the sensor holds. A gain in linear light (gamma 2.2), then clipping at white."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import exposed
from dataset_builder.video import Pixels

NAME = "overexposure"
STILLS = True
STOPS = (0.5, 1.0, 1.6, 2.3, 3.1)


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Expose every frame by some stops (doublings of light) more."""
    return exposed(frames, STOPS[severity - 1])
