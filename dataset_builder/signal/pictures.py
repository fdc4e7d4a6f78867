"""What single frames say of their quality, without a reference. Sums are taken in integers: the same on every CPU.

Lumas are 8-bit, as they are stored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dataset_builder.video import Pixels

Ints = NDArray[np.int16]

BLOCK = 8
"""Side of the blocks of the codecs whose borders show."""
PATCH = 16
"""Side of the patches among which the flattest are looked for."""
FLATTEST = 0.1
"""Share of the patches that count as flat: what varies there is more likely noise than texture."""
DARK, BRIGHT = 20, 231
"""Lumas within a hair of black (16) and white (235) in limited range: detail there is lost."""
TOOTH = 6
"""Luma step to both neighbours from which a pixel is the tooth of a comb."""
REACH = 9
"""Pixels of the mean with which a frame is blurred once more (Crete et al. take as many)."""
GREY = 128
"""Chroma of grey."""
_FULL = ("sharpness", "noise", "grain", "comb", "woven", "detail")
_SMALL = ("blur", "smear")


def at_full_size(luma: Pixels) -> dict[str, float]:
    """Measure luma at the clip's own size, [H, W].

    Gives the shares `dark` and `bright`; `sharpness`, the variance of the Laplacian; `noise`, the standard deviation
    after Immerkaer (Computer Vision and Image Understanding 64(2), 1996), and `grain`, the same where it is least;
    `blockiness`, the mean luma step across the borders of 8 x 8 blocks over that inside them, after Wu and Yuen (IEEE
    Signal Processing Letters 4(11), 1997; 1 = none), and `blocks`, the same for steps over three pixels; `comb`, the
    share of pixels unlike both lines beside them, less that of those unlike both columns; `woven`, how much more lines
    bend over one line than over two, in octaves, less the same of columns: what is torn line by line bends most over
    one; and `detail`, the mean step over one pixel as a share of that over four. Lumas are in 8-bit steps.
    """
    measured = {"dark": _share(luma <= DARK), "bright": _share(luma >= BRIGHT)}
    if min(luma.shape) < 2 * PATCH:
        return {**measured, **dict.fromkeys(_FULL, 0.0), "blockiness": 1.0, "blocks": 1.0}
    plane = luma.astype(np.int16)
    down, right = np.diff(plane, axis=0), np.diff(plane, axis=1)
    laplacian = np.diff(down, axis=0)[:, 1:-1] + np.diff(right, axis=1)[1:-1]
    mask = np.abs(np.diff(np.diff(down, axis=0), 2, axis=1))
    return {
        **measured,
        "sharpness": rounded(_variance(laplacian)),
        "noise": rounded(_deviation(_mean(mask))),
        "grain": rounded(_deviation(_least(mask, luma[1:-1, 1:-1]))),
        "blockiness": rounded(_over_blocks(plane, 1)),
        "blocks": rounded(_over_blocks(plane, 3)),
        "comb": rounded(_teeth(down) - _teeth(right.T)),
        "woven": rounded(_octaves(plane) - _octaves(plane.T)),
        "detail": rounded((_mean(np.abs(right)) + 0.05) / (_mean(_step(plane, 4)) + 0.05)),
    }


def at_small_size(luma: Pixels) -> dict[str, float]:
    """Measure luma of a frame squeezed to a size at which clips of all resolutions compare.

    Gives `blur` from 0, sharp, to 1, after Crete et al. (SPIE 6492, 2007): how little the frame changes when it is
    blurred once more, in the worst of four directions; `smear`, how much worse that is than the best of them; and of
    luma the `mean`, the `spread` (standard deviation), and the percentiles `low` (5), `middle` (50) and `high` (95).
    """
    count = np.bincount(luma.ravel(), minlength=256)
    below = np.cumsum(count)
    low, middle, high = (int(np.searchsorted(below, share * luma.size)) for share in (0.05, 0.5, 0.95))
    values = np.arange(256)
    mean = int(count @ values) / luma.size
    told = {
        "mean": rounded(mean),
        "spread": rounded(float(np.sqrt(max(int(count @ values**2) / luma.size - mean**2, 0.0)))),
        "low": float(low),
        "middle": float(middle),
        "high": float(high),
    }
    if min(luma.shape) < 2 * PATCH:
        return {**told, **dict.fromkeys(_SMALL, 0.0)}
    blurs = [_blur(luma.astype(np.int16), way) for way in ((0, 1), (1, 0), (1, 1), (1, -1))]
    return {**told, "blur": rounded(max(blurs)), "smear": rounded(max(blurs) - min(blurs))}


def colours(blue: Pixels, red: Pixels) -> dict[str, float]:
    """Measure both chromas: their mean distance from `grey` in 8-bit steps, and the 95th percentile of it, `vivid`."""
    far = np.abs(np.stack([blue, red]).astype(np.int16) - GREY)
    below = np.cumsum(np.bincount(far.ravel(), minlength=256))
    return {"colour": rounded(_mean(far)), "vivid": float(np.searchsorted(below, 0.95 * far.size))}


def _blur(plane: Ints, way: tuple[int, int]) -> float:
    """Measure how much of the steps between neighbours, down and right by `way`, is left when blurred along it."""
    step = np.abs(_shifted(plane, way, 0) - _shifted(plane, way, -1))
    # The difference of two neighbouring means is that of what enters the one and leaves the other.
    far = _shifted(plane, way, REACH // 2) - _shifted(plane, way, -REACH // 2)
    total = REACH * int(step.sum(dtype=np.int64))
    lost = int(np.maximum(REACH * step - np.abs(far), 0).sum(dtype=np.int64))
    return (total - lost) / total if total else 1.0


def _shifted(plane: Ints, way: tuple[int, int], by: int) -> Ints:
    """Cut out the part of a plane where all shifts within REACH fit, shifted by `by` steps of `way`."""
    most = -(-REACH // 2)
    cuts = (
        slice(most * abs(step) + by * step, length - most * abs(step) + by * step)
        for length, step in zip(plane.shape, way, strict=True)
    )
    rows, columns = cuts
    return plane[rows, columns]


def _teeth(down: Ints) -> float:
    """Measure the share of pixels that stand out from both lines beside them, one way; `down` are steps of lines."""
    before, after = down[:-1], -down[1:]
    count = int(((before > TOOTH) & (after > TOOTH)).sum()) + int(((before < -TOOTH) & (after < -TOOTH)).sum())
    return count / before.size


def _octaves(plane: Ints) -> float:
    """Compare how much three lines bend that are one line apart with how much those two apart do."""
    one, two = (_mean(np.abs(plane[2 * by :] - 2 * plane[by:-by] + plane[: -2 * by])) for by in (1, 2))
    return float(np.log2((one + 0.1) / (two + 0.1)))


def _over_blocks(plane: Ints, over: int) -> float:
    """Divide the mean luma step over `over` pixels (odd) across block borders by that in the middle of blocks."""
    across = inside = 0.0
    border = BLOCK - (over + 1) // 2
    for way in (plane, plane.T):
        steps = np.abs(way[:, over:] - way[:, :-over]).sum(axis=0, dtype=np.int64)
        at_border, in_middle = steps[border::BLOCK], steps[(border + BLOCK // 2) % BLOCK :: BLOCK]
        across += int(at_border.sum()) / (at_border.size * way.shape[0])
        inside += int(in_middle.sum()) / (in_middle.size * way.shape[0])
    return (across + 0.1) / (inside + 0.1)


def _least(values: Ints, luma: Pixels) -> float:
    """Give the mean of values in the patch at the FLATTEST share, among those whose luma is not clipped."""
    sums, lumas = _patches(values), _patches(luma)
    usable = np.sort(sums[(lumas > DARK * PATCH**2) & (lumas < BRIGHT * PATCH**2)])
    return int(usable[int(FLATTEST * len(usable))]) / PATCH**2 if len(usable) else 0.0


def _patches(plane: NDArray[np.integer]) -> NDArray[np.int64]:
    rows, columns = plane.shape[0] // PATCH, plane.shape[1] // PATCH
    cut = plane[: rows * PATCH, : columns * PATCH].reshape(rows, PATCH, columns, PATCH)
    sums: NDArray[np.int64] = cut.sum(axis=1, dtype=np.int64).sum(axis=2).ravel()
    return sums


def _step(plane: Ints, over: int) -> Ints:
    steps: Ints = np.abs(plane[:, over:] - plane[:, :-over])
    return steps


def _mean(values: Ints) -> float:
    return int(values.sum(dtype=np.int64)) / values.size


def _variance(values: Ints) -> float:
    return int(np.square(values, dtype=np.int32).sum(dtype=np.int64)) / values.size - _mean(values) ** 2


def _deviation(mean: float) -> float:
    """Give the standard deviation of noise from the mean absolute value of Immerkaer's mask on it."""
    return float(np.sqrt(np.pi / 2)) * mean / 6


def _share(where: NDArray[np.bool_]) -> float:
    return rounded(int(np.count_nonzero(where)) / where.size)


def rounded(value: float) -> float:
    """Round to four places: what is stored of a measure."""
    return round(float(value), 4)
