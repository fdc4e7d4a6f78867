"""Reading a table for its audit: by a source of the project, or by columns that are named or guessed."""

from __future__ import annotations

import difflib
import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np

import dataset_builder.sources
from dataset_builder.auditing.labels import Labels, Reading
from dataset_builder.labels import CellError, LabelRow, Remark, number
from dataset_builder.progress import progress_bar
from dataset_builder.ratings import opinions_of
from dataset_builder.sources import Labelled, text
from dataset_builder.tables import Form, Row, read_table
from schemas.errors import CallError
from schemas.levels import Direction
from schemas.manifest import Quarantined
from schemas.plugins import load_plugin
from schemas.recipe import SourceRecipe

T = TypeVar("T")

CLIP_NAMES = (
    *("clip", "clipname", "videopath", "videoname", "videonames", "videofilename", "video", "imgpath", "imagepath"),
    *("disimgpath", "distimg", "imagename", "filename", "filenames", "file", "path", "videolist", "vidnames", "name"),
    *("names", "vid", "videoid", "flickrid", "pvsid", "pvs", "streaminglog", "image", "img", "key", "id"),
)
"""What columns of clip names are called, letters and digits alone, the surest first."""
SCORE_NAMES = frozenset(
    [
        "mos",
        "dmos",
        "mosmean",
        "meanmos",
        "moszscore",
        "zscoremos",
        "mosfull",
        "gtmos",
        "gtscore",
        "score",
        "scores",
        "meanscore",
        "qualityscore",
        "meanopinionscore",
        "opinionscore",
        "originalmos",
        "realignmentmos",
        "unbiasedmos",
        "biasedmos",
        "rating",
        "quality",
        "value",
    ]
)
STD_NAMES = frozenset(
    [
        "std",
        "sd",
        "stdev",
        "stddev",
        "mosstd",
        "stdmos",
        "mossd",
        "sdmos",
        "dmosstd",
        "stdfull",
        "sos",
        "standarddeviation",
    ]
)
LEVEL_NAMES = frozenset(["level", "levels", "qualitylevel", "levelword", "gtlevel"])
MANY_ROWS = 50_000
"""From so many rows on, reading shows its progress."""
HEADLESS = "; if it has no header line, name its columns in order, such as --header clip,mos."
MOST_OTHERS = 8
"""So many further columns of scores are looked at."""


@dataclass(frozen=True)
class Chosen:
    """Columns that a person names, None where the table is to say: clip, score, std and level."""

    clip: str | None = None
    score: str | None = None
    std: str | None = None
    level: str | None = None


@dataclass
class _Gathered:
    """Columns as they grow, row by row."""

    clips: list[str] = field(default_factory=list)
    scores: array[float] = field(default_factory=lambda: array("d"))
    rows: array[int] = field(default_factory=lambda: array("q"))
    std: array[float] = field(default_factory=lambda: array("d"))
    levels: list[str | None] = field(default_factory=list)
    others: dict[str, array[float]] = field(default_factory=dict)
    unusable: dict[str, tuple[str, int, int]] = field(default_factory=dict)

    def refuse(self, reason: str, row: int) -> None:
        """Count an unusable row under all reasons that differ by what they quote alone."""
        alike = re.sub(r"'[^']*'|\"[^\"]*\"|-?\d[\d.e+-]*", "", reason)
        told, count, first = self.unusable.get(alike, (reason, 0, row))
        self.unusable[alike] = (told, count + 1, first)

    def labels(self, *, notes: Sequence[str] = (), has_levels: bool = False) -> Labels:
        """Freeze the columns."""
        std = np.array(self.std)
        return Labels(
            clips=self.clips,
            scores=np.array(self.scores),
            rows=np.array(self.rows, np.int64),
            std=std if np.isfinite(std).any() else None,
            levels=self.levels if has_levels else None,
            others={name: np.array(values) for name, values in self.others.items()},
            unusable={told: (count, first) for told, count, first in self.unusable.values()},
            notes=tuple(notes),
        )


