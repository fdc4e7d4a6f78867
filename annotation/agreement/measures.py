"""How far raters agree: on attributes, degrees, time spans, levels and scores, with gold, and with themselves."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np

from annotation.agreement.answers import Answers, level_of, names_of
from annotation.agreement.coefficients import Icc, alpha, icc, kappa, one_way_icc
from annotation.agreement.screening import gold_right, paces_of, repeated, set_f1
from annotation.agreement.spans import covered_iou, matched
from dataset_builder.opinions import Floats, Indices, recover
from schemas.annotation import Annotation
from schemas.levels import LEVELS, WEIGHTS
from schemas.response import Response

T = TypeVar("T", bound=tuple[str, str, object])

OVERLAP = 0.5
"""Two spans are the same where their IoU is at least this."""
SHARED = 5
"""A pair of raters is told where they share so many clips."""
CANDIDATES = 100
"""So many sets of raters are tried for the largest block, those with the most clips first."""
DRAWS = 200
"""Resamplings of clips from which the interval of an alpha is taken."""


class RaterPair(msgspec.Struct, frozen=True, kw_only=True):
    """Quadratically weighted kappa of the levels of two raters, over `items` clips."""

    one: str
    two: str
    items: int
    kappa: float | None


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """The largest part of the table without gaps: clips that all of `raters` rated. ICCs of it."""

    raters: list[str]
    items: int
    icc: Icc


class LevelAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement on levels (as steps from 0 to 4) or scores (0 to 100).

    `items` are clips with two ratings or more. `interval` is the 95 % interval of the ordinal alpha by resampling
    clips; `kappa` the quadratically weighted one, the mean of all pairs of raters weighted by the clips they share;
    `icc_one` is ICC(1) of all ratings. For scores the nominal and the ordinal alpha and kappas are left out.
    """

    items: int
    ratings: int
    nominal: float | None = None
    ordinal: float | None = None
    interval_of_ordinal: tuple[float, float] | None = None
    interval: float | None = None
    kappa: float | None = None
    pairs: list[RaterPair] = []
    icc_one: float | None = None
    block: Block | None = None
    confusion: list[list[int]] = []


class AttributeAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement on one attribute, over pairs of raters of one clip.

    `named` counts the answers that name it; `f1` is how often the other rater names it too; `kappa` and `alpha` are
    those of naming it or not. Where both name it: `degree_same` and `degree_near` (within one) are shares of
    `both`, `degree_kappa` is quadratically weighted, `degree_alpha` ordinal.
    """

    name: str
    named: int
    pairs: int
    f1: float | None
    kappa: float | None
    alpha: float | None
    both: int
    degree_same: float | None = None
    degree_near: float | None = None
    degree_kappa: float | None = None
    degree_alpha: float | None = None


class SpanAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement on when: over pairs of raters of one clip who both gave an attribute moments on the timeline.

    `matched_iou` is the mean IoU of spans matched one to one; `f1` the share of spans that have a match of IoU 0.5 or
    more; `covered_iou` the mean IoU of all that is covered. `throughout_or_moments` is the share of pairs who both name
    the attribute and differ in whether it is there throughout.
    """

    pairs: int
    matched: int
    matched_iou: float | None
    f1: float | None
    covered_iou: float | None
    throughout_or_moments: float | None


