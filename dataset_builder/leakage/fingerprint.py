"""The fingerprint of a clip: signs of low spatial frequencies, four times a second. It holds no pixels.

All frames within a quarter of a second are averaged, so that the frame rate does not matter and a trim, which shifts
the quarters, matters little. Black borders are cut off. Of what is left, the 64 lowest spatial frequencies (a discrete
cosine transform, without the mean) are taken twice: as they are (the picture) and as what changes within half a second
(the movement, which tells two shots of a resting camera apart). Only the sign of each is kept, and none where it is
too weak to survive an encoder. So a flat, black or resting picture gives no signs at all instead of random ones.

The picture's part is akin to the perceptual hash of Zauner (2010), "Implementation and Benchmarking of Perceptual Image
Hash Functions"; the third value and the movement are what is added.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_builder.video import MediaError, small_lumas

Words = NDArray[np.uint64]
"""[samples, 4]: bits of the picture's positive and negative signs, and of the movement's; 64 frequencies each."""

Lumas = NDArray[np.float32]
Amplitudes = NDArray[np.float64]

RATE = 4
"""Samples a second."""
FRAMES_A_SECOND = 16
"""How many frames a second are looked at, at most: a quarter of a second is averaged over four."""
GRID = 128
"""Frames are squeezed to GRID x GRID before anything else: sizes and aspect ratios do not matter."""
EXTREMES = 0.05
"""The brightest and the darkest share of a picture count as no brighter or darker than the rest: a logo is small."""
LONGEST = 1800
"""Seconds that a clip may last: half an hour takes half a gigabyte."""
LAG = 2
"""Movement is what changes within so many samples."""
FREQUENCIES = sorted(((y, x) for y in range(12) for x in range(12)), key=lambda f: (f[0] ** 2 + f[1] ** 2, f))[1:65]
"""The 64 lowest spatial frequencies but the mean, in half periods per height and width."""
DEAD_PICTURE, DEAD_MOVEMENT = 0.15, 0.2
"""Amplitudes, in steps of 8-bit luma, below which a sign is not to be trusted."""
DEAD_SHARE = 0.5
"""The same as a share of the median amplitude of a sample."""
BORDER_LUMA = 40
"""A border is at most so bright (8-bit luma)."""
BORDER_SPREAD = 8
"""Within a border row, and between the rows of a border, luma differs by so much at most."""
BORDER_STEP = 20
"""Where a border ends, luma rises by so much at least within two rows: a dark part of the picture ends softly."""
RINGING = 4
"""So many rows of a border beside the picture may be uneven: a codec's blocks ring."""
BORDER_LIMIT = 0.4
"""A border takes at most so much of the height or width on one side."""


@dataclass(frozen=True)
class Fingerprint:
    """What identifies a clip: its sample words and how many seconds it lasts (0 = a still image)."""

    words: Words
    seconds: float


def fingerprint(path: Path) -> Fingerprint:
    """Read a clip or a still image and take its fingerprint. Raises MediaError."""
    lumas, seconds = _samples(path)
    return Fingerprint(quantised(*coefficients(lumas)), seconds)


def fingerprint_item(item: dict[str, Any]) -> dict[str, Any]:
    """Take a fingerprint as work for the engine: {path} to {words (hex), seconds}."""
    found = fingerprint(Path(item["path"]))
    return {"words": found.words.astype(">u8").tobytes().hex(), "seconds": found.seconds}


def _samples(path: Path) -> tuple[Lumas, float]:
    """Average the frames of each quarter of a second: [samples, GRID, GRID] luma, and how long the clip lasts.

    A sample without a frame (frame rates below RATE, frozen pictures of a variable rate) shows what the one before did.
    """
    means: list[Lumas] = []
    nothing: Lumas = np.zeros((GRID, GRID), np.float32)
    total, count = nothing, 0
    last = step = 0.0
    for seconds, luma in small_lumas(path, GRID, FRAMES_A_SECOND):
        if seconds > LONGEST:
            raise MediaError(f"lasts longer than {LONGEST} s: cut it into clips")
        while len(means) < int(seconds * RATE + 1e-6):
            means.append(total / np.float32(count) if count else means[-1])
            total, count = nothing, 0
        total, count = total + luma, count + 1
        last, step = seconds, seconds - last if seconds > last else step
    if not count:
        raise MediaError("no frame decodes")
    return np.stack([*means, total / np.float32(count)]), round(last + step, 3)


