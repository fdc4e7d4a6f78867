"""What a label table is worth before anything is built of it: levels by range mode, ceilings, closeness to cuts.

Figures of arrays: `table` reads them from a file, `findings` says what looks wrong, `view` shows it.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from scipy.special import ndtr

from dataset_builder.auditing.findings import findings
from dataset_builder.auditing.labels import (
    UNDECLARED,
    Finding,
    Floats,
    Graded,
    Indices,
    Labels,
    Reading,
    grade,
    usual_scale,
)
from dataset_builder.correlation import plcc, srcc
from schemas.errors import DataError
from schemas.levels import CUTS, LEVELS, Direction, Level

NEAR = 0.025
"""A clip lies near a cut within this much of the unit range: an eighth of a level to either side."""
BINS = 60


class Range(msgspec.Struct, frozen=True):
    """Two raw scores."""

    lo: float
    hi: float


class RatingScale(msgspec.Struct, frozen=True, kw_only=True):
    """The rating scale of the scores; `declared`, or the narrowest usual one that holds them all."""

    lo: float
    hi: float
    declared: bool


class Ceiling(msgspec.Struct, frozen=True):
    """What a scorer reaches at most that gives the true level of every clip and nothing finer; None if undefined."""

    srcc: float | None
    plcc: float | None


class Moves(msgspec.Struct, frozen=True):
    """What the nominal range changes: how many clips get another level, and from which minmax level to which."""

    clips: int
    matrix: dict[Level, dict[Level, int]]


class Histogram(msgspec.Struct, frozen=True):
    """Counts of scores in bins of one width from `lo` to `hi`."""

    lo: float
    hi: float
    counts: list[int]


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """What `vqa2 audit` reports; `n` rows are usable, of `rows` in the table.

    `columns` names columns by what they hold, `guessed` those that nobody named. `range` is that of the scores, and so
    the minmax range. `ceiling` and `near_cut` (a share of clips) are those of minmax, the paper's choice. `hard_share`
    is the mean probability that a single rating falls on the clip's minmax level, by the std column. None is what is
    undefined: minmax when all scores are equal, nominal when no scale is declared and no usual one holds the scores.
    """

    table: str
    n: int
    rows: int
    columns: dict[str, str]
    guessed: list[str]
    direction: Direction
    scale: RatingScale | None
    range: Range
    mean: float
    std: float
    distinct: int
    levels: dict[str, dict[Level, int] | None]
    ceiling: Ceiling
    near_cut: float | None
    nominal_ceiling: Ceiling
    nominal_near_cut: float | None
    moves: Moves | None
    hard_share: float | None
    histogram: Histogram
    findings: list[Finding]


def audit(labels: Labels, reading: Reading = UNDECLARED, table: str = "") -> Audit:
    """Audit the labels of a table, read as `reading` says; `table` is its name in messages.

    Scores outside a declared scale are unusable, as they are to `build`. Raises DataError when nothing is usable.
    """
    scale = reading.scale
    if scale is not None:
        inside = (labels.scores >= scale[0]) & (labels.scores <= scale[1])
        labels = labels.only(inside, f"the score lies outside the declared scale {scale[0]:g} to {scale[1]:g}")
    if not labels.clips:
        first = next(iter(labels.unusable), "it holds no rows")
        raise DataError(f"{table}: no row can be used: {first}")
    scores, better = labels.scores, reading.better
    nominal_range = scale or usual_scale(scores)
    lo, hi = float(scores.min()), float(scores.max())
    minmax = grade(scores, lo, hi, better) if lo < hi else None
    nominal = grade(scores, *nominal_range, better) if nominal_range else None
    of_modes: dict[str, Any] = {}
    for mode, graded in (("minmax", minmax), ("nominal", nominal)):
        of_modes[mode] = None if graded is None else _counts(graded.levels)
    span = nominal_range or (lo, hi if hi > lo else lo + 1)
    return Audit(
        table=table,
        n=len(scores),
        rows=len(scores) + sum(count for count, _ in labels.unusable.values()),
        columns=dict(reading.columns),
        guessed=list(reading.guessed),
        direction=better,
        scale=RatingScale(lo=span[0], hi=span[1], declared=scale is not None) if nominal_range else None,
        range=Range(lo, hi),
        mean=float(scores.mean()),
        std=float(scores.std()),
        distinct=len(np.unique(scores)),
        levels=of_modes,
        ceiling=_ceiling(minmax, scores, better),
        near_cut=_near_cut(minmax),
        nominal_ceiling=_ceiling(nominal, scores, better),
        nominal_near_cut=_near_cut(nominal),
        moves=None if minmax is None or nominal is None else _moves(minmax.levels, nominal.levels),
        hard_share=_hard_share(minmax, labels.std, hi - lo),
        histogram=Histogram(*span, np.histogram(scores, BINS, span)[0].tolist()),
        findings=findings(labels, reading, minmax, nominal),
    )


def _counts(levels: Indices) -> dict[Level, int]:
    return dict(zip(LEVELS, np.bincount(levels, minlength=len(LEVELS)).tolist(), strict=True))


def _ceiling(graded: Graded | None, scores: Floats, direction: Direction) -> Ceiling:
    if graded is None:
        return Ceiling(None, None)
    levels = graded.levels.astype(np.float64)
    truth = scores if direction == "higher_is_better" else -scores
    return Ceiling(srcc(levels, truth), plcc(levels, truth))  # type: ignore[arg-type]


def _near_cut(graded: Graded | None) -> float | None:
    if graded is None:
        return None
    away = np.min([np.abs(graded.units - cut) for cut in CUTS], axis=0)
    return float(np.mean(away <= NEAR + 1e-12))


def _moves(minmax: Indices, nominal: Indices) -> Moves:
    size = len(LEVELS)
    matrix = np.bincount(minmax * size + nominal, minlength=size * size).reshape(size, size)
    return Moves(
        clips=int((minmax != nominal).sum()),
        matrix={level: dict(zip(LEVELS, row, strict=True)) for level, row in zip(LEVELS, matrix.tolist(), strict=True)},
    )


def _hard_share(graded: Graded | None, std: Floats | None, width: float) -> float | None:
    """Take the mean of the hard level's share in `schemas.levels.level_distribution`, over the clips with a std."""
    if graded is None or std is None:
        return None
    known = np.isfinite(std) & (std >= 0)
    if not known.any():
        return None
    units, levels, spread = graded.units[known], graded.levels[known], std[known] / width
    cuts = np.array([-np.inf, *CUTS, np.inf])
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = ndtr((cuts[levels + 1] - units) / spread) - ndtr((cuts[levels] - units) / spread)
    return float(np.where(spread > 0, shares, 1.0).mean())