class Descriptions(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement on descriptions: `set_f1` and `set_same` are means over pairs of raters of one clip."""

    pairs: int
    set_f1: float | None
    set_same: float | None
    attributes: list[AttributeAgreement]
    spans: SpanAgreement


class RaterFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one rater; None where there is nothing to take them from.

    `bias` and `inconsistency` are points of the score (see `biases`).
    `bt500` says whether ITU-R BT.500 would reject the rater. `gold_*` are over gold clips and `repeat_*` over repeats:
    mean distances in levels and in points, and F1 of attributes. `pace` is the middle time on task in durations of the
    clip, `seconds` in seconds.
    """

    rater: str
    clips: int
    gold: int
    repeats: int
    bias: float | None = None
    inconsistency: float | None = None
    bt500: bool | None = None
    gold_right: float | None = None
    gold_levels: float | None = None
    gold_points: float | None = None
    gold_f1: float | None = None
    repeat_same: float | None = None
    repeat_levels: float | None = None
    repeat_points: float | None = None
    repeat_f1: float | None = None
    seconds: float | None = None
    pace: float | None = None


class GoldClip(msgspec.Struct, frozen=True, kw_only=True):
    """How many raters got a gold clip right: where most do not, the gold is in doubt."""

    record_id: str
    answers: int
    right: int


def score_of(annotation: Annotation, by_level: bool) -> float | None:
    """Give the score on 0 to 100, or the place of the level on it where the project has no scores."""
    if not by_level:
        return annotation.score
    return None if annotation.level is None else 100 * WEIGHTS[LEVELS.index(annotation.level)]


def has_scores(answers: Answers) -> bool:
    """Say whether anyone scored anything."""
    return any(response.annotation and response.annotation.score is not None for response in answers.responses)


def level_agreement(responses: Sequence[Response]) -> LevelAgreement:
    """Measure agreement on levels, over clips."""
    rated = [
        (response.record_id, response.rater, level)
        for response in responses
        if response.annotation and (level := level_of(response.annotation)) is not None
    ]
    items, _, levels = _columns(rated)
    pairs = _kappas(rated)
    confusion = np.zeros((len(LEVELS), len(LEVELS)), np.int64)
    for one, two in _pairs(rated):
        confusion[one[2], two[2]] += 1
        confusion[two[2], one[2]] += 1
    shared = [(pair.kappa, pair.items) for pair in pairs if pair.kappa is not None]
    return LevelAgreement(
        items=_rated_twice(items),
        ratings=len(rated),
        nominal=alpha(items, levels, "nominal"),
        ordinal=alpha(items, levels, "ordinal"),
        interval_of_ordinal=_resampled(items, levels),
        interval=alpha(items, levels, "interval"),
        kappa=sum(k * n for k, n in shared) / sum(n for _, n in shared) if shared else None,
        pairs=[pair for pair in pairs if pair.items >= SHARED],
        icc_one=one_way_icc(items, levels),
        block=largest_block(rated),
        confusion=confusion.tolist(),
    )


def score_agreement(responses: Sequence[Response]) -> LevelAgreement:
    """Measure agreement on scores, over clips."""
    rated = [
        (response.record_id, response.rater, response.annotation.score)
        for response in responses
        if response.annotation and response.annotation.score is not None
    ]
    items, _, scores = _columns(rated)
    return LevelAgreement(
        items=_rated_twice(items),
        ratings=len(rated),
        interval=alpha(items, scores, "interval"),
        icc_one=one_way_icc(items, scores),
        block=largest_block(rated),
    )


def largest_block(rated: Sequence[tuple[str, str, float]]) -> Block | None:
    """Find clips that the same raters rated, the most ratings in all, and take the ICCs of that table.

    The sets that are tried are the raters of each clip. None where no two raters share two clips.
    """
    of_item: dict[str, dict[str, float]] = defaultdict(dict)
    for item, rater, value in rated:
        of_item[item][rater] = value
    groups = Counter(frozenset(said) for said in of_item.values() if len(said) > 1)
    best: tuple[int, list[str], list[str]] | None = None
    for group, _ in groups.most_common(CANDIDATES):
        among = [item for item, said in of_item.items() if group <= said.keys()]
        size = len(among) * len(group)
        if len(among) > 1 and (best is None or (size, sorted(group)) > (best[0], best[1])):
            best = size, sorted(group), among
    if best is None:
        return None
    _, raters, among = best
    return Block(raters=raters, items=len(among), icc=icc([[of_item[item][r] for r in raters] for item in among]))


def descriptions(responses: Sequence[Response], degrees: Sequence[str]) -> Descriptions:
    """Measure agreement on attributes, degrees (weakest first) and spans, over clips."""
    said = [(r.record_id, r.rater, r.annotation) for r in responses if r.annotation]
    pairs = list(_pairs(said))
    names = sorted({name for *_, annotation in said for name in names_of(annotation)})
    alike = [(names_of(one), names_of(two)) for (*_, one), (*_, two) in pairs]
    return Descriptions(
        pairs=len(pairs),
        set_f1=_mean(set_f1(one, two) for one, two in alike),
        set_same=_mean(float(one == two) for one, two in alike),
        attributes=[_attribute(name, said, pairs, degrees) for name in names],
        spans=_spans([(one, two) for (*_, one), (*_, two) in pairs]),
    )


Said = tuple[str, str, Annotation]


def _attribute(
    name: str, said: Sequence[Said], pairs: Sequence[tuple[Said, Said]], words: Sequence[str]
) -> AttributeAgreement:
    degrees = {(item, rater): degree_of(annotation, name, words) for item, rater, annotation in said}
    couples = [(degrees[one[:2]], degrees[two[:2]]) for one, two in pairs]
    # Nobody is first or second of a pair: each counts both ways.
    ways = [way for one, two in couples for way in ((one, two), (two, one))]
    both = [(one, two) for one, two in ways if one is not None and two is not None]
    either = sum(one is not None or two is not None for one, two in couples)
    known = [(key[0], degree) for key, degree in degrees.items() if degree is not None]
    return AttributeAgreement(
        name=name,
        named=len(known),
        pairs=len(couples),
        f1=len(both) / (len(both) / 2 + either) if either else None,
        kappa=kappa([one is not None for one, _ in ways], [two is not None for _, two in ways], 2),
        alpha=alpha([key[0] for key in degrees], [degree is not None for degree in degrees.values()], "nominal"),
        both=len(both) // 2,
        degree_same=_mean(float(one == two) for one, two in both),
        degree_near=_mean(float(abs(one - two) <= 1) for one, two in both),
        degree_kappa=kappa([one for one, _ in both], [two for _, two in both], len(words), "quadratic"),
        degree_alpha=alpha([item for item, _ in known], [degree for _, degree in known], "ordinal"),
    )


def degree_of(annotation: Annotation, name: str, words: Sequence[str]) -> int | None:
    """Give the strongest degree by which an attribute is named; words that are no degree of ours count as the least."""
    found = [attribute.degree for attribute in annotation.attributes if attribute.name == name]
    return max(words.index(word) if word in words else 0 for word in found) if found else None


def _spans(pairs: Iterable[tuple[Annotation, Annotation]]) -> SpanAgreement:
    met, covered = [], []
    couples = mixed = named = spans = same = 0
    for one, two in pairs:
        for name in sorted(names_of(one) & names_of(two)):
            (ones, whole_one), (twos, whole_two) = spans_of(one, name), spans_of(two, name)
            named += 1
            mixed += whole_one != whole_two
            if not ones or not twos:
                continue
            found = matched(ones, twos)
            couples += 1
            met += found
            same += sum(value >= OVERLAP for value in found)
            spans += len(ones) + len(twos)
            covered.append(covered_iou(ones, twos))
    return SpanAgreement(
        pairs=couples,
        matched=len(met),
        matched_iou=_mean(met),
        f1=2 * same / spans if spans else None,
        covered_iou=_mean(covered),
        throughout_or_moments=mixed / named if named else None,
    )


def spans_of(annotation: Annotation, name: str) -> tuple[list[tuple[float, float]], bool]:
    """List the moments of an attribute, and say whether it is there throughout too."""
    named = [attribute for attribute in annotation.attributes if attribute.name == name]
    moments = [(a.start, a.end) for a in named if a.start is not None and a.end is not None]
    return moments, any(a.start is None for a in named)


def rater_figures(answers: Answers) -> list[RaterFigures]:
    """Measure every rater, excluded ones too."""
    bias = biases(answers)
    rejected = _rejected(answers)
    figures = []
    for rater in answers.raters:
        said = [response for response in answers.responses if response.rater == rater]
        known = [
            (r.annotation, answers.gold[r.record_id])
            for r in said
            if r.role == "gold" and r.annotation and r.record_id in answers.gold
        ]
        again = repeated(said)
        off = bias.get(rater)
        figures.append(
            RaterFigures(
                rater=rater,
                clips=sum(r.role == "clip" for r in said),
                gold=len(known),
                repeats=len(again),
                bias=off[0] if off else None,
                inconsistency=off[1] if off else None,
                bt500=rejected.get(rater),
                gold_right=_mean(float(gold_right(one, two)) for one, two in known),
                gold_levels=_apart_levels(known),
                gold_points=_apart_points(known),
                gold_f1=_mean(set_f1(names_of(one), names_of(two)) for one, two in known),
                repeat_same=_mean(float(level_of(one) == level_of(two)) for one, two in again),
                repeat_levels=_apart_levels(again),
                repeat_points=_apart_points(again),
                repeat_f1=_mean(set_f1(names_of(one), names_of(two)) for one, two in again),
                seconds=_median(r.seconds for r in said if r.seconds is not None),
                pace=_median(paces_of(answers, said)),
            )
        )
    return figures


def biases(answers: Answers) -> Mapping[str, tuple[float, float]]:
    """Give bias and inconsistency of each rater, by ITU-T P.910, or P.913 where that follows one rater alone.

    Over clips and gold clips that two raters or more rated, since one alone has nothing to be biased from, and of
    raters with two such clips or more. Repeats would count a rater's clip twice.
    """
    rated = _compared(answers)
    if not rated:
        return {}
    found = recover(*_columns(rated), "p910")
    if found.collapsed.any():
        found = recover(*_columns(rated), "p913")
    names = sorted({rater for _, rater, _ in rated})
    return {name: (float(found.bias[i]), float(found.inconsistency[i])) for i, name in enumerate(names)}


def gold_clips(answers: Answers, raters: Collection[str]) -> list[GoldClip]:
    """Count how many of `raters` got each gold clip right, hardest first."""
    right: dict[str, list[bool]] = defaultdict(list)
    for response in answers.of_role("gold"):
        if response.rater in raters and response.annotation and response.record_id in answers.gold:
            right[response.record_id].append(gold_right(response.annotation, answers.gold[response.record_id]))
    found = [GoldClip(record_id=name, answers=len(hits), right=sum(hits)) for name, hits in right.items()]
    return sorted(found, key=lambda clip: (clip.right / clip.answers, clip.record_id))


def _rejected(answers: Answers) -> dict[str, bool]:
    rated = _compared(answers)
    if not rated:
        return {}
    found = recover(*_columns(rated), "bt500")
    names = sorted({rater for _, rater, _ in rated})
    return {name: bool(found.rejected[i]) for i, name in enumerate(names)}


def _compared(answers: Answers) -> list[tuple[str, str, float]]:
    """List the scores of clips with two raters or more, by raters with two such clips or more."""
    rated = _scores(answers)
    while True:
        of_item = Counter(item for item, *_ in rated)
        of_rater = Counter(rater for item, rater, _ in rated if of_item[item] > 1)
        left = [row for row in rated if of_item[row[0]] > 1 and of_rater[row[1]] > 1]
        if len(left) == len(rated):
            return left
        rated = left


def _scores(answers: Answers) -> list[tuple[str, str, float]]:
    by_level = not has_scores(answers)
    return [
        (response.record_id, response.rater, score)
        for response in answers.responses
        if response.role != "repeat" and response.annotation
        if (score := score_of(response.annotation, by_level)) is not None
    ]


def _columns(rated: Sequence[tuple[str, str, float]]) -> tuple[Indices, Indices, Floats]:
    """Put ratings into arrays: items and raters by index in order of their names, and values."""
    items = np.unique(np.array([row[0] for row in rated], object).astype(str), return_inverse=True)[1]
    raters = np.unique(np.array([row[1] for row in rated], object).astype(str), return_inverse=True)[1]
    return items.astype(np.int64), raters.astype(np.int64), np.array([row[2] for row in rated], np.float64)


def _pairs(said: Iterable[T]) -> Iterable[tuple[T, T]]:
    of_item: dict[str, list[T]] = defaultdict(list)
    for row in said:
        of_item[row[0]].append(row)
    for rows in of_item.values():
        yield from itertools.combinations(rows, 2)


def _kappas(rated: Sequence[tuple[str, str, int]]) -> list[RaterPair]:
    shared: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for first, second in _pairs(rated):
        one, two = sorted([first, second], key=lambda row: row[1])
        shared[one[1], two[1]].append((one[2], two[2]))
    return [
        RaterPair(
            one=one,
            two=two,
            items=len(both),
            kappa=kappa([a for a, _ in both], [b for _, b in both], len(LEVELS), "quadratic"),
        )
        for (one, two), both in sorted(shared.items())
    ]


def _resampled(items: Indices, levels: Floats) -> tuple[float, float] | None:
    """Take the 95 % interval of the ordinal alpha over clips drawn with replacement."""
    if _rated_twice(items) < SHARED:
        return None
    random = np.random.default_rng(0)
    order = np.argsort(items, kind="stable")
    rows = np.split(order, np.flatnonzero(np.diff(items[order])) + 1)
    found = []
    for _ in range(DRAWS):
        drawn = [rows[index] for index in random.integers(len(rows), size=len(rows))]
        at = np.repeat(np.arange(len(drawn)), [len(rows_of_one) for rows_of_one in drawn])
        value = alpha(at, levels[np.concatenate(drawn)], "ordinal")
        if value is not None:
            found.append(value)
    if not found:
        return None
    lo, hi = np.quantile(found, [0.025, 0.975])
    return float(lo), float(hi)


def _rated_twice(items: Indices) -> int:
    return int((np.bincount(items) >= 2).sum()) if len(items) else 0


def _apart_levels(pairs: Iterable[tuple[Annotation, Annotation]]) -> float | None:
    return _mean(
        abs(a - b) for one, two in pairs if (a := level_of(one)) is not None and (b := level_of(two)) is not None
    )


def _apart_points(pairs: Iterable[tuple[Annotation, Annotation]]) -> float | None:
    return _mean(abs(one.score - two.score) for one, two in pairs if one.score is not None and two.score is not None)


def _mean(values: Iterable[float]) -> float | None:
    known = list(values)
    return sum(known) / len(known) if known else None


def _median(values: Iterable[float]) -> float | None:
    known = list(values)
    return float(np.median(known)) if known else None
