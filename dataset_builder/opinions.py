"""From single ratings to mean opinion scores: the plain mean, ITU-R BT.500, ITU-T P.913 and ITU-T P.910.

All four work on single ratings in any order; a subject may rate an item several times or not at all.

- `mos`: the mean of all ratings.
- `bt500`: subjects are screened, then the mean. ITU-R BT.500-13 Annex 2, 2.3.1 (BT.500-14 and -15: Part 1, Annex 1).
- `p913`: each subject's bias is taken off the ratings, then as `bt500`. ITU-T P.913 (06/2021), 12.4.
- `p910`: the most likely quality of items together with bias and inconsistency of subjects, found by alternating
  projection. ITU-T P.910 (10/2023), Annex E; Li, Bampis, Janowski, Katsavounidis, "A simple model for subject behavior
  in subjective experiments", HVEI 2020.

Held to Netflix' `sureal` 0.9.0 to 1e-3, with one difference on purpose: where everyone rates an item alike, nobody is
an outlier there (`sureal` counts them all as one both ways, which rejects careful subjects).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from schemas.errors import DataError
from schemas.record import OpinionModel

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

NORMAL_975 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""
CHANGE = 1e-8
"""The alternating projection stops where the Euclidean norm of the change of all items is below this (Annex E)."""
MAX_ROUNDS = 1000
LEAST_VARIANCE = 1e-8
"""Added to a subject's variance, so that a subject without inconsistency has a finite weight (Annex E)."""


@dataclass(frozen=True)
class Opinions:
    """What single ratings say of items and of subjects; indices are those of the ratings.

    Of items: `mos`; `std`, the standard deviation of the ratings that count, ddof = 1, bias taken off where the model
    knows it; `n`, how many ratings count; `ci95`, half the width of the 95 % confidence interval of `mos`. NaN marks
    what is not defined: `std` and `ci95` below 2 ratings, all of them where no rating counts.

    Of subjects: `bias` (rating points above the others), `inconsistency` (standard deviation of what mos and bias leave
    unexplained, ddof = 0), `rejected`. The models `mos` and `bt500` only report bias and inconsistency. NaN marks a
    subject without ratings.
    """

    mos: Floats
    std: Floats
    n: Indices
    ci95: Floats
    bias: Floats
    inconsistency: Floats
    rejected: NDArray[np.bool_]

    @property
    def collapsed(self) -> NDArray[np.bool_]:
        """Mark subjects, of several, that are left without inconsistency, so that in `p910` they alone decide.

        The likelihood that P.910 climbs has no upper bound: with a dozen subjects, one steady subject can be followed
        to the end (`sureal` does the same). Then `p913` is the better model.
        """
        rated = np.isfinite(self.inconsistency)
        typical = np.median(self.inconsistency[rated])
        marks: NDArray[np.bool_] = rated & (self.inconsistency < 1e-3 * typical)
        return marks


def recover(items: Indices, subjects: Indices, ratings: Floats, model: OpinionModel) -> Opinions:
    """Recover opinions from single ratings: three arrays of one length, a rating with its item and its subject.

    Indices count from 0. `ci95` is by Student's t for `mos` (ITU-T P.1401 (01/2020), 7.4) and 1.96 standard errors for
    the others, as their recommendations say. Raises DataError where there is no rating, where one is not finite, where
    an index is below 0 and, for `p910`, where a subject gave a single rating: nothing tells its bias from its noise.
    """
    _refuse_unusable(items, subjects, ratings)
    if model == "p910":
        return _most_likely(items, subjects, ratings)
    first_mos = _mean_by(items, ratings)
    bias = _mean_by(subjects, ratings - first_mos[items])
    scored = ratings - bias[subjects] if model == "p913" else ratings
    rejected = np.zeros(len(bias), np.bool_) if model == "mos" else _screen(items, subjects, scored)
    counts = ~rejected[subjects]
    of_items, size = items[counts], len(first_mos)
    mos = _mean_by(of_items, scored[counts], size)
    std = _std_by(of_items, scored[counts], size, ddof=1)
    n = np.bincount(of_items, minlength=size).astype(np.int64)
    standard_error = std / np.sqrt(np.maximum(n, 1))
    factor = np.full(size, NORMAL_975)
    if model == "mos":
        factor = stdtrit(np.maximum(n - 1, 1), 0.975)
    left = ratings - first_mos[items] - bias[subjects]
    return Opinions(mos, std, n, factor * standard_error, bias, _std_by(subjects, left, len(bias)), rejected)


