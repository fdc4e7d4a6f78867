"""Overexposure: more light than the sensor holds. A gain in linear light, then each channel clips at white by itself.

A display shows the power GAMMA of its signal (ITU-R BT.1886, there 2.4), so this is one table on R'G'B'. It goes
through RGB, unlike underexposure: a bright colour loses its strongest channel first and turns pale or shifts in hue,
which no table on luma and chroma apart can do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import exposed
from dataset_builder.frame import WHITE, Frame

NAME = "overexposure"
STILLS = True
STEPS = tuple({"stops": stops} for stops in (0.5, 1.0, 1.6, 2.3, 3.1))
CLIPPED = 230
"""Luma from which a pixel counts as washed out: white is 235."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Expose every frame by some stops (doublings of light) more."""
    return (exposed(frame, step["stops"]) for frame in frames)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of the headroom up to white that is gone: 1 where every pixel has clipped."""
    return 1 - _headroom(frames) / _headroom(clean)


def clipped_share(frames: Sequence[Frame]) -> float:
    """Measure the share of pixels whose luma is within a hair of white, where detail is lost."""
    return float(np.mean([np.mean(frame.planes()[0] >= CLIPPED) for frame in frames]))


def _headroom(frames: Sequence[Frame]) -> float:
    return float(np.mean([np.maximum(WHITE - frame.planes()[0].astype(np.int16), 0).mean() for frame in frames]))
