"""Underexposure: too little light. A gain below 1 in linear light (gamma 2.2), then the loss of 8-bit steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import exposed
from dataset_builder.video import Pixels

NAME = "underexposure"
STILLS = True
STOPS = (0.7, 1.4, 2.2, 3.1, 4.2)


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Expose every frame by some stops (halvings of light) less."""
    return exposed(frames, -STOPS[severity - 1])
