"""Compression artifact: a real H.264 encode (x264, preset medium) at a high rate factor, decoded again.

The rate factor (CRF, ITU-T H.264 quantisation around that step) rises by 5 a severity, about half the bit rate each.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.encode import through_codec
from dataset_builder.video import Pixels

NAME = "compression artifact"
STILLS = True
CRF = (30, 35, 40, 45, 50)


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Pass all frames through the encoder."""
    return through_codec(frames, shape.fps, CRF[severity - 1])
