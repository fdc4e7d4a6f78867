"""Noise of a camera in low light: shot noise and read noise, in linear light, independent for each pixel and frame.

With a full well of W electrons a pixel of linear value v collects v W on average, with variance v W (shot, Poisson,
taken as normal) + R^2 (read noise): the EMVA 1288 camera model. Linear light is taken with a gamma of 2.2.
Powers are read off tables: between processors the last bit of a computed power may differ, and with it the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.filtering import GAMMA
from dataset_builder.video import Pixels

NAME = "noise"
STILLS = True
FULL_WELL = (1200.0, 450.0, 170.0, 65.0, 25.0)
READ_ELECTRONS = 2.0
_LINEAR = (np.arange(256) / 255.0) ** GAMMA
_STEPS = 65535
_DISPLAYED = np.rint(255 * (np.arange(_STEPS + 1) / _STEPS) ** (1 / GAMMA)).astype(np.uint8)
"""From linear light in 16 bits to what an 8-bit display signal holds."""


def apply(frames: Iterator[Pixels], shape: Shape, severity: int, rng: np.random.Generator) -> Iterator[Pixels]:
    """Add noise to every frame."""
    well = FULL_WELL[severity - 1]
    collected = (_LINEAR * well).astype(np.float32)
    for frame in frames:
        electrons = collected[frame]
        spread = np.sqrt(electrons + np.float32(READ_ELECTRONS**2))
        seen = electrons + spread * rng.standard_normal(frame.shape, dtype=np.float32)
        yield _DISPLAYED[np.rint(_STEPS * np.clip(seen / np.float32(well), 0, 1)).astype(np.uint16)]
