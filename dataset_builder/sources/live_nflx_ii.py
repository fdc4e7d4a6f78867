"""LIVE-NFLX-II: 420 sessions of 15 contents, four players and seven networks; retrospective MOS as z-scores.

The labels are one `.mat` file a video: `table: Mat_Files/*.mat`. Field names are those of the set's own README; no
file was at hand. `is_rebuffered_bool` marks the frames of the session that stall. Z-scores have no ends: -3 and 3 are
ours, a score outside is refused, and `range: nominal` would mean nothing. The `.pkl` twins are not read: to unpickle
a file is to run it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from dataset_builder.labels import CellError, LabelRow, Remark, number
from dataset_builder.sources import About, Example, Labelled, Table, name_of, rating, required_scale, text
from dataset_builder.sources._stalls import session_of as stalled_session
from dataset_builder.tables import Row, files_of, mat_variables
from schemas.errors import CallError
from schemas.licence import Terms
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Stall
from schemas.session import Segment, Session

ABOUT = About(
    title="LIVE-NFLX-II",
    homepage="http://live.ece.utexas.edu/research/LIVE_NFLX_II/live_nflx_plus.html",
    paper=(
        "C. G. Bampis, Z. Li, I. Katsavounidis, T.-Y. Huang, C. Ekanadham, A. C. Bovik, Towards Perceptually Optimized "
        "End-to-end Adaptive Video Streaming, 2018"
    ),
    licence="University of Texas at Austin, LIVE 2018 notice (free use with the notice and its citation)",
    terms=Terms(attribution=True),
    scales={"zscore": Scale(lo=-3, hi=3)},
)
VIDEOS = 420
SCORE, STALLED, FPS, CLIP, CONTENT = FIELDS = (
    "retrospective_zscored_mos",
    "is_rebuffered_bool",
    "frame_rate",
    "distorted_mp4_video",
    "content_name",
)
SEGMENTS = ("playout_bitrate", "scene_cuts", "per_segment_encoding_width", "per_segment_encoding_height")
EXAMPLE = Example(
    table="*.mat",
    files={
        "Harbour_RB_Trace_0.mat": {
            "distorted_mp4_video": "Harbour_RB_Trace_0.mp4",
            "content_name": "Harbour",
            "retrospective_zscored_mos": 0.41,
            "is_rebuffered_bool": [0, 0, 0, 0],
            "frame_rate": 24.0,
        },
        "Harbour_BB_Trace_1.mat": {
            "distorted_mp4_video": "Harbour_BB_Trace_1.mp4",
            "content_name": "Harbour",
            "retrospective_zscored_mos": -1.3,
            "is_rebuffered_bool": [1, 1, 0, 0, 0, 1, 0],
            "frame_rate": 24.0,
        },
    },
)


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read the sessions, one file each."""
    scale = required_scale(ABOUT, recipe)
    found = files_of(recipe.table, folder, f"source {recipe.name!r}")
    for name, path in found:
        if path.suffix.lower() != ".mat":
            raise CallError(f"{name}: the labels of {recipe.source} are read from its .mat files")
        yield from Table(recipe, name, path, FIELDS, iter([_video(path)])).each(partial(_label, scale))
    if len(found) != VIDEOS:
        yield Remark(f"{recipe.table} names {len(found)} videos, the set publishes {VIDEOS}")


def session_of(path: Path) -> Session:
    """Read a video's file as a session. Raises ValueError for one of no use.

    `scene_cuts` are taken for the frames, of the media without stalls, at which segments start, and `playout_bitrate`
    for kbit/s, 0 in a stall: so the set's README reads.
    """
    import numpy as np

    fields = _video(path, (STALLED, FPS, *SEGMENTS))
    if isinstance(fields, CellError):
        raise fields
    if missing := [name for name in (STALLED, FPS, *SEGMENTS) if fields.get(name) is None]:
        raise ValueError(f"the file has no {missing[0]}")
    flags, rates, cuts, widths, heights = (
        np.atleast_1d(np.asarray(fields[name])).reshape(-1) for name in (STALLED, *SEGMENTS)
    )
    if len(rates) != len(flags):
        raise ValueError(f"playout_bitrate has {len(rates)} frames, {STALLED} {len(flags)}")
    fps, rates = _frame_rate(number(fields[FPS], FPS)), rates[flags == 0]
    starts = sorted({0, *(int(cut) for cut in cuts if 0 < cut < len(rates))})
    if not len(starts) == len(widths) == len(heights):
        raise ValueError(f"scene_cuts make {len(starts)} segments, there are {len(widths)} encoding widths")
    segments = [
        Segment(
            representation=index,
            width=int(width),
            height=int(height),
            bitrate_kbps=float(rates[start:end].mean()),
            duration=(end - start) / fps,
        )
        for index, (start, end, width, height) in enumerate(
            zip(starts, [*starts[1:], len(rates)], widths, heights, strict=True)
        )
    ]
    waited, events = 0, []
    for first, end in _runs(flags):
        events.append(((first - waited) / fps, (end - first) / fps))
        waited += end - first
    return stalled_session(segments, events)


def _video(path: Path, names: Sequence[str] = FIELDS) -> Row | CellError:
    try:
        return mat_variables(path, names)
    except (OSError, ValueError) as error:
        return CellError("", str(error))


def _label(scale: Scale, row: Row) -> LabelRow:
    content = text(row, CONTENT)
    if row.get(STALLED) is None:
        raise CellError(STALLED, f"the file has no {STALLED}")
    return LabelRow(
        clip=name_of(row, CLIP),
        score=rating(row, SCORE, scale),
        group=f"live_nflx_ii/{content}" if content else None,
        stalls=_stalls(row[STALLED], number(row.get(FPS), FPS)),
    )


def _stalls(flags: Any, fps: float | None) -> list[Stall]:
    """Read runs of stalled frames, [frames] of 0 and 1, off a session that plays at `fps` frames per second."""
    rate = _frame_rate(fps)
    return [Stall(start=first / rate, duration=(end - first) / rate) for first, end in _runs(flags)]


def _frame_rate(fps: float | None) -> float:
    if fps is None or fps <= 0:
        raise CellError(FPS, f"{fps!r} is no frame rate")
    return fps


def _runs(flags: Any) -> list[tuple[int, int]]:
    """Find runs of stalled frames: first frame, and the one after the last."""
    import numpy as np

    stalled = np.atleast_1d(np.asarray(flags)).astype(bool).reshape(-1)
    edges = np.flatnonzero(np.diff(stalled, prepend=False, append=False)).tolist()
    return list(pairwise(edges))[::2]
