"""Rank and linear correlation, in numpy; held to scipy by the tests. PLCC is taken on raw scores: no logistic fit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def plcc(predicted: Sequence[float], truth: Sequence[float]) -> float | None:
    """Pearson's linear correlation; None where it is not defined (constant, or fewer than 2 values)."""
    return _correlation(np.asarray(predicted, np.float64), np.asarray(truth, np.float64))


def srcc(predicted: Sequence[float], truth: Sequence[float]) -> float | None:
    """Spearman's rank correlation, ties at their average rank; None where it is not defined."""
    return _correlation(average_ranks(predicted), average_ranks(truth))


def average_ranks(values: Sequence[float]) -> NDArray[np.float64]:
    """Rank values from 1; equal values share the mean of the ranks that they span."""
    _, inverse, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return ranks


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    if len(x) != len(y):
        raise ValueError(f"{len(x)} predictions for {len(y)} scores")
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    dx, dy = x - x.mean(), y - y.mean()
    return float(np.clip(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)), -1, 1))