def read_labels(path: Path, form: Form, chosen: Chosen, decimal: str) -> tuple[Labels, Reading]:
    """Read a table by the columns that are named or, where none is, by those that are known to hold such things.

    Raises CallError, listing the columns, where none or more than one fits.
    """
    try:
        header, rows = read_table(path, path.name, form)
    except CallError as error:
        if form.header is None and "two columns are called" in str(error):
            raise CallError(f"{error}{HEADLESS}") from None
        raise
    columns, guessed = _columns(header, chosen, path.name, named=form.header is not None)
    others = [name for name in header if _looks_like_score(name) and name not in columns.values()][:MOST_OTHERS]
    gathered = _Gathered(others={name: array("d") for name in others})
    for index, row in enumerate(_shown(rows), 1):
        try:
            if isinstance(row, CellError):
                raise row
            clip = text(row, columns["clip"])
            score = number(row.get(columns["score"]), columns["score"], decimal)
            if clip is None and score is None and not any(text(row, name) for name in header):
                continue  # an empty line at the end of a spreadsheet
            if clip is None:
                raise CellError(columns["clip"], "the row names no clip")
            if score is None:
                raise CellError(columns["score"], "the row has no score")
        except CellError as error:
            gathered.refuse(f"{error.column}: {error}" if error.column else str(error), index)
            continue
        gathered.clips.append(clip)
        gathered.scores.append(score)
        gathered.rows.append(index)
        gathered.std.append(_lenient(row, columns.get("std"), decimal))
        if "level" in columns:
            gathered.levels.append(text(row, columns["level"]))
        for name, values in gathered.others.items():
            values.append(_lenient(row, name, decimal))
    return gathered.labels(has_levels="level" in columns), Reading(columns=columns, guessed=guessed)


def read_source(recipe: SourceRecipe, plugins: Sequence[Path] = ()) -> tuple[Labels, Reading]:
    """Read a table as a source of the project does, single ratings by the recipe's model."""
    adapter = load_plugin(dataset_builder.sources, recipe.source, plugins)
    rows: Iterator[Labelled] = adapter.labels(recipe, Path())
    listed = list(_shown(rows))
    if any(isinstance(row, LabelRow) and row.subject is not None for row in listed):
        listed = list(opinions_of(recipe.name, listed, recipe.opinion))
    gathered, notes, read = _Gathered(), dict[str, int](), dict[str, int]()
    scale, direction = None, None
    for row in listed:
        if isinstance(row, Remark):
            notes[row.text] = notes.get(row.text, 0) + 1
            continue
        table = row.file if isinstance(row, Quarantined) else row.table
        read[table] = read.get(table, 0) + 1
        if isinstance(row, Quarantined):
            gathered.refuse(f"{row.field}: {row.reason}" if row.field else row.reason, row.row or 0)
        elif row.score is None:
            gathered.refuse("the row has no score", row.row)
        else:
            scale, direction = (row.score.lo, row.score.hi), row.score.direction
            gathered.clips.append(row.clip)
            gathered.scores.append(row.score.value)
            gathered.rows.append(row.row)
            gathered.std.append(float("nan") if row.score.std is None else row.score.std)
    told = [f"{count} rows: {note}" for note, count in notes.items()]
    for table, count in read.items():
        expected = adapter.ABOUT.expected(table)
        if expected not in (None, count):
            told.append(f"{table} has {count} rows, the set publishes {expected}")
    return gathered.labels(notes=told), Reading(columns={"source": recipe.source}, scale=scale, direction=direction)


def declare(reading: Reading, lo: float | None, hi: float | None, direction: Direction | None) -> Reading:
    """Put what a person declares over what a source does. Raises CallError for half a scale, or an empty one."""
    if (lo is None) != (hi is None):
        raise CallError("a rating scale has two ends: give both --lo and --hi")
    scale = reading.scale
    if lo is not None and hi is not None:
        if not (np.isfinite([lo, hi]).all() and lo < hi):
            raise CallError(f"--lo must lie below --hi, got {lo:g} and {hi:g}")
        scale = (lo, hi)
    return Reading(reading.columns, scale, direction or reading.direction, reading.guessed)


