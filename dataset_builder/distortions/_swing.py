"""A swing back and forth over time, in integers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape

ONE = 1024
"""The height of a swing."""
_TURN = 4096
_SINE = tuple(round(ONE * math.sin(2 * math.pi * step / _TURN)) for step in range(_TURN))
LEAST_FRAMES = 2.7
"""The shortest period; no whole number, so that the swing never settles into a pattern of few frames."""


def swings(shape: Shape, hertz: float, rng: np.random.Generator) -> Iterator[int]:
    """Give the swing at each frame, -ONE to ONE: a sine of that frequency, or of the highest that the rate can show."""
    pace = round(_TURN / max(LEAST_FRAMES, shape.fps / hertz))
    at = int(rng.integers(_TURN))
    while True:
        yield _SINE[at % _TURN]
        at += pace