def coefficients(lumas: Lumas) -> tuple[Amplitudes, Amplitudes]:
    """Cut the borders off [samples, GRID, GRID] luma and give amplitudes of FREQUENCIES, two arrays [samples, 64].

    The first is of the picture without its brightest and darkest parts, the second of all of it.
    """
    top, bottom, left, right = _picture_box(lumas)
    tame, whole = [], []
    for picture in lumas[:, top:bottom, left:right]:  # one by one: a long clip does not fit into memory many times
        dark, bright = np.quantile(picture, (EXTREMES, 1 - EXTREMES))
        tame.append(_spectrum(np.clip(picture, dark, bright)))
        whole.append(_spectrum(picture))
    return np.stack(tame), np.stack(whole)


def _spectrum(picture: Lumas) -> Amplitudes:
    down, across = (_basis(size) for size in picture.shape)
    spectrum: Amplitudes = down @ picture.astype(np.float64) @ across.T
    return np.array([spectrum[y, x] for y, x in FREQUENCIES])


@functools.cache
def _basis(size: int) -> Amplitudes:
    """Give the rows of a cosine transform, scaled so that a cosine of amplitude 1 gives 1."""
    frequency, position = np.arange(12)[:, None], np.arange(size)[None, :]
    rows: Amplitudes = np.cos(np.pi * frequency * (position + 0.5) / size) * 2 / size
    rows[0] /= 2
    return rows


def quantised(amplitudes: Amplitudes, whole: Amplitudes) -> Words:
    """Keep the signs of amplitudes [samples, 64] and of changes of `whole`; 0 where they are weak: [samples, 4]."""
    movement = np.zeros_like(whole)
    if len(whole) > LAG:
        movement[:-LAG] = whole[LAG:] - whole[:-LAG]
    parts = []
    for values, dead in ((amplitudes, DEAD_PICTURE), (movement, DEAD_MOVEMENT)):
        size = np.abs(values)
        strong = size >= np.maximum(dead, DEAD_SHARE * np.median(size, axis=1, keepdims=True))
        parts += [_packed(strong & (values > 0)), _packed(strong & (values < 0))]
    return np.stack(parts, axis=1)


def _packed(bits: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack [samples, 64] booleans into one word each, the first frequency in the highest bit."""
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(">u8")[:, 0].astype(np.uint64)


def _picture_box(lumas: Lumas) -> tuple[int, int, int, int]:
    """Find the picture within black borders: top, bottom, left, right (ends exclusive) on the grid.

    A border is dark, even, at rest through the whole clip, and ends in an edge on one side at least.
    """
    turned = lumas.transpose(0, 2, 1)
    top, bottom = _borders(_evenness(lumas), _evenness(lumas[:, ::-1]))
    left, right = _borders(_evenness(turned), _evenness(turned[:, ::-1]))
    return top, GRID - bottom, left, GRID - right


def _evenness(lumas: Lumas) -> Amplitudes:
    """Say how far each row of [samples, rows, columns] is from the shade of the first, which is dark or nothing is."""
    shade = float(np.median(lumas[:, 0]))
    if shade > BORDER_LUMA:
        return np.full(lumas.shape[1], np.inf)
    # A logo may lie on a border: a tenth of a row may differ.
    off: Amplitudes = np.max([np.quantile(np.abs(luma - shade), 0.9, axis=1) for luma in lumas], axis=0)
    return off


def _borders(one: Amplitudes, other: Amplitudes) -> tuple[int, int]:
    """Count the rows of the two borders. Where only one ends in an edge, the other may be as wide: bars are centred."""
    first, second = _edge(one), _edge(other)
    if first and not second and (other[: max(1, first - RINGING)] <= BORDER_SPREAD).all():
        return first, first
    if second and not first and (one[: max(1, second - RINGING)] <= BORDER_SPREAD).all():
        return second, second
    return first, second


def _edge(off: Amplitudes) -> int:
    """Count the even rows before an edge; 0 when there is no edge."""
    uneven = off > BORDER_SPREAD
    rows = int(np.argmax(uneven))
    if not uneven.any() or rows == 0:
        return 0
    near = off[rows : rows + RINGING + 2]
    # A row that is half bar, half picture belongs to the side it looks like.
    edge = rows + int(np.argmax(near >= near.max() / 2))
    steep = off[edge : edge + 2].max() - off[edge - 1] >= BORDER_STEP
    return edge if steep and edge <= BORDER_LIMIT * len(off) else 0
