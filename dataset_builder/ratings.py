"""Single ratings as rows of a table: gathered by clip and turned into one labelled row each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

import msgspec
import numpy as np

from dataset_builder.labels import LabelRow, Remark
from dataset_builder.opinions import recover
from schemas.manifest import Quarantined
from schemas.record import OpinionModel


def opinions_of(
    source: str, ratings: Iterable[LabelRow | Quarantined | Remark], model: OpinionModel
) -> Iterator[LabelRow | Quarantined | Remark]:
    """Yield one row for each clip, its score recovered by `model` from single ratings: rows that name their subject.

    The row stands where the clip's first rating stands. Rows that say something else of their clip than its first row
    does, and ratings whose clip is left without a score, go to quarantine; subjects whom the model rejects are told.
    Raises DataError for ratings that the model cannot work on.
    """
    kept: list[tuple[str, str, float]] = []
    first: dict[str, LabelRow] = {}
    for row in ratings:
        if not isinstance(row, LabelRow):
            yield row
        elif row.score is None or row.subject is None:
            yield _refused(source, row, "the row holds no rating" if row.subject else "the row names no subject")
        elif _of_clip(first.setdefault(row.clip, row)) != _of_clip(row):
            told = first[row.clip].told(row)
            yield _refused(source, row, f"{told} says something else of this clip beside its rating")
        else:
            kept.append((row.clip, row.subject, row.score.value))
    if not kept:
        return
    pairs = Counter((clip, name) for clip, name, _ in kept)
    for count in (count for count in pairs.values() if count > 1):
        for _ in range(count - 1):
            yield Remark("a subject rated a clip again: each rating counts")
    clips = {clip: index for index, clip in enumerate(first)}
    subjects = {name: index for index, name in enumerate(dict.fromkeys(name for _, name, _ in kept))}
    found = recover(
        np.array([clips[clip] for clip, _, _ in kept], np.int64),
        np.array([subjects[name] for _, name, _ in kept], np.int64),
        np.array([value for _, _, value in kept], np.float64),
        model,
    )
    collapsed = found.collapsed
    for name, index in subjects.items():
        if found.rejected[index]:
            yield Remark(f"the ratings of subject {name!r} do not count: rejected by {model}")
        if model == "p910" and collapsed[index]:
            yield Remark(f"subject {name!r} alone decides under {model}, left without inconsistency: try p913")
    for clip, index in clips.items():
        score = first[clip].score
        if score is None or math.isnan(found.mos[index]):
            yield _refused(source, first[clip], f"no rating of this clip counts under {model}")
            continue
        mean = msgspec.structs.replace(
            score,
            value=float(found.mos[index]),
            std=_known(found.std[index]),
            ratings=int(found.n[index]),
            ci95=_known(found.ci95[index]),
            opinion=model,
        )
        yield replace(first[clip], score=mean)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _of_clip(row: LabelRow) -> LabelRow:
    """Keep what a row says of its clip, not of the one rating."""
    return replace(row, score=None, subject=None, table="", row=0)


def _refused(source: str, row: LabelRow, reason: str) -> Quarantined:
    return Quarantined(source=source, file=row.table, row=row.row, field=None, reason=f"{row.clip}: {reason}")
