"""Noise of a camera in low light: shot noise and read noise, in linear light, independent for each pixel and frame.

With a full well of W electrons a pixel of linear value v collects v W on average, with variance v W (shot, Poisson,
taken as normal) + R^2 (read noise): the EMVA 1288 camera model. Linear light is taken with a gamma of 2.2.
Powers are read off tables: between processors the last bit of a computed power may differ, and with it the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.special import ndtri

from dataset_builder.distort import Shape
from dataset_builder.filtering import GAMMA
from dataset_builder.frame import Frame

NAME = "noise"
STILLS = True
STEPS = tuple({"full_well": well, "read_electrons": 2.0} for well in (1200, 450, 170, 65, 25))
_LINEAR = (np.arange(256) / 255.0) ** GAMMA
_STEPS = 4095
_DISPLAYED = np.rint(255 * (np.arange(_STEPS + 1) / _STEPS) ** (1 / GAMMA)).astype(np.uint8)
"""From linear light in 12 bits to what an 8-bit display signal holds."""
_NORMAL = np.rint(4096 * ndtri((np.arange(65536) + 0.5) / 65536)).astype(np.int32)
"""Normal deviates, in 1/4096, for 16 random bits."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Add noise to every frame."""
    well, read = step["full_well"], step["read_electrons"]
    level = np.rint(_STEPS * _LINEAR).astype(np.int32)
    spread = np.rint(_STEPS * np.sqrt(_LINEAR * well + read**2) / well).astype(np.int32)
    for frame in frames:
        pixels = frame.rgb()
        drawn = np.frombuffer(rng.bytes(2 * pixels.size), "<u2").reshape(pixels.shape)
        seen = level[pixels] + (spread[pixels] * _NORMAL[drawn] + 2048 >> 12)
        yield frame.with_rgb(_DISPLAYED[np.clip(seen, 0, _STEPS)])


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the luma's standard deviation around the clean frames, in 8-bit steps."""
    pairs = zip(frames, clean, strict=True)
    return float(np.mean([np.std(a.planes()[0].astype(float) - b.planes()[0]) for a, b in pairs]))
