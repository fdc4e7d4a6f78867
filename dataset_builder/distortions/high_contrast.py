"""High contrast: luma stretched away from its middle and clipped at black and white, as of a harsh tone curve.

RMS contrast (Peli, JOSA A 1990) is the spread of luma over its mean; the gain on luma is the factor by which it rises
until values clip. Chroma stays: more of it is oversaturation. The middle is chosen as for low contrast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.frame import Frame
from dataset_builder.tones import contrasted

NAME = "high contrast"
STILLS = True
STEPS = tuple({"gain": gain} for gain in (1.25, 1.6, 2.1, 2.9, 4.2))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Stretch the luma of every frame."""
    return contrasted(frames, step["gain"])


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure how much the luma's spread (standard deviation) has grown, as a share of what it was."""
    return _spread(frames) / _spread(clean) - 1


def _spread(frames: Sequence[Frame]) -> float:
    return float(np.mean([frame.planes()[0].std() for frame in frames]))
