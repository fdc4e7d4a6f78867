"""Question-answer pairs from an expert's annotation by deterministic templates: the five families of the paper.

Every answer says only what the annotation says. Wording, option order and which absent attribute is asked for are drawn
from hash(seed, annotation id). The families are those of arXiv 2411.03795; the causal question is the published one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from schemas.annotation import Annotation, Attribute
from schemas.draws import pick, share, shuffled
from schemas.levels import Level
from schemas.pair import Family, Form, Pair
from schemas.record import Record
from stages.wording.prompts import CAUSAL_QUESTION
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL, SPOKEN

_YES_NO = (
    "Does the video exhibit {name} that affects the viewing experience?",
    "Is {name} visible in this video?",
    "Would a viewer notice {name} while watching this video?",
)
_DEGREE = (
    "How strong is the {name} in this video?",
    "Which degree describes the {name} of this video best?",
    "To what degree does {name} affect this video?",
)
_WORST = (
    "What is the most obvious quality problem of this video?",
    "Which problem harms the quality of this video the most?",
    "If one quality problem of this video could be mended, which should it be?",
)
_WHEN = (
    "At which points during the video playback does {name} occur?",
    "When does {name} appear in this video?",
    "During which part of the video can {name} be seen?",
)
_WHERE = (
    "Where in the frame does {name} occur?",
    "Which part of the picture shows {name}?",
    "In which area of the frame can {name} be seen?",
)
_IN_CONTEXT = (
    "How do the quality problems relate to what is shown in this video?",
    "Please describe the quality of this video with regard to its content.",
)


def pairs(
    record: Record, annotation: Annotation, level: Level | None, seed: int, seen: Collection[str] = ()
) -> Iterator[Pair]:
    """Make the pairs of one annotation.

    `level` is the record's, used where the expert gave none; `seen` is what others wrote of the clip (`texts_of`):
    what anybody speaks of is not asked for as absent.
    """
    make = _Maker(record, annotation, seed)
    told = " ".join([*seen, *texts_of(annotation), *(d.name for d in record.distortions)]).lower()
    absent = [name for name in (*SPATIAL, *MOTION) if not any(stem in told for stem in _stems(name))]
    yield from _quality_centric(make, annotation, seed, absent)
    for index, attribute in enumerate(annotation.attributes):
        yield from _temporal_centric(make, attribute, index)
        yield from _in_context_centric(make, attribute, index)
    if annotation.in_context.strip():
        question = pick(_IN_CONTEXT, seed, annotation.id, "in-context")
        yield make("in-context-centric", "open", "depiction", question, annotation.in_context.strip())
    for index, talk in enumerate(annotation.conversations):
        yield make("extended-conversation", "open", f"talk-{index}", talk.question.strip(), talk.answer.strip())
    said = annotation.level or level
    if annotation.overall.strip() and said:
        answer = f"{annotation.overall.strip()} Hence, The quality of this video is {said}."
        yield make("causal-analysis", "open", "causal", CAUSAL_QUESTION, answer)


class _Maker:
    """Puts what all pairs of one annotation share into each, and words a still image as an image."""

    def __init__(self, record: Record, annotation: Annotation, seed: int) -> None:
        self.record, self.annotation, self.seed = record, annotation, seed

    def __call__(self, family: Family, form: Form, key: str, question: str, answer: str) -> Pair:
        if self.record.media.kind == "image" and family != "extended-conversation":
            question = question.replace("video", "image")
            for said in ("in this video.", "of this video is"):
                answer = answer.replace(said, said.replace("video", "image"))
        return Pair(
            id=f"{self.annotation.id}/{key}",
            record_id=self.record.id,
            family=family,
            form=form,
            question=question,
            answer=answer,
            evidence=[f"annotation:{self.annotation.id}"],
            generator=f"template:{family}",
        )

    def ask(self, wordings: tuple[str, ...], key: str, name: str) -> str:
        return pick(wordings, self.seed, self.annotation.id, key).format(name=name)


def texts_of(annotation: Annotation) -> list[str]:
    """List all that an expert wrote of a clip."""
    texts = [annotation.overall, annotation.in_context]
    for attribute in annotation.attributes:
        texts += [attribute.name, attribute.when or "", attribute.where or ""]
    for talk in annotation.conversations:
        texts += [talk.question, talk.answer]
    return texts


def _stems(name: str) -> list[str]:
    """Give the beginnings of words by which a text may speak of a distortion: its own words and what means the same."""
    return [word[: 5 if len(word) > 6 else 4] for word in name.split()] + list(SPOKEN.get(name, ()))


def _quality_centric(make: _Maker, annotation: Annotation, seed: int, absent: list[str]) -> Iterator[Pair]:
    """Ask yes/no once for a present and once for an absent attribute, the degree, and the worst problem."""
    present = {a.name: a for a in annotation.attributes}
    if present:
        chosen = present[pick(sorted(present), seed, annotation.id, "present")]
        yes = f"Yes, there is {chosen.degree} {chosen.name} in this video."
        yield _yes_no(make, "present", chosen.name, "A. Yes", yes)
    # An expert who said nothing at all has not said that anything is absent.
    if absent and (present or annotation.overall.strip()):
        name = pick(absent, seed, annotation.id, "absent")
        yield _yes_no(make, "absent", name, "B. No", f"No, there is no {name} in this video.")
    for index, attribute in enumerate(annotation.attributes):
        if attribute.degree in DEGREES:
            yield _degree_choice(make, attribute, index)
    graded = [a for a in annotation.attributes if a.degree in DEGREES]
    if graded:
        worst = max(graded, key=lambda a: DEGREES.index(a.degree))
        if sum(a.degree == worst.degree for a in graded) == 1:
            question = make.ask(_WORST, "worst", worst.name)
            yield make("quality-centric", "open", "worst", question, f"It is the {worst.degree} {worst.name}.")


def _yes_no(make: _Maker, key: str, name: str, letter: str, words: str) -> Pair:
    question = make.ask(_YES_NO, key, name)
    if share(make.seed, make.annotation.id, key, "with options") < 0.5:
        return make("quality-centric", "yes-no", key, f"{question} A. Yes B. No", letter)
    return make("quality-centric", "yes-no", key, question, words)


def _degree_choice(make: _Maker, attribute: Attribute, index: int) -> Pair:
    key = f"degree-{index}"
    options = shuffled(DEGREES, make.seed, make.annotation.id, key)
    letters = "ABCD"
    listed = " ".join(f"{letter}. {option.capitalize()}" for letter, option in zip(letters, options, strict=True))
    right = options.index(attribute.degree)
    question = f"{make.ask(_DEGREE, key, attribute.name)} {listed}"
    return make("quality-centric", "multiple-choice", key, question, f"{letters[right]}. {options[right].capitalize()}")


def _temporal_centric(make: _Maker, attribute: Attribute, index: int) -> Iterator[Pair]:
    if make.record.media.kind == "image":
        return
    if attribute.start is not None and attribute.end is not None:
        words = f"From {attribute.start:.1f} s to {attribute.end:.1f} s"
        answer = f"{words}, {attribute.when.strip().rstrip('.')}." if attribute.when else f"{words}."
    elif attribute.when:
        answer = _sentence(attribute.when)
    else:
        answer = "Throughout the video."
    yield make("temporal-centric", "open", f"when-{index}", make.ask(_WHEN, f"when-{index}", attribute.name), answer)


def _in_context_centric(make: _Maker, attribute: Attribute, index: int) -> Iterator[Pair]:
    if not attribute.where:
        return
    question = make.ask(_WHERE, f"where-{index}", attribute.name)
    yield make("in-context-centric", "open", f"where-{index}", question, _sentence(attribute.where))


def _sentence(words: str) -> str:
    """Write an expert's words as a sentence; only the first letter changes."""
    said = words.strip().rstrip(".")
    return f"{said[:1].upper()}{said[1:]}."
