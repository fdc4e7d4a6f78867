"""Waterloo SQoE-IV, 1,350 streaming sessions: all of them, and the five rounds in which it is reported.

The paper's repository names five lists, `waterloo_IV_round_<n>_test.json`, and publishes none. Where you have them
(a folder that holds them, or one list), a round is a list; keys are `img_path` and `mos`, and a session may be in
several. From the set's own `data.csv` the rounds are ours: round n leaves out the n-th of the five contents by name,
270 sessions each, so that no content is ever on both sides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from dataset_builder.labels import CellError, LabelRow, number, score_of
from dataset_builder.sources import waterloo_iv as source
from dataset_builder.tables import read_table
from schemas.errors import CallError
from schemas.manifest import Quarantined
from schemas.recipe import Scale, SourceRecipe
from training.testsets import About, Items, Range, ScoredItem
from training.testsets._scored import once, plain

ROUNDS = ("round1", "round2", "round3", "round4", "round5")
SESSIONS = 1350
SCALE = Scale(lo=0, hi=100)
ABOUT = About(
    title="Waterloo SQoE-IV",
    kind="scores",
    expected={"": SESSIONS, **dict.fromkeys(ROUNDS, SESSIONS // len(ROUNDS))},
    homepage=source.ABOUT.homepage,
    paper=source.ABOUT.paper,
    parts=ROUNDS,
    notes="rounds from data.csv leave one content out each; the lists of the paper's rounds are not published",
)
EXAMPLE = source.EXAMPLE
_ROUND = re.compile(r"round[_ -]?([1-5])", re.IGNORECASE)


def items(labels: Path, part: str | None = None) -> Items:
    """Read data.csv, or the lists of rounds: one, or a folder of them; with `part` one round alone."""
    if part and part not in ROUNDS:
        raise CallError(f"{ABOUT.title} has no part {part!r}; there are: {', '.join(ROUNDS)}")
    lists = sorted(labels.glob("*round*.json")) if labels.is_dir() else [labels] if labels.suffix == ".json" else []
    if not lists and not labels.is_file():
        raise CallError(f"{str(labels)!r}: neither data.csv nor a folder of lists called *round*.json")
    refused: list[str] = []
    found = list(_of_lists(lists, refused)) if lists else list(_of_sessions(labels, refused))
    kept = [item for item in found if part in {None, item.part}]
    if part and not kept:
        raise CallError(f"{str(labels)!r} holds nothing of {part}")
    expected = len(kept) if lists else ABOUT.expected[part or ""]
    return once(Items(kept, part or "", expected, refused, Range(SCALE.lo, SCALE.hi)))


def _of_sessions(labels: Path, refused: list[str]) -> Iterator[ScoredItem]:
    rows: list[LabelRow] = []
    for row in source.labels(SourceRecipe(name="w", table=labels.name, clips=".", source="waterloo_iv"), labels.parent):
        if isinstance(row, Quarantined):
            refused.append(f"{row.file} row {row.row}: {row.reason}")
        elif isinstance(row, LabelRow):
            rows.append(row)
    contents = sorted({row.group for row in rows if row.group})
    for row in rows:
        if row.score is None or row.group is None:
            refused.append(f"{row.table} row {row.row}: {row.clip} has no {'score' if row.group else 'content'}")
        else:
            index = contents.index(row.group)
            # Five contents are published; a table of more is no Waterloo SQoE-IV, and its rest is in no round.
            yield ScoredItem(plain(row.clip), row.clip, row.score.value, ROUNDS[index] if index < len(ROUNDS) else "")


def _of_lists(lists: list[Path], refused: list[str]) -> Iterator[ScoredItem]:
    for path in lists:
        named = _ROUND.search(path.stem)
        if named is None:
            raise CallError(f"{path.name}: which round is it? Its name must say, such as waterloo_IV_round_1_test.json")
        round_ = f"round{named[1]}"
        for index, row in enumerate(read_table(path, path.name)[1], 1):
            try:
                if isinstance(row, CellError):
                    raise row
                clip, raw = _listed(row)
            except CellError as error:
                refused.append(f"{path.name} row {index}: {error}")
                continue
            yield ScoredItem(f"{round_}/{plain(clip)}", clip, raw, round_)


def _listed(row: Mapping[str, Any]) -> tuple[str, float]:
    clip, raw = row.get("img_path"), number(row.get("mos"), "mos")
    if not isinstance(clip, str) or not clip.strip("/ "):
        raise CellError("img_path", "the row names no clip")
    if raw is None:
        raise CellError("mos", "the row has no score")
    # Upstream glues its paths to a folder's name, so they may begin with a slash.
    return str(PurePosixPath(clip.strip().lstrip("/"))), score_of(raw, None, None, SCALE, "mos").value
