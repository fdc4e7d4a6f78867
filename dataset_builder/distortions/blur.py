"""Spatial blur: a Gaussian point spread, as of a lens out of focus.

The standard deviation grows with the picture (a share of its shorter side), so that a severity looks alike at any size.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import filtered
from dataset_builder.video import Pixels

NAME = "spatial blur"
STILLS = True
SIGMA_SHARE = (1 / 256, 1.8 / 256, 3 / 256, 5 / 256, 8 / 256)


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Blur every frame."""
    sigma = SIGMA_SHARE[severity - 1] * min(shape.width, shape.height)
    return filtered(frames, shape.width, shape.height, ("gblur", f"sigma={sigma:.4f}:steps=3"))