def recipe_of(path: Path, source: str, options: Mapping[str, object]) -> SourceRecipe:
    """Write the recipe by which a source reads one table. Raises CallError for options that cannot be meant."""
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return msgspec.convert(
            {"name": source, "table": str(path), "clips": ".", "source": source, **given}, SourceRecipe
        )
    except msgspec.ValidationError as error:
        raise CallError(str(error)) from None


def clip_column(header: Sequence[str], named: str | None, table: str, *, option: str = "--clip") -> str:
    """Give the column that holds the names of clips: the one that `option` named, or the one that is called so.

    Raises CallError, listing the columns, where none or more than one fits.
    """
    if named is None:
        return _guess(header, _clip_columns(header), "clip", table, named=False, option=option)
    _require_column(header, named, table, option)
    return named


def _columns(
    header: Sequence[str], chosen: Chosen, table: str, *, named: bool
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Say which column holds what, and of what that was guessed."""
    columns = {role: name for role in ("clip", "score", "std", "level") if (name := getattr(chosen, role))}
    for role, name in columns.items():
        _require_column(header, name, table, f"--{role}")
    guessed = [role for role in ("clip", "score") if role not in columns]
    if "clip" not in columns:
        columns["clip"] = _guess(header, _clip_columns(header), "clip", table, named=named)
    if "score" not in columns:
        columns["score"] = _guess(header, _score_columns(header), "score", table, named=named)
    for role, names in (("std", STD_NAMES), ("level", LEVEL_NAMES)):
        fit = [name for name in header if _bare(name) in names]
        if role not in columns and len(fit) == 1:
            columns[role] = fit[0]
            guessed.append(role)
    return columns, tuple(guessed)


def _require_column(header: Sequence[str], name: str, table: str, option: str) -> None:
    if name not in header:
        near = difflib.get_close_matches(name, header, 1, cutoff=0.4)
        hint = f", did you mean {near[0]!r}?" if near else "."
        raise CallError(f"{table}: there is no column {name!r} (for {option}){hint} {_listed(header)}")


def _guess(
    header: Sequence[str], fit: Sequence[str], role: str, table: str, *, named: bool, option: str | None = None
) -> str:
    option = option or f"--{role}"
    if len(fit) == 1:
        return fit[0]
    if fit:
        raise CallError(
            f"{table}: {len(fit)} columns may hold the {role}: {', '.join(map(repr, fit))}; say which with {option}"
        )
    headless = not named and any(_NUMBER.fullmatch(name.strip()) for name in header)
    hint = HEADLESS if headless else "."
    raise CallError(f"{table}: which column holds the {role}? Say it with {option}{hint} {_listed(header)}")


def _clip_columns(header: Sequence[str]) -> list[str]:
    by_name = {_bare(name): name for name in reversed(header)}
    for known in CLIP_NAMES:
        if known in by_name:
            return [by_name[known]]
    return [name for name in header if re.search("name|path|file|video|clip|image", _bare(name))]


def _score_columns(header: Sequence[str]) -> list[str]:
    known = [name for name in header if _bare(name) in SCORE_NAMES]
    return known or [name for name in header if _looks_like_score(name)]


def _looks_like_score(name: str) -> bool:
    bare = _bare(name)
    return re.search("mos|score", bare) is not None and re.search("std|sd$|var|ci$|num|count", bare) is None


def _bare(name: str) -> str:
    """Take a column's name down to letters and digits; a field of a struct to the field."""
    return re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower())


def _listed(header: Sequence[str]) -> str:
    return f"It has: {', '.join(name for name in header if name)}"


def _lenient(row: Row, column: str | None, decimal: str) -> float:
    try:
        value = number(row.get(column), column, decimal) if column else None
    except CellError:
        value = None
    return float("nan") if value is None else value


_NUMBER = re.compile(r"-?\d+([.,]\d+)?")


def _shown(rows: Iterator[T]) -> Iterator[T]:
    """Show progress once reading turns out to be long."""
    for count, row in enumerate(rows, 1):
        yield row
        if count == MANY_ROWS:
            break
    else:
        return
    with progress_bar() as progress:
        task = progress.add_task("rows", total=None, completed=MANY_ROWS)
        for count, row in enumerate(rows, MANY_ROWS + 1):
            if count % 1000 == 0:
                progress.update(task, completed=count)
            yield row
