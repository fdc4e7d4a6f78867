"""Question-answer pairs from an expert's annotation by deterministic templates: the five families of the paper.

Every answer says only what the annotation says. Wording, option order and which absent attribute is asked for are drawn
from hash(seed, annotation id). The families are those of arXiv 2411.03795, one module each; `pairs` asks them all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from schemas.annotation import Annotation
from schemas.levels import Level
from schemas.pair import Pair
from schemas.record import Record
from stages.pairs import causal_analysis, extended_conversation, in_context_centric, quality_centric, temporal_centric
from stages.pairs.maker import Maker

FAMILIES = (quality_centric, temporal_centric, in_context_centric, extended_conversation, causal_analysis)


def pairs(
    record: Record, annotation: Annotation, level: Level | None, seed: int, seen: Collection[str] = ()
) -> Iterator[Pair]:
    """Make all pairs of one annotation, in the order of the families.

    `level` is the record's, used where the expert gave none; `seen` is what others wrote of the clip (`texts_of`):
    what anybody speaks of is not asked for as absent.
    """
    make = Maker(record, annotation, level, seed, seen)
    for family in FAMILIES:
        yield from family.pairs(make)
