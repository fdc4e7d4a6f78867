"""Temporal-centric pairs: when a problem is seen."""

from __future__ import annotations

import math
from collections.abc import Iterator

from schemas.annotation import Attribute
from schemas.pair import Family, Pair
from stages.pairs.maker import Maker, sentence

FAMILY: Family = "temporal-centric"

_WHEN = (
    "At which points during the {shown} playback {does} {name} occur?",
    "When {does} {name} appear in this {shown}?",
    "During which part of the {shown} can {name} be seen?",
    "At what time {does} {name} affect this {shown}?",
    "In which part of the {shown} {does} {name} occur?",
    "Over which span of time {is} {name} visible in this {shown}?",
)
_SPAN = (
    "From {start:.1f} s to {end:.1f} s",
    "Between {start:.1f} s and {end:.1f} s",
    "This happens from {start:.1f} s to {end:.1f} s",
    "Visible from {start:.1f} s to {end:.1f} s",
)
_THROUGHOUT = (
    "Throughout the {shown}.",
    "From the beginning to the end of the {shown}.",
    "This goes on throughout the {shown}.",
    "During the whole {shown}.",
)
_DOES_LAST = (
    "{Does} the {name} last throughout the {shown}?",
    "{Is} {name} visible throughout the {shown}?",
    "Can {name} be seen from the beginning to the end of the {shown}?",
)
_LASTS = ("this goes on throughout the {shown}.", "during the whole {shown}.")
_PASSES = ("this happens from {start:.1f} s to {end:.1f} s only.", "only from {start:.1f} s to {end:.1f} s.")
_WHICH_SPAN = (
    "Over which span of time {does} {name} occur in this {shown}?",
    "In which of these spans can {name} be seen?",
    "When {does} {name} affect this {shown}?",
)
OUTSIDE = 1.0
MOST = 0.7
"""Seconds of a clip that must lie outside of a span, and the most of the clip that it may take, for "throughout" to be
wrong of it beyond all doubt."""


def pairs(make: Maker) -> Iterator[Pair]:
    """Ask when each attribute is seen, whether it lasts, and which of several spans is its own."""
    if make.shown == "image":
        return
    names = [attribute.name for attribute in make.annotation.attributes]
    for index, attribute in enumerate(make.annotation.attributes):
        if names.count(attribute.name) == 1:  # of several times of one attribute none is the answer alone
            question = make.say(_WHEN, f"when-{index}", name=attribute.name)
            yield make(FAMILY, "open", f"when-{index}", question, _answer(make, attribute, index))
            yield from _lasts(make, attribute, index)
            yield from _choice(make, attribute, index)


def _answer(make: Maker, attribute: Attribute, index: int) -> str:
    if attribute.start is not None and attribute.end is not None:
        # Rounded up, the last tenth of a second would lie beyond the clip.
        end = min(attribute.end, math.floor(make.record.media.duration * 10) / 10)
        words = make.say(_SPAN, f"when-{index} said", start=attribute.start, end=max(end, attribute.start))
        return f"{words}, {attribute.when.strip().rstrip('.')}." if attribute.when else f"{words}."
    if attribute.when:
        return sentence(attribute.when)
    return make.say(_THROUGHOUT, f"when-{index} said")


def _lasts(make: Maker, attribute: Attribute, index: int) -> Iterator[Pair]:
    key = f"lasts-{index}"
    if attribute.start is None or attribute.end is None:
        if attribute.when:
            return  # the expert's own words for a time are not ours to judge
        answer = (True, make.say(_LASTS, f"{key} said"))
    elif attribute.end - attribute.start <= min(
        make.record.media.duration - OUTSIDE, make.record.media.duration * MOST
    ):
        answer = (False, make.say(_PASSES, f"{key} said", start=attribute.start, end=attribute.end))
    else:
        return
    yield make.yes_no(FAMILY, key, make.say(_DOES_LAST, key, name=attribute.name), answer)


def _choice(make: Maker, attribute: Attribute, index: int) -> Iterator[Pair]:
    """Offer the span among others as long that do not touch it, where the clip has room for two of them."""
    if attribute.start is None or attribute.end is None:
        return
    length, gap = attribute.end - attribute.start, 0.5
    others = []
    for place in range(int(make.record.media.duration / (length + gap)) + 1):
        start = place * (length + gap)
        end = start + length
        if end <= make.record.media.duration and (end + gap <= attribute.start or start >= attribute.end + gap):
            others.append((start, end))
    if len(others) < 2:
        return
    others.sort(key=lambda span: make.chance(f"span-{index} {span[0]:.2f}"))
    written = [f"from {start:.1f} s to {end:.1f} s" for start, end in [(attribute.start, attribute.end), *others[:3]]]
    question = make.say(_WHICH_SPAN, f"span-{index}", name=attribute.name)
    yield make.choice(FAMILY, f"span-{index}", question, (written[0], written[1:]))
