"""What the templates of all families share: what is known of the clip, draws by seed, and the making of a pair."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from functools import cached_property

from schemas.annotation import Annotation, Attribute
from schemas.draws import pick, share, shuffled
from schemas.levels import Level
from schemas.pair import Family, Form, Pair
from schemas.record import Record
from stages.wording.taxonomy import ALIKE, COUNTED, DEGREES, MOTION, SPATIAL, SPOKEN

LETTERS = "ABCDEFGH"
_SINGULAR = {"is": "is", "Is": "Is", "does": "does", "Does": "Does", "s": "s"}
_PLURAL = {"is": "are", "Is": "Are", "does": "do", "Does": "Do", "s": ""}


def texts_of(annotation: Annotation) -> list[str]:
    """List all that an expert wrote of a clip."""
    texts = [annotation.overall, annotation.in_context]
    for attribute in annotation.attributes:
        texts += [attribute.name, attribute.when or "", attribute.where or ""]
    for talk in annotation.conversations:
        texts += [talk.question, talk.answer]
    return texts


def sentence(words: str) -> str:
    """Write an expert's words as a sentence; only the first letter changes."""
    said = words.strip().rstrip(".")
    return f"{said[:1].upper()}{said[1:]}."


class Maker:
    """One annotation with all that is known beside it, and the pairs that follow from it."""

    def __init__(
        self, record: Record, annotation: Annotation, level: Level | None, seed: int, seen: Collection[str] = ()
    ) -> None:
        """Take what is known; nothing is drawn yet."""
        self.record, self.annotation, self.seed = record, annotation, seed
        self.seen = seen
        self.level = annotation.level or level
        self.shown = "image" if record.media.kind == "image" else "video"
        # An annotation that grows by a word keeps its draws; another one of the same name elsewhere has its own.
        self._key = hashlib.sha256(f"{record.id}\0{annotation.id}".encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def __call__(self, family: Family, form: Form, key: str, question: str, answer: str) -> Pair:
        """Put a question and its answer into a Pair of this annotation; `key` names it among the others."""
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

    def say(self, wordings: Sequence[str], key: str, **slots: object) -> str:
        """Draw one of several wordings and fill it.

        `{shown}` is video or image. `{name}` is an attribute as sentences speak of it, and `{is}`, `{Is}`, `{does}`,
        `{Does}` and `{s}` are the verbs that go with it.
        """
        spoken = {"name": COUNTED.get(name, name)} if isinstance(name := slots.get("name"), str) else {}
        verbs = _PLURAL if name in COUNTED else _SINGULAR
        return pick(wordings, self.seed, self._key, key).format(shown=self.shown, **verbs, **(slots | spoken))

    def pick(self, options: Sequence[str], key: str) -> str:
        """Draw one of several."""
        return pick(options, self.seed, self._key, key)

    def chance(self, key: str) -> float:
        """Draw a number in [0, 1)."""
        return share(self.seed, self._key, key)

    def yes_no(self, family: Family, key: str, question: str, answer: tuple[bool, str]) -> Pair:
        """Ask a yes/no question, half of the time with its options; the answer is yes or no and a full sentence."""
        yes, words = answer
        if self.chance(f"{key} with options") < 0.5:
            return self(family, "yes-no", key, f"{question} A. Yes B. No", "A. Yes" if yes else "B. No")
        return self(family, "yes-no", key, question, f"{'Yes' if yes else 'No'}, {words}")

    def choice(self, family: Family, key: str, question: str, options: tuple[str, Sequence[str]]) -> Pair:
        """Ask a multiple-choice question; the right option comes first, and each letter is its equally often."""
        right, others = options
        mixed = shuffled([right, *others], self.seed, self._key, f"{key} order")
        written = [f"{letter}. {sentence(option).rstrip('.')}" for letter, option in zip(LETTERS, mixed, strict=False)]
        return self(family, "multiple-choice", key, f"{question} {' '.join(written)}", written[mixed.index(right)])

    @cached_property
    def graded(self) -> list[Attribute]:
        """The attributes whose degree is on the ladder."""
        return [attribute for attribute in self.annotation.attributes if attribute.degree in DEGREES]

    @cached_property
    def worst(self) -> Attribute | None:
        """The one attribute that is stronger than all others, if there is one."""
        ranked = sorted(self.graded, key=lambda a: DEGREES.index(a.degree))
        if not ranked or (len(ranked) > 1 and ranked[-2].degree == ranked[-1].degree):
            return None
        return ranked[-1]

    @cached_property
    def absent(self) -> list[str]:
        """What of the taxonomy nobody speaks of: it may be asked for as absent, or offered as a wrong option."""
        told = " ".join([*self.seen, *texts_of(self.annotation), *(d.name for d in self.record.distortions)]).lower()
        # An expert who said nothing at all has not said that anything is absent.
        if not self.annotation.attributes and not self.annotation.overall.strip():
            return []
        # A still image cannot show a distortion over time, nor be said to be free of it.
        asked = SPATIAL if self.record.media.kind == "image" else (*SPATIAL, *MOTION)
        named = {a.name for a in self.annotation.attributes} | {d.name for d in self.record.distortions}
        akin = set().union(*(group for group in ALIKE if group & named))
        return [name for name in asked if name not in akin and not any(stem in told for stem in _STEMS[name])]


def _stems(name: str) -> list[str]:
    """Give the beginnings of words by which a text may speak of a distortion: its own words and what means the same."""
    return [word[: 5 if len(word) > 6 else 4] for word in name.split()] + list(SPOKEN.get(name, ()))


_STEMS = {name: _stems(name) for name in (*SPATIAL, *MOTION)}
