"""What the four Waterloo SQoE sets share: `data.csv` with a row a session, and a log a session in `streaming_logs`.

A log has a row a segment; its `rebuffering_duration` is how long playback waited before that segment, so the first
row's is the initial buffering. Its `mos` column is that of the same segments played without stalls: not read.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from dataset_builder.labels import CellError, LabelRow, number
from dataset_builder.sources import About, Labelled, Table, name_of, rating, required_scale, tables, text
from dataset_builder.sources._stalls import UNKNOWN, on_playback
from dataset_builder.sources._stalls import session_of as stalled_session
from dataset_builder.tables import Row, read_table
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Stall
from schemas.session import Segment, Session

LOGS = "streaming_logs"
SCALE = Scale(lo=0, hi=100)
EXAMPLE_LOG = (
    "representation_index,rebuffering_duration,video_bitrate,chunk_duration,mos,vmaf\n"
    "2,1.5,900.5,2.0,61.2,80.1\n1,0.0,410.0,2.0,61.2,70.3\n1,3.0,420.0,2.0,61.2,71.9\n"
)


def sessions(name: str, about: About, recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the sessions of the set called `name`. A clip is named as its log, without `.csv`."""
    scale = required_scale(about, recipe)
    for table in tables(recipe, folder):
        for column in ("streaming_log", "mos", "content"):
            table.column(column)
        yield from table.each(partial(_session, name, table, scale))


def _session(name: str, table: Table, scale: Scale, row: Row) -> LabelRow:
    log = name_of(row, "streaming_log")
    content = text(row, "content")
    score = rating(row, "mos", scale, decimal=table.recipe.decimal)
    given = _individual_scores(text(row, "individual_scores"))
    if score and given:
        std = statistics.stdev(given) if len(given) > 1 else None
        score = msgspec.structs.replace(score, std=std, ratings=len(given))
    stalls = _stalls(table.path.parent / LOGS / log)
    return LabelRow(
        clip=log.removesuffix(".csv"),
        score=score,
        group=f"{name}/{content}" if content else None,
        stalls=stalls,
        remark=UNKNOWN if stalls is None else "",
    )


def _individual_scores(cell: str | None) -> list[float]:
    """Read `[95 83 70]`, as numpy prints an array: separated by blanks, over several lines if it is long."""
    column = "individual_scores"
    found = (number(part, column) for part in (cell or "").strip().removeprefix("[").removesuffix("]").split())
    return [value for value in found if value is not None]


def session_of(log: Path) -> Session:
    """Read a log as a session, `video_bitrate` in kbit/s. Raises ValueError for one of no use."""
    rows = _segments(log)
    segments = [
        Segment(
            representation=text(row, "representation_index") or "",
            width=int(_number(row, "width")),
            height=int(_number(row, "height")),
            bitrate_kbps=_number(row, "video_bitrate"),
            duration=_number(row, "chunk_duration"),
        )
        for row in rows
    ]
    return stalled_session(segments, _waits(rows))


def _stalls(log: Path) -> list[Stall] | None:
    """Read the stalls of a session from its log; None if there is none. Raises CellError for a log of no use."""
    if not log.is_file():
        return None
    try:
        return on_playback(_waits(_segments(log)))
    except ValueError as error:
        raise CellError("streaming_log", f"its log {log.name} is of no use: {error}") from None


def _segments(log: Path) -> list[Row]:
    rows = []
    for row in read_table(log, log.name)[1]:
        if isinstance(row, CellError):
            raise row
        rows.append(row)
    return rows


def _waits(segments: list[Row]) -> list[tuple[float, float]]:
    """Give (media time, seconds waited) before each segment."""
    lengths = (_number(row, "chunk_duration") for row in segments)
    times = itertools.accumulate(lengths, initial=0.0)
    return [(time, _number(row, "rebuffering_duration")) for time, row in zip(times, segments, strict=False)]


def _number(segment: Row, column: str) -> float:
    value = number(segment.get(column), column)
    if value is None:
        raise CellError(column, f"a segment has no {column}")
    return value
