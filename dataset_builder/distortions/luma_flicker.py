"""Luma flicker: brightness that swings, as where the light of lamps beats with the shutter. A gain in linear light.

Behind a display of gamma 2.2 a gain of 2^s in linear light multiplies red, green and blue by 2^(s / 2.2), and with them
luma above black and chroma around grey (both are sums of the three: ITU-R BT.709): a table for each plane, black as the
pivot. White is clipped. The beat is at 6 Hz, near where the eye is most sensitive to flicker (de Lange, 1958).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from dataset_builder.distort import Shape
from dataset_builder.distortions._swing import ONE, swings
from dataset_builder.filtering import GAMMA, looked_up
from dataset_builder.frame import BLACK, GREY, WHITE, Frame
from dataset_builder.video import Pixels

NAME = "flicker"
STILLS = False
STEPS = tuple({"stops": stops, "hertz": 6.0} for stops in (0.1, 0.22, 0.42, 0.75, 1.2))


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Expose every frame by a swinging number of stops."""
    for frame, swing in zip(frames, swings(shape, step["hertz"], rng), strict=False):
        luma, chroma = _tables(round(step["stops"] * swing))
        y, u, v = frame.planes()
        yield frame.with_planes(looked_up(y, luma), looked_up(u, chroma), looked_up(v, chroma))


@functools.lru_cache(maxsize=4096)
def _tables(stops: int) -> tuple[Pixels, Pixels]:
    """Give what luma and chroma become under a gain, in 1/ONE stops."""
    gain = 2.0 ** (stops / ONE / GAMMA)
    value = np.arange(256)
    # Values beyond black and white stay where they are.
    luma = np.where((value < BLACK) | (value > WHITE), value, np.clip(BLACK + gain * (value - BLACK), BLACK, WHITE))
    chroma = np.clip(GREY + gain * (value - GREY), BLACK, 256 - BLACK)
    return np.rint(luma).astype(np.uint8), np.rint(chroma).astype(np.uint8)


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the standard deviation over time of the mean luma gained, in 8-bit steps."""
    pairs = zip(frames, clean, strict=True)
    return float(np.std([a.planes()[0].mean() - b.planes()[0].mean() for a, b in pairs]))
