"""White-balance flicker: colours that swing between warm and cool, as a camera's automatic white balance hunts.

White balance is a gain of red and one of blue in linear light (von Kries): 2^s and 2^-s, which behind a display gamma
of 2.2 multiply R' and B' by 2^(s / 2.2) and its inverse. Luma is left as it is, since cameras balance at equal
brightness, so that the colour differences move: C' = C + (gain - 1) (1 - k) X' / n, where X' = Y' + n C is red or blue,
k its share of luma and n its scale (ITU-R BT.709); in integers, at the chroma planes' own size. The swing is at 2 Hz.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from dataset_builder.distort import Shape
from dataset_builder.distortions._swing import ONE, swings
from dataset_builder.filtering import GAMMA
from dataset_builder.frame import BLACK, GREY, Frame
from dataset_builder.video import Pixels

NAME = "flicker"
STILLS = False
STEPS = tuple({"stops": stops, "hertz": 2.0} for stops in (0.1, 0.2, 0.37, 0.65, 1.1))
_RED, _BLUE = (0.2126, 1.5748 * 219 / 224), (0.0722, 1.8556 * 219 / 224)
"""Share of luma, and scale of the colour difference, between limited ranges."""
_BITS = 8


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Balance every frame wrongly, by a swinging number of stops."""
    for frame, swing in zip(frames, swings(shape, step["hertz"], rng), strict=False):
        stops = step["stops"] * swing / ONE
        y, u, v = frame.planes()
        luma = y.astype(np.int16)
        if frame.subsampled:
            luma = luma[::2] + luma[1::2]
            luma = luma[:, ::2] + luma[:, 1::2] + 2 >> 2
        luma -= BLACK
        yield frame.with_planes(y, _balanced(u, luma, _BLUE, -stops), _balanced(v, luma, _RED, stops))


def _balanced(chroma: Pixels, luma: NDArray[np.int16], colour: tuple[float, float], stops: float) -> Pixels:
    share, scale = colour
    gained = (2.0 ** (stops / GAMMA) - 1) * (1 - share)
    # With 8 bits of fraction all sums stay below 2^15: the gain is at most 0.5, and there are 3 terms of 8 bits.
    by_luma, by_chroma = round(gained / scale * 2**_BITS), round(gained * 2**_BITS)
    table = (np.arange(-GREY, GREY) * by_chroma + (1 << _BITS - 1)).astype(np.int16)
    moved = (luma * np.int16(by_luma) + table[chroma] >> _BITS) + chroma
    balanced: Pixels = np.clip(moved, BLACK, 256 - BLACK).astype(np.uint8)
    return balanced


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the standard deviation over time of the mean colour differences gained, in 8-bit steps."""
    gained = [
        [a.planes()[plane].mean() - b.planes()[plane].mean() for plane in (1, 2)]
        for a, b in zip(frames, clean, strict=True)
    ]
    return float(np.sqrt(np.var(gained, axis=0).sum()))
