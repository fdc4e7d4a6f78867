"""Oversaturation: colours stronger than they were: a gain above 1 on both chromas about grey, clipped.

Chroma magnitude over luma is saturation as video knows it (ITU-R BT.601 and BT.709 Y'CbCr); luma stays as it is. What
leaves the display's gamut clips per channel when it is shown, as on a television with its colour turned up.

A clip without colour is refused: there is nothing to be seen of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.tones import chroma_magnitude, saturated

NAME = "oversaturation"
STILLS = True
STEPS = tuple({"gain": gain} for gain in (1.35, 1.8, 2.4, 3.2, 4.4))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Strengthen the chroma of every frame. Raises DataError after the last if none had any."""
    return saturated(frames, step["gain"])


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure how much the mean chroma magnitude has grown, as a share of what it was."""
    return chroma_magnitude(frames) / chroma_magnitude(clean) - 1
