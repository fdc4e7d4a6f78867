"""Noise of a camera in low light: shot noise and read noise, in linear light, independent for each pixel and frame.

With a full well of W electrons a pixel of linear value v collects v W on average, with variance v W (shot, Poisson,
taken as normal) + R^2 (read noise): the EMVA 1288 camera model. Linear light is taken with a gamma of 2.2.
A still gets it on R, G and B. In a video a pixel's noise follows its luma, as if it were grey: three independent
channels of equal spread give luma and chroma the shares of it that the weights of ITU-R BT.601 say, in subsampled
chroma half of that, as the mean of four pixels has. Every result is read off a table of value and random byte: between
processors the last bit of a computed power may differ, and with it the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from dataset_builder.distort import Shape
from dataset_builder.filtering import GAMMA
from dataset_builder.frame import BLACK, WHITE, Frame
from dataset_builder.video import Pixels

Floats = NDArray[np.float64]

NAME = "noise"
STILLS = True
STEPS = tuple({"full_well": well, "read_electrons": 2.0} for well in (400, 88, 38, 19, 10))
_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
"""The weights of R', G' and B' in luma (ITU-R BT.601), by which stills are converted too."""
_LUMA_SHARE = sqrt(_RED**2 + _GREEN**2 + _BLUE**2)
_BLUE_SHARE = sqrt(_RED**2 + _GREEN**2 + (1 - _BLUE) ** 2) / (2 * (1 - _BLUE))
_RED_SHARE = sqrt((1 - _RED) ** 2 + _GREEN**2 + _BLUE**2) / (2 * (1 - _RED))
_CHROMA = 16, 240
_CHROMA_RANGE = 224
"""What 8-bit chroma may be, and the width of that."""
_DRAWN = ndtri((np.arange(256) + 0.5) / 256)
_NORMAL = _DRAWN / _DRAWN.std()
"""A normal deviate for each random byte, of variance 1."""


def apply(
    frames: Iterator[Frame], shape: Shape, step: Mapping[str, float], rng: np.random.Generator
) -> Iterator[Frame]:
    """Add noise to every frame."""
    well, read = step["full_well"], step["read_electrons"]
    channel = np.rint(255 * _noisy(np.arange(256) / 255, well, read)).astype(np.uint8)
    signal = np.clip((np.arange(256) - BLACK) / (WHITE - BLACK), 0, 1)
    luma = np.rint(BLACK + (WHITE - BLACK) * _noisy(signal, well, read, _LUMA_SHARE)).astype(np.uint8)
    spread = _CHROMA_RANGE * _noisy(signal, well, read).std(axis=1, keepdims=True) * _NORMAL
    for frame in frames:
        if frame.is_rgb:
            pixels = frame.rgb()
            yield frame.with_rgb(channel.take(_drawn(pixels, rng)))
            continue
        y, u, v = frame.planes()
        half = 2 if frame.subsampled else 1
        under = y[::half, ::half]
        blue, red = (
            _moved(plane, np.rint(spread * share / half).astype(np.int16), under, rng)
            for plane, share in ((u, _BLUE_SHARE), (v, _RED_SHARE))
        )
        yield frame.with_planes(luma.take(_drawn(y, rng)), blue, red)


def _noisy(signal: Floats, well: float, read: float, share: float = 1.0) -> Floats:
    """Give what a display shows for each signal of 256 and each random byte, [256, 256] from 0 to 1."""
    light = (signal**GAMMA)[:, None]
    seen = light + share * np.sqrt(light * well + read**2) / well * _NORMAL
    shown: Floats = np.clip(seen, 0, 1) ** (1 / GAMMA)
    return shown


def _drawn(values: Pixels, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Draw a byte for each value; the two are an index into a table of [256, 256]."""
    drawn = np.frombuffer(rng.bytes(values.size), np.uint8).reshape(values.shape)
    index = values.astype(np.uint16)
    index <<= 8
    index |= drawn
    return index


def _moved(plane: Pixels, shifts: NDArray[np.int16], under: Pixels, rng: np.random.Generator) -> Pixels:
    """Move chroma by noise as strong as that of the luma it lies under."""
    moved: Pixels = np.clip(shifts.take(_drawn(under, rng)) + plane, *_CHROMA).astype(np.uint8)
    return moved


def probe(frames: Sequence[Frame], clean: Sequence[Frame]) -> float:
    """Measure the luma's standard deviation around the clean frames, in 8-bit steps, where these are flattest.

    Where there is texture, what a codec takes away from it would count as noise.
    """
    return float(np.mean([_residual(a.planes()[0], b.planes()[0]) for a, b in zip(frames, clean, strict=True)]))


def _residual(luma: Pixels, clean: Pixels) -> float:
    """Take the quarter of the blocks that vary least."""
    under, over = _blocks(clean), _blocks(luma)
    activity = under.std(axis=1)
    flattest = activity <= np.quantile(activity, 0.25)
    return float(np.sqrt(np.mean((over[flattest] - under[flattest]).var(axis=1))))


def _blocks(luma: Pixels, side: int = 8) -> Floats:
    """Cut luma into blocks, [blocks, side * side]; what is left over at the right and below is dropped."""
    rows, columns = luma.shape[0] // side, luma.shape[1] // side
    cut = luma[: rows * side, : columns * side].astype(np.float64).reshape(rows, side, columns, side)
    return cut.swapaxes(1, 2).reshape(-1, side * side)
