"""Coefficients of agreement: Krippendorff's alpha, Cohen's kappa, and intraclass correlation.

All are None where they are not defined: too few ratings, or ratings that do not vary. Held to the packages
krippendorff, scikit-learn and pingouin to 1e-6 by the tests.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Metric = Literal["nominal", "ordinal", "interval"]
Weights = Literal["none", "linear", "quadratic"]


class Icc(msgspec.Struct, frozen=True, kw_only=True):
    """Intraclass correlations of a complete table: `one` is ICC(1), `two` is ICC(2,1), `three_k` is ICC(3,k)."""

    one: float | None
    two: float | None
    three_k: float | None


def alpha(items: ArrayLike, values: ArrayLike, metric: Metric) -> float | None:
    """Give Krippendorff's alpha of ratings in any order: two arrays of one length, a value with its item.

    Items that are rated once are left out, as alpha has it. `values` are numbers; for `ordinal` only their order
    counts. Krippendorff, "Computing Krippendorff's alpha-reliability", 2011.
    """
    at = np.unique(np.asarray(items), return_inverse=True)[1]
    known, word = np.unique(np.asarray(values, np.float64), return_inverse=True)
    if not len(at):
        return None
    counts = np.zeros((at.max() + 1, len(known)))
    np.add.at(counts, (at, word), 1)
    counts = counts[counts.sum(1) >= 2]
    weighed = counts / np.maximum(counts.sum(1, keepdims=True) - 1, 1)
    observed = weighed.T @ counts - np.diag(weighed.sum(0))
    each = observed.sum(0)
    total = each.sum()
    if total < 2:
        return None
    expected = (np.outer(each, each) - np.diag(each)) / (total - 1)
    apart = _distance(known, each, metric)
    by_chance = float((expected * apart).sum())
    return None if by_chance <= 0 else 1 - float((observed * apart).sum()) / by_chance


def _distance(known: Floats, each: Floats, metric: Metric) -> Floats:
    if metric == "nominal":
        return 1.0 - np.eye(len(known))
    place = known if metric == "interval" else np.cumsum(each) - each / 2
    distance: Floats = (place[:, None] - place[None, :]) ** 2
    return distance


def kappa(first: ArrayLike, second: ArrayLike, size: int, weights: Weights = "none") -> float | None:
    """Give Cohen's kappa of two raters: for each item the index, below `size`, of what each of them said.

    Cohen, "Weighted kappa", Psychological Bulletin 70(4), 1968.
    """
    one, two = np.asarray(first, np.int64), np.asarray(second, np.int64)
    if len(one) != len(two):
        raise ValueError(f"{len(one)} answers beside {len(two)}")
    table = np.bincount(one * size + two, minlength=size * size).reshape(size, size).astype(np.float64)
    steps = np.abs(np.arange(size)[:, None] - np.arange(size)[None, :]).astype(np.float64)
    apart = {"none": (steps > 0).astype(np.float64), "linear": steps, "quadratic": steps**2}[weights]
    by_chance = float((np.outer(table.sum(1), table.sum(0)) * apart).sum()) / max(len(one), 1)
    return None if by_chance <= 0 else 1 - float((table * apart).sum()) / by_chance


def one_way_icc(items: ArrayLike, values: ArrayLike) -> float | None:
    """Give ICC(1) of ratings in any order, whoever gave them; items may differ in how many they have.

    Shrout and Fleiss, "Intraclass correlations", Psychological Bulletin 86(2), 1979; where items differ in the number
    of ratings, their number is taken as Donner, "A review of inference procedures", 1986, does: N - sum(n²) / N, over
    the items less one. Items that are rated once are left out.
    """
    at = np.unique(np.asarray(items), return_inverse=True)[1]
    rated = np.asarray(values, np.float64)
    if not len(at):
        return None
    often = np.bincount(at)[at] >= 2
    at, rated = np.unique(at[often], return_inverse=True)[1], rated[often]
    n = np.bincount(at).astype(np.float64) if len(at) else np.zeros(0)
    if len(n) < 2:
        return None
    mean = np.bincount(at, rated) / n
    between = float((n * (mean - rated.mean()) ** 2).sum()) / (len(n) - 1)
    within = float(((rated - mean[at]) ** 2).sum()) / (n.sum() - len(n))
    size = (n.sum() - (n**2).sum() / n.sum()) / (len(n) - 1)
    return _ratio(between - within, between + (size - 1) * within)


def icc(table: ArrayLike) -> Icc:
    """Give the intraclass correlations of a table [items, raters] without gaps (Shrout and Fleiss, 1979)."""
    rated = np.asarray(table, np.float64)
    n, k = rated.shape
    if n < 2 or k < 2:
        return Icc(one=None, two=None, three_k=None)
    mean = rated.mean()
    of_items, of_raters = rated.mean(1), rated.mean(0)
    items = k * float(((of_items - mean) ** 2).sum()) / (n - 1)
    raters = n * float(((of_raters - mean) ** 2).sum()) / (k - 1)
    left = float(((rated - of_items[:, None] - of_raters[None, :] + mean) ** 2).sum()) / ((n - 1) * (k - 1))
    within = float(((rated - of_items[:, None]) ** 2).sum()) / (n * (k - 1))
    return Icc(
        one=_ratio(items - within, items + (k - 1) * within),
        two=_ratio(items - left, items + (k - 1) * left + k * (raters - left) / n),
        three_k=_ratio(items - left, items),
    )


def _ratio(above: float, below: float) -> float | None:
    return None if below == 0 else float(above / below)
