"""The labels that an audit looks at, and how they are graded: arrays, no files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from schemas.levels import CUTS, Direction

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

USUAL_SCALES = ((0.0, 1.0), (1.0, 5.0), (0.0, 5.0), (1.0, 10.0), (0.0, 10.0), (0.0, 100.0))
"""Rating scales in use, narrowest first."""


@dataclass(frozen=True)
class Labels:
    """The usable rows of a table, column by column, all of one length.

    `rows` counts the table's data rows from 1; `std` is that of the single ratings, NaN where a row has none; `levels`
    are the cells of a level column; `others` are further columns that look like scores, NaN where they hold none.
    `unusable` gives, by reason, how many rows cannot be used and which is the first; `notes` are the reader's.
    """

    clips: list[str]
    scores: Floats
    rows: Indices
    std: Floats | None = None
    levels: list[str | None] | None = None
    others: Mapping[str, Floats] = field(default_factory=dict)
    unusable: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def only(self, kept: NDArray[np.bool_], reason: str) -> Labels:
        """Leave out the rows that are not `kept`, [rows], as unusable for `reason`."""
        if kept.all():
            return self
        left_out = (int((~kept).sum()), int(self.rows[~kept][0]))
        return Labels(
            clips=[clip for clip, keep in zip(self.clips, kept, strict=True) if keep],
            scores=self.scores[kept],
            rows=self.rows[kept],
            std=None if self.std is None else self.std[kept],
            levels=None if self.levels is None else [self.levels[at] for at in np.flatnonzero(kept)],
            others={name: values[kept] for name, values in self.others.items()},
            unusable={**self.unusable, reason: left_out},
            notes=self.notes,
        )


@dataclass(frozen=True)
class Reading:
    """How the labels are to be read.

    `columns` names the table's columns by what they hold (`clip`, `score`, `std`, `level`); `scale`, the ends of the
    rating scale, and `direction` are None where nobody declared them. Columns of what is `guessed` nobody named.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    scale: tuple[float, float] | None = None
    direction: Direction | None = None
    guessed: tuple[str, ...] = ()

    @property
    def better(self) -> Direction:
        """Which way scores are read."""
        return self.direction or "higher_is_better"


UNDECLARED = Reading()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something to look at: a short name, a sentence, how many rows or names it concerns, the first of the rows."""

    name: str
    text: str
    count: int = 0
    rows: list[int] = []


@dataclass(frozen=True)
class Graded:
    """Clips under one range: their unit scores in [0, 1], 1 = best, and the indices of their levels."""

    units: Floats
    levels: Indices


def grade(scores: Floats, lo: float, hi: float, direction: Direction) -> Graded:
    """Give unit scores and levels of many scores at once, in the arithmetic of `schemas.levels.LevelScale`."""
    above = scores - lo if direction == "higher_is_better" else hi - scores
    units = np.clip(above / (hi - lo), 0, 1)
    return Graded(units, np.searchsorted(CUTS, units, side="right").astype(np.int64))


def usual_scale(scores: Floats) -> tuple[float, float] | None:
    """Give the narrowest usual rating scale that holds all scores, or None."""
    lo, hi = scores.min(), scores.max()
    return next((scale for scale in USUAL_SCALES if scale[0] <= lo and hi <= scale[1]), None)
