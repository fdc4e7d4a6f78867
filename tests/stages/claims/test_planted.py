"""Contradictions planted in template pairs are caught, and clean template pairs pass."""

import re
from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from schemas.draws import pick
from schemas.levels import LEVELS
from schemas.pair import Pair
from stages.claims.checks import Checker
from stages.claims.claim import Known
from stages.pairs import pairs
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL
from tests.stages.claims.known import clips

SEEDS = range(3)
ELSEWHERE = {
    "left side": "Right side.",
    "over the whole frame": "In the upper left part of the frame.",
    "in the background": "In the foreground.",
    "on the left": "On the right.",
    "on the face of the singer": "On the guitar of the drummer.",
    "in the corners": "In the center of the frame.",
}


def test_clean_template_pairs_pass() -> None:
    count, flagged = 0, []
    for known in clips():
        checker = Checker(known)
        for seed in SEEDS:
            for clean in pairs(known.record, known.annotations[0], known.level, seed):
                count += 1
                if doubts := checker.doubts(clean):
                    flagged.append((clean.question, clean.answer, doubts))
    assert count > 2500
    assert len(flagged) <= 0.02 * count, flagged[:5]


def test_planted_contradictions_are_caught() -> None:
    planted: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    for known in clips():
        checker = Checker(known)
        for seed in SEEDS:
            for clean in pairs(known.record, known.annotations[0], known.level, seed):
                for kind, wrong in contradictions(known, checker, clean, seed):
                    planted[kind] += 1
                    caught[kind] += bool(checker.doubts(wrong))
    assert set(planted) == {"degree", "yes-no", "option", "letter", "level", "time", "place", "invented"}
    assert min(planted.values()) > 100, planted
    for kind, count in planted.items():
        assert caught[kind] >= 0.98 * count, (kind, caught[kind], count)


def contradictions(known: Known, checker: Checker, clean: Pair, seed: int) -> Iterator[tuple[str, Pair]]:
    """Plant in a pair what its note contradicts: one thing at a time, with its kind."""
    key, question, answer = clean.id.rpartition("/")[2], clean.question, clean.answer
    named = {a.name: a for a in known.annotations[0].attributes}
    duration = known.record.media.duration
    said = next((d for d in DEGREES if re.search(rf"\b{d}\b", answer)), None)
    if said and key.startswith(("worst", "strength", "list", "present")):
        yield "degree", replace(clean, answer=answer.replace(said, pick([d for d in DEGREES if d != said], seed, key)))
    if key in {"is-degree", "not-degree", "present", "absent"} or key.startswith("lasts"):
        if answer in {"A. Yes", "B. No"}:
            yield "yes-no", replace(clean, answer="B. No" if answer == "A. Yes" else "A. Yes")
        elif key in {"present", "absent"}:
            name = next(n for n in [*named, *SPATIAL, *MOTION] if n in question)
            wrong = f"No, there is no {name} here." if key == "present" else f"Yes, there is severe {name} here."
            yield "yes-no", replace(clean, answer=wrong)
        else:
            yield "yes-no", replace(clean, answer="No." if answer.startswith("Yes") else "Yes.")
    if clean.form == "multiple-choice":
        options = re.findall(r"([A-D])\. (.*?)(?= [A-D]\. |$)", question[question.index("A. ") :])
        letter, text = pick([o for o in options if f"{o[0]}. {o[1]}" != answer], seed, key)
        yield "level" if key == "level" else "option", replace(clean, answer=f"{letter}. {text}")
        yield "letter", replace(clean, answer=f"{letter}. {answer[3:]}")
    if key == "causal":
        wrong = pick([level for level in LEVELS if level != known.level], seed, key)
        yield "level", replace(clean, answer=f"{answer.rpartition(' ')[0]} {wrong}.")
    if key.startswith("when") and clean.form == "open":
        attribute = next(a for name, a in named.items() if name in question)
        if attribute.start is not None and attribute.end is not None:
            yield "time", replace(clean, answer=f"From {duration + 3:.1f} s to {duration + 6:.1f} s.")
            yield "time", replace(clean, answer="Throughout the video.")
            if attribute.start >= 2:
                yield "time", replace(clean, answer=f"From 0.0 s to {attribute.start - 1:.1f} s.")
        elif attribute.when is None:
            yield "time", replace(clean, answer="From 1.0 s to 2.0 s.")
    if key.startswith("where"):
        where = next(a.where for name, a in named.items() if name in question) or ""
        corner = "lower left" if re.search("right|upper|middle", where) else "upper right"
        yield "place", replace(clean, answer=ELSEWHERE.get(where, f"In the {corner} part of the frame."))
    if key.startswith(("worst", "strength")) and (absent := checker.unnamed()):
        name = next(n for n in named if n in answer)
        yield "invented", replace(clean, answer=answer.replace(name, pick(absent, seed, key)))
