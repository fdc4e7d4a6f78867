"""What the four Waterloo SQoE sets share: `data.csv` with a row a session, and a log a session in `streaming_logs`.

A log has a row a segment; its `rebuffering_duration` is how long playback waited before that segment, so the first
row's is the initial buffering. Its `mos` column is that of the same segments played without stalls: not read.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from dataset_builder.labels import CellError, LabelRow, number
from dataset_builder.sources import About, Labelled, Table, name_of, rating, required_scale, tables, text
from dataset_builder.sources._stalls import UNKNOWN, on_playback
from dataset_builder.tables import Row, read_table
from schemas.errors import CallError
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Stall

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


def _stalls(log: Path) -> list[Stall] | None:
    """Read the stalls of a session from its log; None if there is none. Raises CellError for a log of no use."""
    if not log.is_file():
        return None
    events: list[tuple[float, float]] = []
    time = 0.0
    try:
        for segment in read_table(log, log.name)[1]:
            if isinstance(segment, CellError):
                raise segment
            waited, lasts = (_seconds(segment, key) for key in ("rebuffering_duration", "chunk_duration"))
            events.append((time, waited))
            time += lasts
        return on_playback(events)
    except (CallError, CellError, ValueError) as error:
        raise CellError("streaming_log", f"its log {log.name} is of no use: {error}") from None


def _seconds(segment: Row, column: str) -> float:
    value = number(segment.get(column), column)
    if value is None:
        raise CellError(column, f"a segment has no {column}")
    return value
