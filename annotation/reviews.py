"""What a reviewer said of the pairs of a clip, from the results of a review task."""

from __future__ import annotations

from typing import Any

from annotation.labeling import ANSWER, INDEX, QUESTION, REASON, VERDICT, VERDICTS
from annotation.results import Answers, Finding, Form, sort_results
from schemas.response import Verdict

NO_REASON = "no reason given"
"""The reason of a pair that was rejected without one."""


def read_review(
    results: object, shown: object, pairs: list[str], form: Form, *, finished: bool = True
) -> tuple[list[Verdict], bool, list[Finding]]:
    """Read the results of a review task; `shown` are those of the prediction, `pairs` the ids of its pairs in order.

    Gives the verdicts, whether any words were changed, and what was odd. Words count, not what the reviewer says of
    them: accepted with other words is `edit`, accepted "with edits" with the same words is `accept`; white space alone
    is no other word. A pair without a verdict, or with several, has none.
    """
    answers = sort_results(results, form)
    before = sort_results(shown, form)
    verdicts, changed = [], False
    for index, pair in enumerate(pairs):
        verdict, edited = _verdict(answers, before, (index, pair), form, finished=finished)
        changed |= edited
        if verdict is not None:
            verdicts.append(verdict)
    asked = {str(index) for index in range(len(pairs))}
    for name in answers.whole:
        stem, _, place = name.rpartition("_")
        if f"{stem}_{INDEX}" in form.controls and place not in asked:
            answers.find(f"{name}: the task has {len(pairs)} pairs")
    return verdicts, changed, answers.findings


def _verdict(
    answers: Answers, before: Answers, place: tuple[int, str], form: Form, *, finished: bool
) -> tuple[Verdict | None, bool]:
    index, pair = place
    at = f" of pair {pair!r}"
    given, was = ({part: _words_of(a, part, index, at) for part in (QUESTION, ANSWER)} for a in (answers, before))
    sent = any(given.values())
    # A rater who touches nothing sends all that was shown; a program that writes verdicts sends no words.
    now = given if sent else was
    edited = any(_spaced(now[part]) != _spaced(was[part]) for part in now)
    picked = _picked(answers, VERDICT, index, form, at)
    reasons = _picked(answers, REASON, index, form, at)
    said = VERDICTS.get(picked[0]) if len(picked) == 1 else None
    if said is None:
        if finished or picked:
            what = f"{len(picked)} verdicts, {', '.join(picked)}" if picked else "no verdict"
            answers.find(f"pair {pair!r}: {what}{', and changed words' if edited else ''}", "the other pairs")
        return None, edited
    if said == "reject":
        if edited:
            answers.find(f"pair {pair!r}: rejected, with changed words", "the rejection")
        if not reasons:
            answers.find(f"pair {pair!r}: rejected without a reason", f"the rejection, {NO_REASON!r}")
        return Verdict(pair_id=pair, verdict="reject", reasons=reasons or [NO_REASON]), edited
    if reasons:
        answers.find(f"pair {pair!r}: accepted, with reasons to reject: {', '.join(reasons)}", "the acceptance")
    if not sent and said == "edit":
        answers.find(f"pair {pair!r}: accepted with edits, without any words", "the other pairs")
        return None, edited
    if not edited:
        if said == "edit":
            answers.find(f"pair {pair!r}: accepted with edits, with the words that it had", "accept")
        if not sent:
            answers.find(f"pair {pair!r}: accepted, without its words", "accept")
        return Verdict(pair_id=pair, verdict="accept"), False
    question, answer = now[QUESTION], now[ANSWER]
    if question is None or answer is None:
        gone = QUESTION if question is None else ANSWER
        answers.find(f"pair {pair!r}: accepted, with its {gone} taken out", "the other pairs")
        return None, True
    if said == "accept":
        answers.find(f"pair {pair!r}: accepted, with changed words", "edit")
    return Verdict(pair_id=pair, verdict="edit", question=question, answer=answer), True


def _picked(answers: Answers, name: str, index: int, form: Form, at: str) -> list[str]:
    values = answers.whole.get(f"{name}_{index}", [])
    return answers.words(name, "choices", values, form.words(f"{name}_{INDEX}"), at)


def _words_of(answers: Answers, part: str, index: int, at: str) -> str | None:
    values: list[dict[str, Any]] = answers.whole.get(f"{part}_{index}", [])
    return answers.text(part, values, at) or None


def _spaced(text: str | None) -> str:
    return " ".join((text or "").split())