def _refuse_unusable(items: Indices, subjects: Indices, ratings: Floats) -> None:
    if not len(items) == len(subjects) == len(ratings):
        raise ValueError(f"{len(ratings)} ratings of {len(items)} items by {len(subjects)} subjects: one length each")
    if not len(ratings):
        raise DataError("there are no ratings")
    bad = np.flatnonzero(~np.isfinite(ratings))
    if len(bad):
        raise DataError(f"rating {bad[0] + 1} is {ratings[bad[0]]}, no finite number: leave out what was not rated")
    if items.min() < 0 or subjects.min() < 0:
        raise DataError("an index of an item or a subject is below 0")


def _screen(items: Indices, subjects: Indices, ratings: Floats) -> NDArray[np.bool_]:
    """Say which subjects are outliers on both sides of the others (BT.500-13 Annex 2, 2.3.1).

    P and Q count a subject's ratings above and below 2 standard deviations of an item whose ratings look normal
    (kurtosis from 2 to 4), or sqrt(20) where they do not. Rejected is who has (P + Q) / (J K R) > 0.05 of all
    presentations and |P - Q| / (P + Q) < 0.3. Nobody is, where everybody would be.
    """
    mean = _mean_by(items, ratings)
    off = ratings - mean[items]
    variance = _mean_by(items, off**2)
    sigma = np.sqrt(variance)
    differs = sigma > 1e-9 * np.abs(ratings).max()  # equal ratings may leave a rounding error
    kurtosis = np.divide(_mean_by(items, off**4), variance**2, out=np.zeros_like(sigma), where=differs)
    reach = np.where((kurtosis >= 2) & (kurtosis <= 4), 2.0, math.sqrt(20)) * sigma
    above = np.bincount(subjects, differs[items] & (ratings >= (mean + reach)[items]))
    below = np.bincount(subjects, differs[items] & (ratings <= (mean - reach)[items]))
    both = above + below
    repeats = np.unique(np.stack([items, subjects]), axis=1, return_counts=True)[1].max()
    often = both / (len(np.unique(items)) * repeats) > 0.05
    rejected: NDArray[np.bool_] = often & (np.abs(above - below) < 0.3 * both)
    return rejected if not rejected[np.unique(subjects)].all() else np.zeros_like(rejected)


def _most_likely(items: Indices, subjects: Indices, ratings: Floats) -> Opinions:
    """Fit rating = mos of the item + bias of the subject + noise of the subject (P.910 Annex E)."""
    by_subject = np.bincount(subjects)
    once = np.flatnonzero(by_subject == 1)
    if len(once) and len(by_subject) > 1:
        raise DataError(
            f"{len(once)} subjects gave one rating only (the first is number {once[0]}): p910 cannot tell their bias"
            " from their noise; leave them out or take another model"
        )
    mos = _mean_by(items, ratings)
    bias = _mean_by(subjects, ratings - mos[items])
    for _ in range(MAX_ROUNDS):
        before = mos
        noise = _std_by(subjects, ratings - mos[items] - bias[subjects], len(by_subject))
        weights = (1 / (noise**2 + LEAST_VARIANCE))[subjects]
        mos = _mean_by(items, ratings - bias[subjects], weights=weights)
        bias = _mean_by(subjects, ratings - mos[items])
        if np.linalg.norm(np.nan_to_num(mos - before)) < CHANGE:
            break
    # Only differences between subjects are known: their mean bias is laid at the items' door.
    middle = float(np.nanmean(bias))
    mos, bias = mos + middle, bias - middle
    unbiased = ratings - bias[subjects]
    n = np.bincount(items).astype(np.int64)
    return Opinions(
        mos=mos,
        std=_std_by(items, unbiased, len(n), ddof=1),
        n=n,
        ci95=np.where(n > 1, NORMAL_975 * _std_by(items, unbiased, len(n)) / np.sqrt(np.maximum(n, 1)), np.nan),
        bias=bias,
        inconsistency=_std_by(subjects, unbiased - mos[items], len(by_subject)),
        rejected=np.zeros(len(by_subject), np.bool_),
    )


def _mean_by(group: Indices, values: Floats, size: int = 0, weights: Floats | None = None) -> Floats:
    """Take the mean of the values of each group, [max(size, groups)]; NaN for a group without values."""
    weights = np.ones_like(values) if weights is None else weights
    total = np.bincount(group, weights, minlength=size)
    return _ratio(np.bincount(group, weights * values, minlength=size), total)


def _std_by(group: Indices, values: Floats, size: int, ddof: int = 0) -> Floats:
    off = values - _mean_by(group, values, size)[group]
    square = np.bincount(group, off**2, minlength=size)
    std: Floats = np.sqrt(_ratio(square, np.bincount(group, minlength=size) - ddof))
    return std


def _ratio(total: NDArray[Any], by: NDArray[Any]) -> Floats:
    ratio: Floats = np.divide(total, by, out=np.full(len(total), np.nan), where=by > 0)
    return ratio
