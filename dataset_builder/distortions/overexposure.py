"""Overexposure: more light than the sensor holds. A gain in linear light (gamma 2.2), then clipping at white."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import exposed
from dataset_builder.frame import Frame

NAME = "overexposure"
STILLS = True
STEPS = tuple({"stops": stops} for stops in (0.5, 1.0, 1.6, 2.3, 3.1))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Expose every frame by some stops (doublings of light) more."""
    return (exposed(frame, step["stops"]) for frame in frames)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the mean luma gained, in 8-bit steps."""
    return float(np.mean([a.planes()[0].mean() - b.planes()[0].mean() for a, b in zip(frames, clean, strict=True)]))
