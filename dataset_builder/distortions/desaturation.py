"""Desaturation: colours paler than they were: a gain below 1 on both chromas about grey; luma stays as it is.

Chroma magnitude over luma is saturation as video knows it (ITU-R BT.601 and BT.709 Y'CbCr).

A clip without colour is refused: there is nothing to be seen of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.tones import chroma_magnitude, saturated

NAME = "desaturation"
STILLS = True
STEPS = tuple({"gain": gain} for gain in (0.72, 0.52, 0.34, 0.18, 0.04))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Weaken the chroma of every frame. Raises DataError after the last if none had any."""
    return saturated(frames, step["gain"])


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of the mean chroma magnitude that is gone."""
    return 1 - chroma_magnitude(frames) / chroma_magnitude(clean)
