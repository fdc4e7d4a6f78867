"""Underexposure: too little light on the sensor, a gain below 1 in linear light, then the loss of 8-bit steps.

A display shows the power GAMMA of its signal (ITU-R BT.1886, there 2.4), so a gain g of light is a gain g^(1/GAMMA) of
R'G'B'. Y'CbCr is linear in R'G'B' and nothing clips, so the same gain on luma above black and on chroma about grey is
exact, without a way through RGB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import GAMMA, looked_up
from dataset_builder.frame import BLACK, GREY, Frame
from dataset_builder.tones import scaled, toned

NAME = "underexposure"
STILLS = True
STEPS = tuple({"stops": -stops} for stops in (0.7, 1.4, 2.2, 3.1, 4.2))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Expose every frame by some stops (doublings of light) less."""
    gain = 2.0 ** (step["stops"] / GAMMA)
    rgb, luma, chroma = (scaled(pivot, gain, 0, 255) for pivot in (0, BLACK, GREY))
    for frame in frames:
        yield frame.with_rgb(looked_up(frame.rgb(), rgb)) if frame.is_rgb else toned(frame, luma, chroma)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the share of the luma above black that is gone."""
    return 1 - _luma(frames) / _luma(clean)


def _luma(frames: Sequence[Frame]) -> float:
    return float(np.mean([frame.planes()[0].mean() - BLACK for frame in frames]))
