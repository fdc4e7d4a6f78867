"""The demo's synthetic quality score: measured against the clean clip, so that it needs no people."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from dataset_builder.filtering import ssim
from dataset_builder.video import Pixels

Floats = NDArray[np.float64]

POINTS_PER_DB = 5.0
"""Points of the score for each dB of SSIM: a clean clip reaches 100, the strongest distortions end below 20."""
DETAIL_MASKING, SWING_MASKING = 1.0, 8.0
"""Changes from frame to frame, of 255, that go unseen: single pixels, and mean brightness."""


def quality(references: list[Pixels], frames: list[Pixels]) -> float:
    """Measure the quality of a clip of two frames or more against its clean reference, 0 to 100, frame by frame.

    Mean luma SSIM (Wang et al., 2004) in dB, -10 lg(1 - SSIM), times how alike the two clips are in their changes from
    frame to frame: in detail (a freeze, a jump, noise) and in mean brightness (flicker), times POINTS_PER_DB. The
    formula is ours; the number is a stand-in for a mean opinion score.
    """
    height, width, _ = references[0].shape
    mean = sum(ssim(references, frames, width, height)) / len(frames)
    decibel = -10 * math.log10(max(1 - mean, 1e-6))
    shown, wanted = _brightness(frames), _brightness(references)
    detail = _alike(_pixel_changes(shown), _pixel_changes(wanted), DETAIL_MASKING)
    swing = _alike(_mean_changes(shown), _mean_changes(wanted), SWING_MASKING)
    return round(min(100.0, POINTS_PER_DB * decibel) * detail * swing, 3)


# Sums are taken in integers: a sum of floats depends on the order, and the order on the processor.
def _brightness(frames: list[Pixels]) -> NDArray[np.int16]:
    """Sum of red, green and blue, shape [T, H, W], 0 to 765."""
    total = np.zeros((len(frames), *frames[0].shape[:2]), np.int16)
    for index, frame in enumerate(frames):
        for channel in range(3):
            total[index] += frame[..., channel]
    return total


def _pixel_changes(brightness: NDArray[np.int16]) -> Floats:
    """Mean absolute change of a pixel from each frame to the next, of 255, shape [T - 1]."""
    change = np.abs(np.diff(brightness, axis=0))
    changes: Floats = change.sum(axis=(1, 2), dtype=np.int64) / (3 * brightness[0].size)
    return changes


def _mean_changes(brightness: NDArray[np.int16]) -> Floats:
    """Change of the mean brightness from each frame to the next, of 255, shape [T - 1]."""
    total = brightness.sum(axis=(1, 2), dtype=np.int64)
    changes: Floats = np.abs(np.diff(total)) / (3 * brightness[0].size)
    return changes


def _alike(shown: Floats, wanted: Floats, masking: float) -> float:
    """Compare changes as SSIM compares contrasts, 1 = the same; differences well below `masking` hardly count."""
    floor = masking**2
    return float(np.mean((2 * shown * wanted + floor) / (shown**2 + wanted**2 + floor)))
