"""What an expert said of a clip, from the results of a depict task."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import msgspec

from annotation.labeling import (
    ANSWERED,
    ASKED,
    DEGREE,
    IN_CONTEXT,
    LEVEL,
    MOMENTS,
    OVERALL,
    SCORE,
    THROUGHOUT,
    WHEN,
    WHERE,
)
from annotation.results import Answers, Finding, Form, brief, sort_results
from annotation.timeline import seconds_of
from schemas.annotation import Attribute, Conversation
from schemas.levels import LEVELS, Level

_REQUIRED = (OVERALL, LEVEL)
"""What the config does not let a rater leave out."""
_FRAMES = 2**31
"""More than any clip has."""


class Depiction(msgspec.Struct, frozen=True):
    """What was said: the fields of an Annotation that are the rater's."""

    attributes: list[Attribute]
    overall: str
    in_context: str
    conversations: list[Conversation]
    level: Level | None
    score: float | None


def read_depiction(
    results: object, form: Form, rate: Fraction | None, frames: int | None, *, finished: bool = True
) -> tuple[Depiction, list[Finding]]:
    """Read the results of a depict task; `rate` (frames a second) and `frames` are the clip's, None if not known.

    Rules where an answer contradicts itself: of two degrees of an attribute over the same time the stronger one is
    kept; of several levels or scores none; several texts of a field become lines of one. What a required control was
    not told is a finding where the rater has `finished`.
    """
    answers = sort_results(results, form)
    attributes = _whole_clip(answers, form) + _segments(answers, form, rate, frames)
    whole = answers.whole
    levels = answers.words(LEVEL, "choices", whole.get(LEVEL, []), LEVELS)
    if len(levels) > 1:
        answers.find(f"level: {len(levels)} levels, {', '.join(levels)}", "none of them")
    depiction = Depiction(
        attributes=_strongest(answers, attributes, form.degrees),
        overall=answers.text(OVERALL, whole.get(OVERALL, [])),
        in_context=answers.text(IN_CONTEXT, whole.get(IN_CONTEXT, [])),
        conversations=_conversations(answers),
        level=_level(levels),
        score=answers.number(SCORE, whole.get(SCORE, []), 0, 100),
    )
    if finished:
        for name in _REQUIRED:
            if name not in whole:
                answers.find(f"{name}: not answered, though required")
    return depiction, answers.findings


def same_depiction(one: Depiction, other: Depiction) -> bool:
    """Say whether two depictions say the same, in whatever order and with whatever white space."""
    return _plain(one) == _plain(other)


def _plain(depiction: Depiction) -> object:
    attributes = [
        (a.name, a.degree, a.start, a.end, _spaced(a.when or ""), _spaced(a.where or "")) for a in depiction.attributes
    ]
    return (
        sorted(attributes, key=repr),
        _spaced(depiction.overall),
        _spaced(depiction.in_context),
        sorted((_spaced(c.question), _spaced(c.answer)) for c in depiction.conversations),
        depiction.level,
        depiction.score,
    )


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _level(levels: list[str]) -> Level | None:
    return next((level for level in LEVELS if levels == [level]), None)


def _conversations(answers: Answers) -> list[Conversation]:
    questions = answers.texts(ASKED, answers.whole.get(ASKED, []))
    replies = answers.texts(ANSWERED, answers.whole.get(ANSWERED, []))
    if len(questions) != len(replies):
        answers.find(
            f"extended conversation: {len(questions)} questions and {len(replies)} answers: "
            f"{brief([*questions, *replies])}",
            "the rest, without the conversation",
        )
        return []
    return [Conversation(question=question, answer=reply) for question, reply in zip(questions, replies, strict=True)]


def _whole_clip(answers: Answers, form: Form) -> list[Attribute]:
    found = []
    for value in answers.whole.get(THROUGHOUT, []):
        paths = value.get("taxonomy")
        for path in paths if isinstance(paths, list) else [paths]:
            match path:
                case [str(name), str(degree)] if (name, degree) in form.paths(THROUGHOUT):
                    found.append(Attribute(name=name, degree=degree))
                case [str(name)] if name in form.words(THROUGHOUT):
                    answers.find(f"{THROUGHOUT}: {name!r} without a degree", "the rest, without this attribute")
                case _:
                    answers.find(f"{THROUGHOUT}: {brief(path)} is not among its words")
    return found


