"""Grading of answers to questions: what counts as right, and accuracy by type and concern.

A choice is right by the rule of VLMEvalKit (open-compass/VLMEvalKit, Q-Bench-Video), so that accuracies compare with
those it gives: the answer is the letter, or the option's text, or holds the letter with a period anywhere, or has a
line that is the letter alone. Two things of that rule are worth knowing: the text of an option ends for it at its first
period, and an answer that names two letters with periods is right if one of them is. Upstream's own script looks at the
first character alone; that is counted beside it.

Open-ended answers are given 0, 1 or 2 by a judge, several times; their credit is the mean over 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from dataset_builder.intervals import wilson
from training.testsets import LETTERS, QuestionItem

BEST_VERDICT = 2
RESAMPLES = 1000


class Grade(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one question gave: credit from 0 to 1, None where it was not answered, or not judged."""

    type: str
    concerns: tuple[str, ...]
    pair: bool
    credit: float | None
    open_ended: bool = False
    first_letter: bool | None = None


class Accuracy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Mean credit of a group: over `graded` of its `n` questions, with the ends of its 95 % interval.

    `first_letter` is the share of choices whose answer begins with the right letter.
    """

    n: int
    graded: int
    accuracy: float | None
    low: float | None
    high: float | None
    first_letter: float | None = None


class Tally(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One row of VLMEvalKit's table: `acc` in percent, to a decimal (half of one where open-ended)."""

    success: float
    overall: int
    acc: float


def is_right(answer: str, letter: str, option: str) -> bool:
    """Say whether an answer gives the right option, as VLMEvalKit does."""
    text = option.partition(".")[0].strip()
    return answer in {letter, text} or f"{letter}." in answer or letter in answer.split("\n")


def graded(item: QuestionItem, answer: str | None, verdicts: Sequence[int] = ()) -> Grade:
    """Grade one answer; `verdicts` are a judge's, for a question that is open-ended."""
    credit: float | None = None
    first = None
    if item.open_ended:
        credit = sum(verdicts) / len(verdicts) / BEST_VERDICT if verdicts and answer is not None else None
    elif answer is not None:
        assert item.right is not None
        letter = LETTERS[item.right]
        credit = float(is_right(answer, letter, item.options[item.right]))
        first = answer[:1] == letter
    return Grade(
        type=item.type,
        concerns=item.concerns,
        pair=len(item.clips) > 1,
        credit=credit,
        open_ended=item.open_ended,
        first_letter=first,
    )


def accuracies(grades: Sequence[Grade], seed: int = 0) -> dict[str, Accuracy]:
    """Take accuracy over all questions, and by type, concern, and one clip or two: `type: yes-or-no` and so on."""
    groups: dict[str, list[Grade]] = {"overall": list(grades)}
    for grade in grades:
        names = [f"type: {grade.type}", *(f"concern: {c}" for c in grade.concerns)]
        if any(g.pair for g in grades):
            names.append("clips: two" if grade.pair else "clips: one")
        for name in names:
            groups.setdefault(name, []).append(grade)
    first, *others = groups
    return {name: _accuracy(groups[name], seed) for name in [first, *sorted(others)]}


def _accuracy(grades: Sequence[Grade], seed: int) -> Accuracy:
    credits_ = [g.credit for g in grades if g.credit is not None]
    letters = [g.first_letter for g in grades if g.first_letter is not None]
    if not credits_:
        return Accuracy(n=len(grades), graded=0, accuracy=None, low=None, high=None)
    if all(credit in {0.0, 1.0} for credit in credits_):
        low, high = wilson(round(sum(credits_)), len(credits_))
    else:  # shares of a credit are no counts: resample them
        drawn = np.random.default_rng(seed).choice(credits_, (RESAMPLES, len(credits_))).mean(1)
        low, high = map(float, np.quantile(drawn, [0.025, 0.975]))
    return Accuracy(
        n=len(grades),
        graded=len(credits_),
        accuracy=sum(credits_) / len(credits_),
        low=low,
        high=high,
        first_letter=sum(letters) / len(letters) if letters else None,
    )


def vlmevalkit(grades: Iterable[Grade]) -> dict[str, Tally]:
    """Make VLMEvalKit's table of Q-Bench-Video by type of question.

    There an answer that could not be had counts as -1, and the points of an open-ended question are 0, 1 or 2. Types
    with an open-ended answer that nobody judged are left out, since it has no row for them. VLMEvalKit asks the
    questions about one clip only: leave out pairs to compare with what it reports.
    """
    types: dict[str, list[Grade]] = {}
    for grade in grades:
        types.setdefault(grade.type, []).append(grade)
    table = {}
    for name, of_type in types.items():
        open_ended = any(g.open_ended for g in of_type)
        if open_ended and any(g.credit is None for g in of_type):
            continue
        best = BEST_VERDICT if open_ended else 1
        success = sum(-1 if g.credit is None else g.credit * best for g in of_type)
        acc = round(success / len(of_type) * 100, 1)
        table[name] = Tally(success=success, overall=len(of_type), acc=acc / 2 if open_ended else acc)
    return table
