"""Feedback to raters on gold clips: what is known beside what they said, what to look at, and whether they passed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import msgspec

from annotation.agreement.answers import Answers, level_of, names_of, read_answers
from annotation.agreement.markup import cards, document, number, table
from annotation.agreement.measures import degree_of, spans_of
from annotation.agreement.screening import gold_right, set_f1
from annotation.agreement.spans import covered_iou
from schemas.annotation import Annotation
from schemas.errors import CallError
from schemas.levels import LEVELS

FOLDER = "feedback"
FEEDBACK = "feedback.json"
PASS_SHARE = 0.75
POINTS = 20.0
"""A score this many points off is worth a look: one level."""


class ClipFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """One gold clip: whether the answer is right, and in words what to look at."""

    record_id: str
    right: bool
    look_at: list[str]


class RaterFeedback(msgspec.Struct, frozen=True, kw_only=True):
    """What one rater is told. `passed` is None while fewer than `needed` of the gold clips are done."""

    rater: str
    page: str
    passed: bool | None
    right: int
    done: int
    needed: int
    least_right: int
    clips: list[ClipFeedback]


def feedback(folder: Path, pass_share: float = PASS_SHARE, *, reveal_gold: bool = False) -> list[RaterFeedback]:
    """Write a page for each rater of a project into `feedback/`, and `feedback.json`.

    A rater passes with `pass_share` of the project's gold clips right, and has to have done all of them.
    Raises CallError for a review, for a project without gold clips, and for one that is no qualification project unless
    `reveal_gold`: raters who have seen the known answers cannot be checked by them any more.
    """
    if not 0 < pass_share <= 1:
        raise CallError(f"--pass is a share above 0 and at most 1, not {pass_share:g}")
    answers = read_answers(folder)
    if answers.kind == "review" or not answers.gold:
        raise CallError(f"{str(folder)!r} has no gold clips to give feedback on")
    if not (answers.project and answers.project.qualification) and not reveal_gold:
        raise CallError(
            f"{str(folder)!r} is no qualification project: feedback would show raters its gold clips, which then check"
            " nobody any more; --reveal-gold does it all the same"
        )
    found = []
    (folder / FOLDER).mkdir(exist_ok=True)
    for rater in answers.raters:
        told, html = _rater(answers, rater, pass_share)
        found.append(told)
        (folder / told.page).write_text(html, encoding="utf-8")
    (folder / FEEDBACK).write_bytes(msgspec.json.format(msgspec.json.encode(found)) + b"\n")
    return found


def look_at(said: Annotation, known: Annotation, degrees: Sequence[str], hints: Mapping[str, str]) -> list[str]:
    """Say in words where an answer differs from the known one; `hints` tell what an attribute looks like."""
    told = []
    level, asked = level_of(said), level_of(known)
    if asked is not None and level is None:
        told.append(f"Set the level: it is {LEVELS[asked]}.")
    elif asked is not None and level is not None and level != asked:
        steps = abs(level - asked)
        way = "better" if level > asked else "worse"
        told.append(f"The level is {LEVELS[asked]}; {LEVELS[level]} is {steps} {_plural('level', steps)} {way}.")
    if said.score is not None and known.score is not None and abs(said.score - known.score) >= POINTS:
        told.append(f"The score is about {known.score:g}; yours is {said.score:g}.")
    for name in sorted(names_of(known) - names_of(said)) if known.attributes else []:
        hint = f": {hints[name].rstrip('.')}" if hints.get(name) else ""
        told.append(f"You did not name {name} ({_of_name(known, name)}){hint}.")
    for name in sorted(names_of(said) - names_of(known)) if known.attributes else []:
        hint = f" It looks like this: {hints[name].rstrip('.')}." if hints.get(name) else ""
        told.append(f"You named {name}, which the known answer has not.{hint}")
    for name in sorted(names_of(said) & names_of(known)):
        ours, theirs = degree_of(known, name, degrees), degree_of(said, name, degrees)
        if ours is not None and theirs is not None and ours != theirs:
            told.append(f"The {name} is {degrees[ours]}, not {degrees[theirs]}.")
        (asked_spans, asked_whole), (said_spans, said_whole) = spans_of(known, name), spans_of(said, name)
        if asked_whole != said_whole:
            there = "throughout" if asked_whole else _times(asked_spans)
            told.append(f"The {name} is there {there}.")
        elif asked_spans and covered_iou(asked_spans, said_spans) < 0.5:
            told.append(f"The {name} is there {_times(asked_spans)}; you marked {_times(said_spans) or 'no time'}.")
    return told


def _rater(answers: Answers, rater: str, pass_share: float) -> tuple[RaterFeedback, str]:
    project = answers.project
    recipe = project.recipe if project else {}
    hints = {word["name"]: word.get("hint", "") for word in recipe.get("attributes") or []}
    clips, boxes = [], []
    for response in answers.of_role("gold"):
        if response.rater != rater or response.annotation is None:
            continue
        known = answers.gold[response.record_id]
        told = ClipFeedback(
            record_id=response.record_id,
            right=gold_right(response.annotation, known),
            look_at=look_at(response.annotation, known, answers.degrees, hints),
        )
        clips.append(told)
        boxes.append(_box(told, response.annotation, known, shown=f"Clip {len(clips)}"))
    needed = len(answers.gold)
    right, done, least = sum(clip.right for clip in clips), len(clips), math.ceil(pass_share * needed - 1e-9)
    feedback_of = RaterFeedback(
        rater=rater,
        page=f"{FOLDER}/{_file_name(rater)}.html",
        passed=None if done < needed else right >= least,
        right=right,
        done=done,
        needed=needed,
        least_right=least,
        clips=clips,
    )
    state = {None: "not finished", True: "passed", False: "not passed"}[feedback_of.passed]
    title = f"{(project.title or project.name) if project else ''}: feedback for {rater}"
    html = document(
        title,
        [
            f"<h1>{escape(title)}</h1>",
            '<p class="lead">A clip is right where the level is at most one off and at least half of the attributes are'
            " named (F1 of 0.5 or more).</p>",
            cards(
                {
                    "result": state,
                    "clips right": f"{right} of {done}",
                    "right clips needed": f"{least} of {needed}",
                    "clips left to do": str(needed - done),
                }
            ),
            *boxes,
        ],
    )
    return feedback_of, html


def _box(told: ClipFeedback, said: Annotation, known: Annotation, shown: str) -> str:
    rows = [
        ["level", escape(said.level or "–"), escape(known.level or "–")],
        ["score", number(said.score, 0), number(known.score, 0)],
        ["attributes", _list(said), _list(known)],
        ["overall", _quoted(said.overall), _quoted(known.overall)],
        ["in context", _quoted(said.in_context), _quoted(known.in_context)],
        ["attributes alike (F1)", number(set_f1(names_of(said), names_of(known))), ""],
    ]
    kind, words = ("good", "right") if told.right else ("bad", "not right")
    points = "".join(f"<li>{escape(point)}</li>" for point in told.look_at) or "<li>Nothing: as it is known.</li>"
    return (
        f'<div class="box"><h2>{escape(shown)} <span class="pill {kind}">{words}</span></h2>'
        f'<p class="unknown">{escape(told.record_id)}</p>'
        f"<h3>What to look at</h3><ul>{points}</ul>{table(['', 'you said', 'what is known'], rows)}</div>"
    )


def _list(annotation: Annotation) -> str:
    words = [
        f"{escape(name)}: {escape(_of_name(annotation, name))}" for name in dict.fromkeys(sorted(names_of(annotation)))
    ]
    return "<br>".join(words) or "none"


def _of_name(annotation: Annotation, name: str) -> str:
    """Write the degrees of an attribute and when each is there."""
    return ", ".join(
        f"{a.degree} throughout" if a.start is None or a.end is None else f"{a.degree} {_times([(a.start, a.end)])}"
        for a in annotation.attributes
        if a.name == name
    )


def _times(spans: Sequence[tuple[float, float]]) -> str:
    return " and ".join(f"from {start:.1f} to {end:.1f} s" for start, end in spans)


def _quoted(text: str) -> str:
    return f"<blockquote>{escape(text)}</blockquote>" if text.strip() else "–"


def _plural(word: str, n: int) -> str:
    return word if n == 1 else f"{word}s"


def _file_name(rater: str) -> str:
    """Name the page after a rater; a pseudonym that is no plain file name is hashed."""
    if rater.isascii() and rater.replace("-", "").replace("_", "").isalnum():
        return rater
    return hashlib.sha256(rater.encode()).hexdigest()[:16]
