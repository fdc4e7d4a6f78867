"""Label rows: what a source says of a clip before the clip itself is looked at."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.errors import DataError
from schemas.levels import Level
from schemas.recipe import Scale
from schemas.record import Score, Split, Stall


class CellError(DataError):
    """A cell that cannot be used; names the column."""

    def __init__(self, column: str, reason: str) -> None:
        """Say which column, and what is wrong with its cell."""
        super().__init__(reason)
        self.column = column


@dataclass(frozen=True)
class Conversation:
    """A conversation that somebody published, its text as it was but for our placeholders.

    `media` are its clips as the row names them; `texts` the turns, user's first; `written` what stood in the place of
    each placeholder; `row` the whole row; `said` the one level word of the last answer and `level` the same as ours,
    None where there is not just one.
    """

    media: tuple[str, ...]
    texts: tuple[str, ...]
    written: tuple[str, ...]
    row: Mapping[str, Any]
    said: str | None
    level: Level | None


LARGEST = 1e12
"""No score, spread or count that a table holds is larger."""
RowPlace = tuple[str, int]
"""A table's name, and the number of a row in it."""


@dataclass(frozen=True)
class LabelRow:
    """One row of a label table. `clip` is the clip as the table names it; `row` counts the table's data rows from 1.

    `subject` is who rated, where the row is one person's rating and no mean of many. `conversation` is what the row
    itself asks and answers. `remark` says what of the row could not be used although the row is kept, in the same words
    for like rows.
    """

    clip: str
    table: str = ""
    row: int = 0
    score: Score | None = None
    subject: str | None = None
    group: str | None = None
    split: Split | None = None
    distortions: list[str] = field(default_factory=list)
    stalls: list[Stall] | None = None
    conversation: Conversation | None = None
    remark: str = ""

    @property
    def at(self) -> RowPlace:
        """Where the row stands."""
        return self.table, self.row

    def told(self, beside: LabelRow) -> str:
        """Say where the row stands to somebody who looks at the row `beside`."""
        return f"row {self.row}" if self.table == beside.table else f"row {self.row} of {self.table}"

    def same_labels(self, other: LabelRow) -> bool:
        """Say whether two rows say the same of their clip."""
        mine = (self.score, self.group, self.split, self.distortions, self.stalls)
        return mine == (other.score, other.group, other.split, other.distortions, other.stalls)


@dataclass(frozen=True)
class Remark:
    """What became of a row of `table` that is neither kept nor wrong, in the same words for like rows."""

    text: str
    table: str = ""


def number(cell: object, column: str, decimal: str = ".") -> float | None:
    """Read a number; None for an empty cell. Raises CellError for anything that is no finite number."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, bool):
        raise CellError(column, f"{cell} is not a number")
    try:
        text = cell.strip().replace(decimal, ".") if isinstance(cell, str) else cell
        if isinstance(text, str) and "_" in text:
            raise ValueError(text)  # Python reads 1_5 as 15; a table does not mean that
        value = float(text)  # type: ignore[arg-type]
    except OverflowError:
        raise CellError(column, "the number is too large") from None
    except (TypeError, ValueError):
        hint = "; does the table use decimal commas? declare decimal: ','" if "," in str(cell) else ""
        raise CellError(column, f"{cell!r} is not a number{hint}") from None
    if not math.isfinite(value):
        raise CellError(column, f"{cell!r} is not a finite number: mend or remove the row")
    if abs(value) > LARGEST:
        raise CellError(column, f"{cell!r} is too large for a number that people gave: mend or remove the row")
    return value


def score_of(value: float, std: float | None, ratings: float | None, scale: Scale, column: str) -> Score:
    """Make a Score, holding it to the declared rating scale. Raises CellError outside it."""
    if not scale.lo <= value <= scale.hi:
        raise CellError(
            column,
            f"{value!r} lies outside the declared scale {scale.lo:g} to {scale.hi:g}: mend the row or the scale",
        )
    if std is not None and std < 0:
        raise CellError(column, f"a standard deviation of {std!r} is below 0")
    if ratings is not None and (ratings < 0 or ratings != int(ratings)):
        raise CellError(column, f"{ratings!r} is no number of ratings")
    return Score(
        value=value,
        lo=float(scale.lo),
        hi=float(scale.hi),
        direction=scale.way,
        kind=scale.kind,
        std=std,
        ratings=None if ratings is None else int(ratings),
    )


def stalls_of(cell: Any, column: str) -> list[Stall] | None:
    """Read `[[start s, duration s], ...]`, in order and apart; None for an empty cell. Raises CellError."""
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    try:
        listed = orjson.loads(cell) if isinstance(cell, str) else cell
        stalls = [Stall(start=float(start), duration=float(duration)) for start, duration in listed]
    except (TypeError, ValueError) as error:
        raise CellError(column, f"{cell!r} is no list of [start s, duration s]: {error}") from None
    for before, after in itertools.pairwise(stalls):
        if after.start < before.start + before.duration:
            raise CellError(column, f"the stall at {after.start:g} s starts before the one before it ends")
        if after.start == before.start + before.duration:
            raise CellError(column, f"the stall at {after.start:g} s goes on from the one before it: write them as one")
    return stalls
