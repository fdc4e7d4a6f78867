"""Quality causal analysis: the expert's depiction and the level that follows; question and ending are published."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.pair import Family, Pair
from stages.pairs.maker import Maker
from stages.wording.prompts import CAUSAL_ENDING, CAUSAL_QUESTION

FAMILY: Family = "causal-analysis"


def pairs(make: Maker) -> Iterator[Pair]:
    """Conclude from the overall depiction to the expert's level, or to that of the clip's score."""
    depiction = make.annotation.overall.strip()
    if depiction and make.level is not None:
        question = CAUSAL_QUESTION.replace("video", make.shown)
        ended = depiction if depiction[-1] in ".!?" else f"{depiction}."
        answer = f"{ended} {CAUSAL_ENDING.format(level=make.level).replace('video', make.shown)}"
        yield make(FAMILY, "open", "causal", question, answer)
