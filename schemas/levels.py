"""The one definition of level words, their cut points and their weights."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable
from typing import Literal

import msgspec

Level = Literal["low", "poor", "fair", "good", "high"]
LEVELS: tuple[Level, ...] = ("low", "poor", "fair", "good", "high")
"""Level words of VQA² (arXiv 2411.03795), worst first."""
CUTS: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
"""Cut points on the unit range; a cut belongs to the level above it."""
WEIGHTS: tuple[float, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights of the level probabilities in a score, worst level first (arXiv 2411.03795)."""

Direction = Literal["higher_is_better", "lower_is_better"]
RangeMode = Literal["minmax", "nominal", "explicit"]


def level_of_unit(unit: float) -> Level:
    """Give the level word of a score on the unit range: as many steps up as there are cuts <= `unit`.

    No rounding and no tolerance: 0.6 is good, 0.5999999999999999 is fair, 1.0 is high.
    Raises ValueError outside [0, 1].
    """
    if not 0.0 <= unit <= 1.0:
        raise ValueError(f"a unit score lies in [0, 1], got {unit!r}")
    return LEVELS[bisect_right(CUTS, unit)]


def score_of_probabilities(probabilities: Iterable[float], weights: Iterable[float] = WEIGHTS) -> float:
    """Weigh level probabilities (worst level first, summing to 1) into a score on the unit range."""
    return sum(w * p for w, p in zip(weights, probabilities, strict=True))


def level_distribution(mean: float, std: float | None) -> tuple[float, float, float, float, float]:
    """Give the probability of each level, worst first, of a rating drawn from a normal distribution.

    `mean` is the MOS on the unit range; `std` is that of the single ratings divided by hi - lo, and where it is None or
    0 all of the probability is with the hard level. Each level has what lies between its cuts; the tails beyond the
    unit range are with the end levels. The five sum to 1 within 1e-12.

    DeQA-Score (arXiv 2501.11561, CVPR 2025) cuts the same normal up, but leaves the tails out and then shifts and
    scales the five so that their weighted sum is the MOS again; nothing is adjusted here, so a weighted sum of these
    five is near `mean`, and not it.
    Raises ValueError for a mean outside [0, 1] and for a std that is negative or not finite.
    """
    hard = LEVELS.index(level_of_unit(mean))
    if std is not None and not (math.isfinite(std) and std >= 0):
        raise ValueError(f"a standard deviation is finite and 0 or more, got {std!r}")
    # The probability of a rating below each cut.
    if std:
        width = std * math.sqrt(2)
        a, b, c, d = [0.5 * math.erfc((mean - cut) / width) for cut in CUTS]
    else:
        a, b, c, d = [float(index >= hard) for index in range(len(CUTS))]
    return a, b - a, c - b, d - c, 1.0 - d


class LevelScale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the raw scores of one source become level words; fitted once, then stored and never refitted.

    `lo` and `hi` are raw scores. `mode` says where they come from: `minmax` (the extremes of the published table),
    `nominal` (the ends of the rating scale) or `explicit` (given). `fitted_on` says on what, in words.
    """

    source: str
    lo: float
    hi: float
    mode: RangeMode
    direction: Direction = "higher_is_better"
    fitted_on: str = ""

    def __post_init__(self) -> None:
        """Refuse a range that maps nothing."""
        if not (math.isfinite(self.lo) and math.isfinite(self.hi) and self.lo < self.hi):
            raise ValueError(f"a level scale needs finite lo < hi, got lo={self.lo!r} hi={self.hi!r}")

    def unit(self, raw: float) -> float:
        """Map a raw score to the unit range in float64, 1 = best, clipped to [0, 1]. Raises ValueError on NaN."""
        if math.isnan(raw):
            raise ValueError("a score is NaN")
        u = (raw - self.lo) / (self.hi - self.lo)
        if self.direction == "lower_is_better":
            u = (self.hi - raw) / (self.hi - self.lo)
        return min(1.0, max(0.0, u))

    def level(self, raw: float) -> Level:
        """Give the level word of a raw score."""
        return level_of_unit(self.unit(raw))
