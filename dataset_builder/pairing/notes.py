"""Which of several experts' notes on one clip pairs are made of: those that agree most with the others.

Two notes that contradict each other would teach two answers to one question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from schemas.annotation import Annotation
from schemas.levels import LEVELS
from stages.wording.taxonomy import DEGREES


def agreeing(notes: Sequence[Annotation], count: int | None) -> list[Annotation]:
    """Give the `count` notes (None = all) with the least distance to all others, nearest first, ties by id.

    The distance of two notes is the sum of steps that the degrees of their attributes differ by, with one that is not
    named a step below the least, and of the levels that they are apart.
    """
    if count is None or len(notes) <= count:
        return list(notes)
    strengths = {note.id: _strengths(note) for note in notes}

    def distance(one: Annotation) -> float:
        return sum(_apart(strengths[one.id], strengths[other.id]) + _levels_apart(one, other) for other in notes)

    return sorted(notes, key=lambda note: (says_nothing(note), distance(note), note.id))[:count]


def _strengths(note: Annotation) -> dict[str, int]:
    found: dict[str, int] = {}
    for attribute in note.attributes:
        step = DEGREES.index(attribute.degree) + 1 if attribute.degree in DEGREES else 1
        found[attribute.name] = max(step, found.get(attribute.name, 0))
    return found


def _apart(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    return sum(abs(one.get(name, 0) - other.get(name, 0)) for name in one.keys() | other.keys())


def _levels_apart(one: Annotation, other: Annotation) -> int:
    if one.level is None or other.level is None:
        return 0
    return abs(LEVELS.index(one.level) - LEVELS.index(other.level))


def says_nothing(note: Annotation) -> bool:
    """Say whether a note holds nothing that a pair could rest on."""
    return not (note.attributes or note.overall.strip() or note.conversations or note.level)
