"""White-balance flicker: colours that swing between warm and cool, as a camera's automatic white balance hunts.

White balance is a gain of red and one of blue in linear light (von Kries): 2^s and 2^-s, which behind a display gamma
of 2.2 multiply R' and B' by 2^(s / 2.2) and its inverse. Luma is left as it is, since cameras balance at equal
brightness, so that a colour difference C = (X' - Y') / n, with X' red or blue, moves by what X' gains less what Y'
would have gained (shares and scales of ITU-R BT.709); what the other of the two gains counts as for grey. In integers,
at the chroma planes' own size. The swing is at 2 Hz.
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
        blue, red = _balanced(u, luma, _BLUE, _RED, -stops), _balanced(v, luma, _RED, _BLUE, stops)
        yield frame.with_planes(y, blue, red)


def _balanced(
    chroma: Pixels, luma: NDArray[np.int16], colour: tuple[float, float], other: tuple[float, float], stops: float
) -> Pixels:
    """Move a colour difference; `stops` are those of its colour, the other one's are as many the other way."""
    share, scale = colour
    gain, others_gain = (2.0 ** (way / GAMMA) - 1 for way in (stops, -stops))
    # With 8 bits of fraction all sums stay below 2^15.
    by_luma = round((gain * (1 - share) - others_gain * other[0]) / scale * 2**_BITS)
    by_chroma = round(gain * (1 - share) * 2**_BITS)
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