def _segments(answers: Answers, form: Form, rate: Fraction | None, frames: int | None) -> list[Attribute]:
    found = []
    for region, given in answers.regions.items():
        at = f" of segment {region!r}"
        labels = given.get(MOMENTS, [])
        degrees = answers.words(DEGREE, "choices", given.get(DEGREE, []), form.degrees, at)
        when = answers.text(WHEN, given.get(WHEN, []), at) or None
        where = answers.text(WHERE, given.get(WHERE, []), at) or None
        if not labels:
            answers.find(f"segment {region!r}: no attribute, only {', '.join(sorted(given))}", "the rest, without it")
            continue
        spans = [
            (name, span)
            for label in labels
            for name in _names(answers, form, label, at)
            for span in _spans(answers, label, f"{name!r} of segment {region!r}", rate, frames)
        ]
        if len(spans) > 1:
            answers.find(f"segment {region!r}: {len(spans)} attributes or ranges", "one attribute for each")
        if spans and not degrees:
            told = ", ".join(f"{name!r} at {start:g} to {end:g} s" for name, (start, end) in spans)
            answers.find(f"segment {region!r}: no degree: {told}", "the rest, without this segment")
            continue
        degree = max(degrees, key=form.degrees.index, default="")
        if spans and len(degrees) > 1:
            answers.find(f"segment {region!r}: {len(degrees)} degrees, {', '.join(degrees)}", f"the stronger, {degree}")
        found += [
            Attribute(name=name, degree=degree, start=start, end=end, when=when, where=where)
            for name, (start, end) in spans
        ]
    return found


def _names(answers: Answers, form: Form, label: dict[str, Any], at: str) -> list[str]:
    given = label.get("timelinelabels")
    if isinstance(given, list) and not given:
        answers.find(f"attribute{at}: none is picked", "the rest, without this segment")
        return []
    return answers.words(MOMENTS, "timelinelabels", [label], form.words(MOMENTS), at)


def _spans(
    answers: Answers, label: dict[str, Any], what: str, rate: Fraction | None, frames: int | None
) -> list[tuple[float, float]]:
    """Give the seconds of each range, cut to the clip."""
    found = []
    given = label.get("ranges")
    for span in given if isinstance(given, list) and given else [given]:
        ends = (span.get("start"), span.get("end")) if isinstance(span, dict) else (None, None)
        start, end = (_frame(number) for number in ends)
        if rate is None or start is None or end is None:
            why = "the task has no frame rate" if rate is None else f"no range of frames: {brief(span)}"
            answers.find(f"{what}: {why}", "the rest, without this segment")
            continue
        first, last = max(1, math.floor(start)), math.ceil(end)
        if frames is not None:
            last = min(last, frames)
        if start > end or first > last:
            answers.find(
                f"{what}: frames {start:g} to {end:g} of a clip of {frames or 'unknown'} frames",
                "the rest, without this segment",
            )
            continue
        if (first, last) != (start, end):
            answers.find(
                f"{what}: frames {start:g} to {end:g} of a clip of {frames or 'unknown'} frames",
                f"frames {first} to {last}",
            )
        found.append(seconds_of(first, last, rate))
    return found


def _frame(number: object) -> float | None:
    if isinstance(number, bool) or not isinstance(number, (int, float)) or not abs(number) < _FRAMES:
        return None
    return number


def _strongest(answers: Answers, attributes: list[Attribute], degrees: tuple[str, ...]) -> list[Attribute]:
    """Keep one attribute for each name and time: the one of the strongest degree, the first of several such."""
    kept: dict[tuple[str, float | None, float | None], Attribute] = {}
    for attribute in attributes:
        key = (attribute.name, attribute.start, attribute.end)
        if (before := kept.get(key)) is None:
            kept[key] = attribute
            continue
        stronger = max(before, attribute, key=lambda a: degrees.index(a.degree))
        over = "throughout" if attribute.start is None else f"at {attribute.start:g} to {attribute.end:g} s"
        answers.find(
            f"{attribute.name!r} {over} twice: {before.degree} and {attribute.degree}",
            f"the stronger, {stronger.degree}",
        )
        kept[key] = stronger
    return list(kept.values())
