"""Quality-centric pairs: is it there, how strong is it, what is it, what is the worst (yes/no, choice and open)."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.annotation import Attribute
from schemas.levels import LEVELS
from schemas.pair import Family, Pair
from stages.pairs.maker import Maker
from stages.wording.taxonomy import COUNTED, DEGREES, MOTION, kind_of

FAMILY: Family = "quality-centric"

_IS_THERE = (
    "Does the {shown} exhibit {name} that affect{s} the viewing experience?",
    "{Is} {name} visible in this {shown}?",
    "Would a viewer notice {name} in this {shown}?",
    "Can {name} be seen in this {shown}?",
    "Does this {shown} suffer from {name}?",
    "{Is} there any {name} in this {shown}?",
    "Is the quality of this {shown} affected by {name}?",
    "All in all, {does} {name} occur in this {shown}?",
)
_THERE = (
    "there {is} {degree} {name} in this {shown}.",
    "this {shown} shows {degree} {name}.",
    "{degree} {name} can be seen in this {shown}.",
    "the {shown} suffers from {degree} {name}.",
)
_NOT_THERE = (
    "there {is} no {name} in this {shown}.",
    "this {shown} shows no {name}.",
    "no {name} can be seen in this {shown}.",
    "the {shown} is free of {name}.",
)
_IS_DEGREE = (
    "{Is} the {name} in this {shown} {degree}?",
    "Would you call the {name} of this {shown} {degree}?",
    "{Is} the {name} that this {shown} shows {degree}?",
    "Does {degree} describe the {name} of this {shown}?",
)
_HOW_STRONG = (
    "How strong {is} the {name} in this {shown}?",
    "Which degree describes the {name} of this {shown} best?",
    "To what degree {does} {name} affect this {shown}?",
    "How would you grade the {name} of this {shown}?",
    "How visible {is} the {name} in this {shown}?",
    "What is the degree of the {name} in this {shown}?",
)
_IT_IS_DEGREE = (
    "The {name} {is} {degree}.",
    "This {shown} shows {degree} {name}.",
    "The {name} in this {shown} {is} {degree}.",
    "There {is} {degree} {name} in this {shown}.",
)
_WHICH = (
    "Which of these quality problems does this {shown} show?",
    "Which quality problem can be seen in this {shown}?",
    "What does the quality of this {shown} suffer from?",
    "Which of the following occurs in this {shown}?",
    "One of these quality problems is visible in this {shown}. Which one?",
)
_WORST = (
    "What is the most obvious quality problem of this {shown}?",
    "Which problem harms the quality of this {shown} the most?",
    "If one quality problem of this {shown} could be mended, which should it be?",
    "What disturbs a viewer of this {shown} the most?",
    "Name the strongest quality problem of this {shown}.",
)
_IT_IS = (
    "It is the {degree} {name}.",
    "The {degree} {name}.",
    "The strongest problem is the {degree} {name}.",
    "Above all, the {degree} {name}.",
)
_LIST = (
    "Which quality problems does this {shown} have?",
    "List the quality problems of this {shown} with their degrees.",
    "What are the quality problems of this {shown}, and how strong are they?",
    "Please name every quality problem that can be seen in this {shown}.",
)
_SHOWS = (
    "The {shown} shows {problems}.",
    "It shows {problems}.",
    "The quality problems are {problems}.",
    "A viewer sees {problems}.",
)
_LEVEL = (
    "Which level describes the quality of this {shown} best?",
    "How would you rate the quality of this {shown}?",
    "What is the overall quality level of this {shown}?",
    "What level of quality does this {shown} have?",
)


def pairs(make: Maker) -> Iterator[Pair]:
    """Ask yes/no as often with yes as with no, then degrees, kinds, the worst problem, all problems, and the level."""
    yield from _is_there(make)
    yield from _is_of_degree(make)
    for index, attribute in enumerate(make.annotation.attributes):
        if attribute.degree in DEGREES:
            yield from _degree(make, attribute, index)
    yield from _which(make)
    if (worst := make.worst) is not None:
        question = make.say(_WORST, "worst")
        yield make(FAMILY, "open", "worst", question, make.say(_IT_IS, "worst said", **_words(worst)))
    if len(make.graded) > 1 and len({a.name for a in make.graded}) == len(make.graded):
        problems = _listed([f"{a.degree} {COUNTED.get(a.name, a.name)}" for a in make.graded])
        yield make(FAMILY, "open", "list", make.say(_LIST, "list"), make.say(_SHOWS, "list said", problems=problems))
    said = make.annotation
    if make.level is not None and (said.level or said.attributes or said.overall.strip()):
        # Four options: the level and three of the others, so that the ends of the scale are no giveaway.
        left_out = make.pick([level for level in LEVELS if level != make.level], "level left out")
        others = [level for level in LEVELS if level not in {make.level, left_out}]
        yield make.choice(FAMILY, "level", make.say(_LEVEL, "level"), (make.level, others))


def _is_there(make: Maker) -> Iterator[Pair]:
    present = sorted({a.name for a in make.annotation.attributes})
    if present:
        name = make.pick(present, "present")
        chosen = next(a for a in make.annotation.attributes if a.name == name)
        question = make.say(_IS_THERE, "present asked", name=name)
        yield make.yes_no(FAMILY, "present", question, (True, make.say(_THERE, "present said", **_words(chosen))))
    if make.absent:
        name = make.pick(make.absent, "absent")
        question = make.say(_IS_THERE, "absent asked", name=name)
        yield make.yes_no(FAMILY, "absent", question, (False, make.say(_NOT_THERE, "absent said", name=name)))


def _is_of_degree(make: Maker) -> Iterator[Pair]:
    """Ask for one attribute whether its degree is the right one, and whether it is one two steps off at least."""
    graded = [a for a in make.graded if sum(b.name == a.name for b in make.annotation.attributes) == 1]
    if not graded:
        return
    name = make.pick([a.name for a in graded], "graded")
    chosen = next(a for a in graded if a.name == name)
    said = make.say(_IT_IS_DEGREE[:1], "degree said", **_words(chosen)).replace("The", "the", 1)
    step = DEGREES.index(chosen.degree)
    wrong = make.pick([d for i, d in enumerate(DEGREES) if abs(i - step) > 1], "other degree")
    for key, degree, right in (("is-degree", chosen.degree, True), ("not-degree", wrong, False)):
        question = make.say(_IS_DEGREE, f"{key} asked", name=name, degree=degree)
        yield make.yes_no(FAMILY, key, question, (right, said))


def _degree(make: Maker, attribute: Attribute, index: int) -> Iterator[Pair]:
    if sum(other.name == attribute.name for other in make.annotation.attributes) > 1:
        return  # its degree depends on when
    question = make.say(_HOW_STRONG, f"degree-{index}", name=attribute.name)
    others = [degree for degree in DEGREES if degree != attribute.degree]
    yield make.choice(FAMILY, f"degree-{index}", question, (attribute.degree, others))
    question = make.say(_HOW_STRONG, f"strength-{index}", name=attribute.name)
    answer = make.say(_IT_IS_DEGREE, f"strength-{index} said", **_words(attribute))
    yield make(FAMILY, "open", f"strength-{index}", question, answer)


def _which(make: Maker) -> Iterator[Pair]:
    """Ask what is there, beside three of its own kind that are not: motion among motion, spatial among spatial."""
    names = sorted({a.name for a in make.annotation.attributes if kind_of(a.name)})
    if not names:
        return
    name = make.pick(names, "which")
    like = [other for other in make.absent if kind_of(other) == kind_of(name)]
    like.sort(key=lambda other: make.chance(f"which {other}"))
    if len(like) >= min(3, len(MOTION) - 1):
        yield make.choice(FAMILY, "which", make.say(_WHICH, "which asked"), (name, like[:3]))


def _words(attribute: Attribute) -> dict[str, str]:
    return {"name": attribute.name, "degree": attribute.degree}


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]
