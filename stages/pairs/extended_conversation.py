"""Extended conversations: the expert's own questions and answers, as they were written."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.pair import Family, Pair
from stages.pairs.maker import Maker

FAMILY: Family = "extended-conversation"


def pairs(make: Maker) -> Iterator[Pair]:
    """Give every conversation of the annotation."""
    for index, talk in enumerate(make.annotation.conversations):
        yield make(FAMILY, "open", f"talk-{index}", talk.question.strip(), talk.answer.strip())
