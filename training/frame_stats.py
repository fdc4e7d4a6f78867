"""Motion features without weights: global statistics of aligned frame differences, the extractor of the tiny preset.

A random motion network carries nothing, so a preset that starts from no weights reads motion by rule: successive luma
frames are aligned by one global shift, and what then still differs is measured. Deterministic, numpy only.
"""

from __future__ import annotations

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
    "contrast_change",
    "frozen",  # share of pixels that changed by at most one grey level: a repeated frame
    "chroma_difference",
)
"""What is measured between a frame and the one before it."""
STATISTICS = tuple(f"{scope}.{name}" for scope in ("frame", "clip_mean", "clip_spread") for name in FRAME_STATISTICS)
"""The channels of a motion token: a frame's own statistics, and their mean and spread over the clip."""

_CENTRE = np.array([0.5, 0.3, 1.0, 0.9, 0.5, 1.0, 0.0, 0.3, 0.02, 0.4, 0.5], np.float32)
_SCALE = np.array([0.6, 0.5, 0.7, 0.7, 0.5, 0.7, 0.1, 0.5, 0.05, 0.35, 0.5], np.float32)
"""Typical values, so that channels enter the network at about zero mean and unit spread. Constants: no fitted state."""


def frame_statistics(dense: Pixels, size: int) -> Floats:
    """Measure a clip read as planar 4:2:0.

    `dense` is [T, size * 3 // 2, size] uint8, T >= 2. Gives [T, len(STATISTICS)] float32; the first frame, which has
    none before it, repeats the second's.
    """
    luma = dense[:, :size].astype(np.float32)
    chroma = dense[:, size:].astype(np.float32)
    shifts = _global_shifts(luma)
    rows = [_pair(luma[t - 1], luma[t], chroma[t] - chroma[t - 1], shifts[t - 1]) for t in range(1, len(luma))]
    table = np.array(rows, np.float32)
    moves = np.linalg.norm(np.diff(shifts, axis=0, prepend=shifts[:1]), axis=1)
    table[:, 1] = np.log1p(moves)
    table = (np.concatenate([table[:1], table]) - _CENTRE) / _SCALE
    clip = np.concatenate([table.mean(0), table.std(0)])
    return np.concatenate([table, np.broadcast_to(clip, (len(table), len(clip)))], axis=1).astype(np.float32)


def _global_shifts(luma: Floats) -> Floats:
    """Find the shift of each frame against the one before, in pixels [T - 1, 2] (down, right), by phase correlation.

    Works at half size: precise to 2 pixels, which costs a quarter, and the finer rest is left in the residual.
    """
    half = (luma[:, ::2, ::2] + luma[:, 1::2, ::2] + luma[:, ::2, 1::2] + luma[:, 1::2, 1::2]) / 4
    window = np.hanning(half.shape[1])[:, None] * np.hanning(half.shape[2])[None]
    spectrum = np.fft.rfft2((half - half.mean((1, 2), keepdims=True)) * window)
    cross = spectrum[1:] * np.conj(spectrum[:-1])
    peak = np.fft.irfft2(cross / (np.abs(cross) + 1e-3 * np.abs(cross).mean() + 1e-6), s=half.shape[1:])
    limit = half.shape[1] // 4
    near = np.fft.fftfreq(half.shape[1], 1 / half.shape[1])
    peak[:, np.abs(near) > limit] = -np.inf
    peak[:, :, np.abs(near) > limit] = -np.inf
    flat = peak.reshape(len(peak), -1).argmax(1)
    rows, columns = np.unravel_index(flat, half.shape[1:])
    return (np.stack([near[rows], near[columns]], axis=1) * 2).astype(np.float32)


def _pair(before: Floats, after: Floats, chroma: Floats, shift: Floats) -> list[float]:
    down, right = int(shift[0]), int(shift[1])
    now = after[max(0, down) : after.shape[0] + min(0, down), max(0, right) : after.shape[1] + min(0, right)]
    then = before[max(0, -down) : before.shape[0] + min(0, -down), max(0, -right) : before.shape[1] + min(0, -right)]
    plain = np.abs(after - before)
    change = float(now.mean() - then.mean())
    residual = now - then - change
    size = np.abs(residual)
    fine = residual[1:-1, 1:-1] - (residual[:-2, 1:-1] + residual[2:, 1:-1] + residual[1:-1, :-2] + residual[1:-1, 2:]) / 4
    return [
        float(np.log1p(np.hypot(down, right))),
        0.0,
        float(np.log1p(plain.mean())),
        float(np.log1p(size.mean())),
        float(np.log1p(np.abs(fine).mean())),
        float(np.log1p(residual.std())),
        float(np.log((size[:, ::8].mean() + 0.1) / (size.mean() + 0.1))),
        float(np.log1p(abs(change))),
        float(abs(np.log((now.std() + 1) / (then.std() + 1)))),
        float((plain <= 1).mean()),
        float(np.log1p(np.abs(chroma).mean())),
    ]
