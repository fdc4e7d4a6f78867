"""In-context-centric pairs: where in the frame, and how the problems relate to what is shown."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.pair import Family, Pair
from stages.pairs.maker import Maker, sentence

FAMILY: Family = "in-context-centric"

_WHERE = (
    "Where in the frame {does} {name} occur?",
    "Which part of the picture shows {name}?",
    "In which area of the frame can {name} be seen?",
    "Where in this {shown} {is} {name} visible?",
    "What part of the frame is affected by {name}?",
)
_IN_CONTEXT = (
    "How do the quality problems relate to what is shown in this {shown}?",
    "Please describe the quality of this {shown} with regard to its content.",
    "What do the quality problems of this {shown} do to what it shows?",
    "Describe where and how the quality problems of this {shown} show in its content.",
)


def pairs(make: Maker) -> Iterator[Pair]:
    """Ask where each attribute is seen whose place is known, and for the expert's in-context depiction."""
    names = [attribute.name for attribute in make.annotation.attributes]
    for index, attribute in enumerate(make.annotation.attributes):
        if attribute.where and names.count(attribute.name) == 1:
            question = make.say(_WHERE, f"where-{index}", name=attribute.name)
            yield make(FAMILY, "open", f"where-{index}", question, sentence(attribute.where))
    if said := make.annotation.in_context.strip():
        yield make(FAMILY, "open", "depiction", make.say(_IN_CONTEXT, "in-context"), said)
