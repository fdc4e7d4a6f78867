"""Motion features without weights: global statistics of aligned frame differences, the extractor of the tiny preset.

A random motion network carries nothing, so a preset that starts from no weights reads motion by rule: successive luma
frames are aligned by one global shift, and what then still differs is measured. Deterministic, numpy only.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dataset_builder.video import Pixels

Floats = NDArray[np.float32]

FRAME_STATISTICS = (
    "shift",  # how far the picture moved as a whole, pixels of the small frame
    "shift_change",  # how unevenly: camera shake
    "difference",  # mean absolute luma difference, before alignment
    "residual",  # the same after alignment
    "fine_residual",  # its part finer than 3 pixels: noise
    "residual_spread",  # its standard deviation: local change
    "edge_residual",  # its mean on the lines of an 8 x 8 grid against elsewhere: block coding
    "brightness_change",
    "frozen",  # share of pixels that changed by at most one grey level: a repeated frame
    "contrast_change",
    "chroma_difference",
)
"""What is measured between a frame and the one before it."""
STATISTICS = tuple(f"{scope}.{name}" for scope in ("frame", "clip_mean", "clip_spread") for name in FRAME_STATISTICS)
"""The channels of a motion token: a frame's own statistics, and their mean and spread over the clip."""

_CENTRE = np.array([0.9, 0.7, 2.0, 1.5, 1.2, 1.8, 0.0, 0.3, 0.4, 0.05, 0.5], np.float32)
_SCALE = np.array([0.6, 0.6, 1.0, 1.0, 0.9, 1.1, 0.1, 0.7, 0.35, 0.07, 0.6], np.float32)
"""Typical values, so that channels enter the network at about zero mean and unit spread. Constants: no fitted state."""


def frame_statistics(dense: Pixels, size: int) -> Floats:
    """Measure a clip read as planar 4:2:0.

    `dense` is [T, size * 3 // 2, size] uint8, T >= 2. Gives [T, len(STATISTICS)] float32; the first frame, which has
    none before it, repeats the second's.
    """
    luma = dense[:, :size].astype(np.float32)
    chroma = np.abs(np.diff(dense[:, size::2].astype(np.float32), axis=0)).mean((1, 2))
    contrast = np.abs(np.diff(np.log(luma.std((1, 2)) + 1)))
    shifts = _global_shifts(luma)
    moves = np.linalg.norm(np.diff(shifts, axis=0, prepend=shifts[:1]), axis=1)
    rows = []
    for t in range(1, len(luma)):
        pair = _pair(luma[t - 1], luma[t], shifts[t - 1])
        rows.append([np.log1p(np.hypot(*shifts[t - 1])), np.log1p(moves[t - 1]), *pair, contrast[t - 1]])
    table = np.concatenate([np.array(rows, np.float32), np.log1p(chroma)[:, None]], axis=1)
    table = (np.concatenate([table[:1], table]) - _CENTRE) / _SCALE
    clip = np.concatenate([table.mean(0), table.std(0)])
    channels: Floats = np.concatenate([table, np.broadcast_to(clip, (len(table), len(clip)))], axis=1)
    return channels


def _global_shifts(luma: Floats) -> Floats:
    """Find the shift of each frame against the one before, in whole pixels [T - 1, 2] (down, right).

    Phase correlation of the row sums and of the column sums: enough for one global shift, at a tenth of the cost of two
    dimensions. What is finer than a pixel is left in the residual.
    """
    shifts: Floats = np.stack([_shifts_along(luma.mean(2)), _shifts_along(luma.mean(1))], axis=1)
    return shifts


def _shifts_along(profile: Floats) -> Floats:
    """[T, S] sums across one direction to the [T - 1] shifts along the other, at most a quarter of S either way."""
    size = profile.shape[1]
    change = (profile - profile.mean(1, keepdims=True)) * np.hanning(size).astype(np.float32)
    spectrum = np.fft.rfft(change, axis=1)
    cross = spectrum[1:] * np.conj(spectrum[:-1])
    peak = np.fft.irfft(cross / (np.abs(cross) + 1e-2 * np.abs(cross).mean(1, keepdims=True) + 1e-6), size, axis=1)
    shifts = np.fft.fftfreq(size, 1 / size)
    peak[:, np.abs(shifts) > size // 4] = -np.inf
    found: Floats = shifts[peak.argmax(1)].astype(np.float32)
    return found


def _pair(before: Floats, after: Floats, shift: Floats) -> list[float]:
    """Measure two frames, by every second line: `difference` to `frozen` of FRAME_STATISTICS."""
    plain = np.abs(after[::2] - before[::2])
    down, right = int(shift[0]), int(shift[1])
    height, width = after.shape
    now = after[max(0, down) : height + min(0, down) : 2, max(0, right) : width + min(0, right)]
    then = before[max(0, -down) : height + min(0, -down) : 2, max(0, -right) : width + min(0, -right)]
    residual = now - then
    change = float(residual.mean())
    residual -= change
    flat = residual.ravel()
    size = np.abs(residual)
    mean = float(size.mean())
    fine = residual[:, 1:-1] * 2
    fine -= residual[:, :-2]
    fine -= residual[:, 2:]
    return [
        float(np.log1p(plain.mean())),
        math.log1p(mean),
        float(np.log1p(np.abs(fine, out=fine).mean() / 2)),
        math.log1p(math.sqrt(float(flat @ flat) / flat.size)),
        math.log((float(size[:, ::8].mean()) + 0.1) / (mean + 0.1)),
        math.log1p(abs(change)),
        float((plain <= 1).mean()),
    ]
