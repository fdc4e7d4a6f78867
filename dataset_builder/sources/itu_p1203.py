"""ITU-T P.1203 open data: sessions with stalls, means (`mos.csv`) or single ratings (`ratings.csv`), MOS from 1 to 5.

One clip was rated in several contexts (`pc`, `mobile`), which are different scores: the recipe picks one, such as
`where: {context: pc}`. Stalls stand in `mode0/046-<clip>-<context>-input.json` in media time, from which they are moved
to playback. `ratings.csv` is turned into scores by the recipe's `opinion`; a subject's name means somebody else in
another database or context. A clip is called by its `pvs_id` (`TR04_SRC001_HRC01`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from dataset_builder.labels import CellError, LabelRow, number
from dataset_builder.ratings import opinions_of
from dataset_builder.sources import About, Example, Labelled, Table, name_of, rating, required_scale, tables, text
from dataset_builder.sources._stalls import UNKNOWN, on_playback
from dataset_builder.sources._stalls import session_of as stalled_session
from dataset_builder.tables import Row
from schemas.errors import CallError
from schemas.licence import Terms
from schemas.recipe import Scale, SourceRecipe
from schemas.record import Stall
from schemas.session import Segment, Session

ABOUT = About(
    title="ITU-T P.1203 open dataset",
    homepage="https://github.com/itu-p1203/open-dataset",
    paper=(
        "W. Robitza et al., HTTP Adaptive Streaming QoE Estimation with ITU-T Rec. P.1203: Open Databases and "
        "Software, ACM Multimedia Systems 2018, doi 10.1145/3204949.3208124"
    ),
    licence="non-commercial research (Deutsche Telekom, LM Ericsson, NETSCOUT Systems)",
    terms=Terms(commercial=False),
    scales={"mos": Scale(lo=1, hi=5)},
    counts={"mos.csv": 253},
)
EXAMPLE = Example(
    table="subjective_scores/mos.csv",
    files={
        "subjective_scores/mos.csv": (
            "pvs_id,context,mos,n,sd,ci\n"
            "TR04_SRC901_HRC01,pc,4.5,24,0.51,0.22\nTR04_SRC901_HRC01,mobile,4.75,20,0.44,0.21\n"
            "TR04_SRC902_HRC02,pc,2.25,24,0.9,0.38\n"
        ),
        "mode0/046-TR04_SRC901_HRC01-pc-input.json": '{"I23": {"stalling": []}}',
        "mode0/046-TR04_SRC902_HRC02-pc-input.json": '{"I23": {"stalling": [[0, 2], [10, 4], [20, 4]]}}',
    },
    options={"where": {"context": "pc"}},
)
STALL_LIST = re.compile(r"^(?:\d+-)?(?P<clip>.+)-(?P<context>[^-]+)-input\.json$")


def labels(recipe: SourceRecipe, folder: Path) -> Iterator[Labelled]:
    """Read means or single ratings of one context. Raises CallError when the recipe picks none of several."""
    scale = required_scale(ABOUT, recipe)
    for table in tables(recipe, folder):
        value = table.column("mos", "rating")
        table.column("pvs_id")
        table.column("context")
        rows = list(table.rows)
        _refuse_several_contexts(table, rows)
        lists = _stall_lists(table.path.parent)
        labelled = replace(table, rows=iter(rows)).each(partial(_label, table, value, scale, lists))
        yield from labelled if value == "mos" else opinions_of(recipe.name, labelled, recipe.opinion)


def _refuse_several_contexts(table: Table, rows: list[Row | CellError]) -> None:
    there = {text(row, "context") or "" for row in rows if not isinstance(row, CellError)}
    picked = table.recipe.where.get("context", sorted(there))
    if not isinstance(picked, str) and len(there.intersection(picked)) > 1:
        several = " and ".join(sorted(there.intersection(picked)))
        raise CallError(
            f"{table.name}: the clips were rated under {several}, which are different scores: "
            f"pick one, such as where: {{context: {max(there)}}}"
        )


def _label(table: Table, value: str, scale: Scale, lists: Mapping[tuple[str, str], Path], row: Row) -> LabelRow:
    clip, context, decimal = name_of(row, "pvs_id"), text(row, "context") or "", table.recipe.decimal
    database, _, rest = clip.partition("_")
    content = rest.partition("_")[0]
    single = value == "rating"
    score = rating(row, value, scale, decimal=decimal, std=None if single else "sd", ratings=None if single else "n")
    if score and not single:
        score = msgspec.structs.replace(score, ci95=number(row.get("ci"), "ci", decimal))
    subject = text(row, "subject") if single else None
    stalls = _stalls(lists.get((clip, context)))
    return LabelRow(
        clip=clip,
        score=score,
        subject=f"{database}/{context}/{subject}" if subject else None,
        group=f"itu_p1203/{database}_{content}",
        stalls=stalls,
        remark=UNKNOWN if stalls is None else "",
    )


def _stall_lists(folder: Path) -> dict[tuple[str, str], Path]:
    """Find the stall lists by clip and context, beside the table or in the folders of the modes, which all agree."""
    found: dict[tuple[str, str], Path] = {}
    for pattern in ("*-input.json", "mode*/*-input.json", "../mode*/*-input.json"):
        for path in sorted(folder.glob(pattern)):
            if match := STALL_LIST.match(path.name):
                found.setdefault((match["clip"], match["context"]), path)
    return found


def session_of(path: Path) -> Session:
    """Read the inputs of ITU-T P.1203, I.13 (video segments, `bitrate` in kbit/s) and I.23, as a session.

    Raises ValueError for a file of no use.
    """
    document = json.loads(path.read_text(encoding="utf-8"))
    try:
        segments = [_segment(number, segment) for number, segment in enumerate(document["I13"]["segments"])]
        events = _events(document) if "I23" in document else []
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"no inputs of P.1203 in the form of I13.segments and I23.stalling ({error!r})") from None
    return stalled_session(segments, events)


def _segment(number: int, segment: Mapping[str, Any]) -> Segment:
    width, _, height = str(segment["resolution"]).partition("x")
    return Segment(
        representation=segment.get("representation", number),
        width=int(width),
        height=int(height),
        bitrate_kbps=float(segment["bitrate"]),
        duration=float(segment["duration"]),
    )


def _stalls(path: Path | None) -> list[Stall] | None:
    if path is None:
        return None
    try:
        return on_playback(_events(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise CellError("pvs_id", f"its stall list {path.name} is of no use: {error!r}") from None


def _events(document: Mapping[str, Any]) -> list[tuple[float, float]]:
    return [(float(start), float(duration)) for start, duration in document["I23"]["stalling"]]
