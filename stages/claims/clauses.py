"""One clause, scanned for the phrases of the lexicon: which degree and which denial belongs to which attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from stages.claims import lexicon
from stages.claims.lexicon import ABSENT, ANY_STATE, PRESENT, SLIGHT, Sense
from stages.claims.times import When
from stages.claims.words import FUNCTION, Phrases, Token, listed, phrases_of, stem_of


@dataclass(frozen=True)
class Degree:
    """A degree word, and the states that it can fairly mean."""

    states: int
    word: str


@dataclass(frozen=True)
class Denial:
    """A denial: its kind (`stages.claims.lexicon.NEGATIONS`) and its first word."""

    kind: str
    word: str


Found = Sense | Degree | Denial | None
_CONTRARY = frozenset(
    listed("""
        without free lack absence devoid void zero rather instead opposed other far absent spared spares rid
        clear fails escapes escape anything immune unaffected untouched untroubled clean missing failing rules
        ruled out undisturbed
    """)
)
"""First words of denials that turn another denial round: "not free of"."""
DENYING = lexicon.SEEN | frozenset(
    listed("""
        no not none never it they there this that is are was were be been at all whatsoever isn't aren't can
        cannot seen absent nothing in the video clip of kind sort a an
    """)
)
_OPENING = frozenset(listed("the it its they this his her their there it's they're there's you one"))
_PARTING = frozenset([",", "while", "but", "whereas", "and", "then"])
NOT = frozenset(listed("no not never neither nor isn't aren't wasn't weren't"))
_ALMOST = frozenset(
    listed("nearly almost largely mostly practically virtually fairly mainly reasonably otherwise partly")
)
_PREPOSITIONS = frozenset(listed("of with into from through by in on"))
_RIGHT = frozenset(
    listed("""
        fine right good normal ok okay alright natural correct perfect unproblematic excellent sound proper great
        adequate sufficient harmless well
    """)
)
"""What is said of a thing that is in order."""
_HARDLY = frozenset(listed("barely hardly scarcely"))
_LOSS = frozenset(
    stem_of(w)
    for w in listed("""
        low poor reduce loss lose lost losing insufficient weak little limited less decrease suffer
        never lacking lacks drop drops falls compromised impaired degraded limited missing gone
        softened unlike hurt robs rob robbed undermined affected
    """)
)
_WORDS: dict[str, Found] = {
    **{phrase: Degree(states, phrase.lstrip("=")) for phrase, states in lexicon.DEGREE_WORDS.items()},
    **{phrase: Denial(kind, phrase.split()[0]) for phrase, kind in lexicon.NEGATIONS.items()},
    **lexicon.ATTRIBUTES,
}
PHRASES: Phrases[Found] = Phrases(_WORDS)
CAUSES: Phrases[bool] = Phrases(dict.fromkeys(phrases_of(lexicon.CAUSES), True))
FILL = frozenset(
    listed("""
        very too so particularly really especially overly that quite even at all a an be any as exactly just all
        only merely in
    """)
)
SCALE = frozenset(listed("quality rating score experience level verdict impression grade"))

Placed = tuple[int, int, Sense]
"""An attribute, with its first token and the one behind its last."""
Graded = tuple[int, int, Degree]


class Clause:
    """The tokens of one clause, and what the lexicon finds in them."""

    def __init__(
        self, tokens: list[Token], items: Sequence[tuple[int, int, Found]], *, asks: bool, strict: bool
    ) -> None:
        """Sort what was found. `asks` = degrees may only be asked for; `strict` = they are words of the ladder."""
        self.tokens = tokens
        self.words = [t.text for t in tokens]
        self.attributes: list[Placed] = [
            (a, b, s)
            for a, b, s in items
            if isinstance(s, Sense) and not _comparative(tokens, a, s) and not _of_a_thing(tokens, a, b)
        ]
        self.denials = [(a, b, n) for a, b, n in items if isinstance(n, Denial) and n.kind != "idle"]
        self.degrees: list[Graded] = [
            (a, b, d) for a, b, d in items if isinstance(d, Degree) and _is_degree(tokens, (a, b, d), asks)
        ]
        # "a tad too strong" is slight: the weaker word tells how far the other goes.
        self.degrees = [
            d
            for i, d in enumerate(self.degrees)
            if not (
                i
                and self.degrees[i - 1][2].states == SLIGHT
                and d[2].states & ~SLIGHT
                and self._filled(self.degrees[i - 1][1], d[0])
            )
        ]
        if not strict:
            self.degrees = [(a, b, _loosened(d)) for a, b, d in self.degrees]

    @cached_property
    def owners(self) -> list[int | None]:
        """For each degree, which attribute it is said of."""
        return [self._owner(degree) for degree in self.degrees]

    def states(self) -> list[int]:
        """Give for each attribute the states that are left to it after its degrees and denials."""
        found = [PRESENT] * len(self.attributes)
        for (_, _, degree), index in zip(self.degrees, self.owners, strict=True):
            if index is not None:
                both = found[index] & degree.states
                found[index] = both | (degree.states & ABSENT) if both else found[index] | degree.states
        return [self._denied(index, states) for index, states in enumerate(found)]

    def bare_states(self) -> int:
        """Give the states that a clause without an attribute leaves to what was spoken of before."""
        states = PRESENT
        for first, _, degree in self.degrees:
            said = degree.states
            if any(
                d.kind == "no" and d.word in NOT and first <= b + 2 and self._filled(b, first)
                for _, b, d in self.denials
            ):
                said = (SLIGHT | ABSENT) if degree.word == "noticeable" else PRESENT & ~said
            both = states & said
            states = both | (said & ABSENT) if both else said
        return states

    def _filled(self, start: int, end: int) -> bool:
        """Whether only words without weight stand between."""
        return start <= end and all(word in FILL for word in self.words[start:end])

    def times(self, whens: Sequence[When]) -> list[list[When]]:
        """Give each time to the attribute before it in its sentence, or else to the one behind it."""
        given: list[list[When]] = [[] for _ in self.attributes]
        for when in whens:
            at = next(
                (i for i, t in enumerate(self.tokens) if t.start - self.tokens[0].start >= when.at), len(self.tokens)
            )
            before = [i for i, (a, _, _) in enumerate(self.attributes) if a < at]
            behind = [i for i, (a, _, _) in enumerate(self.attributes) if a >= at]
            parted = False
            if before and behind:
                past = [w for w in self.words[self.attributes[before[-1]][1] : at] if w in _PARTING]
                ahead = [w for w in self.words[at : self.attributes[behind[0]][0]] if w in _PARTING]
                near = self.words[self.attributes[before[-1]][1] : at][-2:]
                parted = bool(_PARTING.intersection(near)) and len(ahead) <= len(past)
            index = behind[0] if (parted or not before) and behind else before[-1]
            given[index].append(when)
            # Attributes that are listed together share what is said of the last.
            while (
                index
                and self.joined(self.attributes[index - 1][1], self.attributes[index][0])
                and not parted
                and before
            ):
                index -= 1
                given[index].append(when)
        return given

    def stretches(self) -> list[tuple[int, int]]:
        """Give each attribute the stretch of its sentence that is nobody else's."""
        if len(self.attributes) == 1:
            return [(0, len(self.tokens))]
        edges = [0]
        for (_, before, _), (behind, _, _) in pairwise(self.attributes):
            cut = [
                i
                for i in range(before, behind)
                if self.tokens[i].text in {",", "while", "but", "whereas", "and", "then", "with", "or"}
            ]
            edges.append(cut[0] if cut else behind)
        edges.append(len(self.tokens))
        return [(a, max(b, a + 1)) for a, b in pairwise(edges)]

    def _owner(self, degree: Graded) -> int | None:
        """Find the attribute that a degree is said of: the one it stands before, or else the last one before it."""
        first, last, _ = degree
        attributes = self.attributes
        previous = max((i for i, (_, b, _) in enumerate(attributes) if b <= first), default=None)
        following = min((i for i, (a, _, _) in enumerate(attributes) if a >= last), default=None)
        adverb = (
            self.tokens[last - 1].text.endswith("ly") and previous is not None and first - attributes[previous][1] <= 1
        )
        if adverb:
            return previous
        if (
            previous is not None
            and first
            and self.tokens[first - 1].text in lexicon.COPULAS
            and not self._leads(last, following, 1)
        ):
            return previous
        if following is not None and self._leads(last, following, 5):
            return following
        if previous is not None and not any(
            t.text in {"quality", "experience", "impression", "rating", "enjoyment", "everything"}
            for t in self.tokens[attributes[previous][1] : first]
        ):
            return previous
        if previous is not None or following is None or attributes[following][0] - last > 6:
            return None
        # "the signal is weak and the gain lifts the noise": another clause
        return None if _joins(self.words[last : attributes[following][0]]) else following

    def _leads(self, last: int, following: int | None, reach: int) -> bool:
        """Whether nothing but other adjectives stands between a degree and the attribute behind it."""
        if following is None:
            return False
        between = [t.text for t in self.tokens[last : self.attributes[following][0]]]
        if between[:1] in (["of"], ["amount"], ["level"], ["degree"], ["levels"], ["amounts"]):
            between = [
                t for t in between if t not in {"of", "amount", "level", "degree", "levels", "amounts", "the", "a"}
            ]
        return len(between) < reach and not any(t in lexicon.STOPPERS for t in between)

    def _denied(self, index: int, states: int) -> int:
        """Give the states that are left to an attribute after the denials that reach it."""
        first, last, sense = self.attributes[index]
        no = contrary = weak = False
        own = [d for d, owner in zip(self.degrees, self.owners, strict=True) if owner == index]
        for a, b, denial in self.denials:
            if b <= first and self._reaches(b, first) and not self._renewed(b, first):
                # "is not slight" denies the degree, and so does "no severe noise", which leaves open a weaker one.
                graded = next((d for d in own if d[0] >= b and self._filled(b, d[0])), None)
                if graded:
                    left = PRESENT & ~graded[2].states
                    return left | ABSENT if graded[0] < first else left
                weak |= denial.kind == "weak"
                if denial.word in _CONTRARY:
                    contrary = not contrary
                else:
                    no = True
            elif a >= last and not any(a >= s > first for s, _, _ in self.attributes if not self.joined(last, s)):
                between = [t.text for t in self.tokens[last:a]]
                if {"but", "while", "whereas", "though", "although", "so", ","} & set(between) and "," not in between[
                    -1:
                ]:
                    continue
                graded = next((d for d in own if b <= d[0] <= b + 3 and self._filled(b, d[0])), None)
                if graded:
                    return (ABSENT | SLIGHT) if graded[2].word == "noticeable" else PRESENT & ~graded[2].states
                if denial.word in lexicon.BACK or self.tokens[a].text in lexicon.BACK or self.seen_after(b):
                    no = True
        if (
            any(
                t.text in {"undetectable", "invisible", "nonexistent", "unnoticeable", "absent"}
                for t in self.tokens[last : last + 4]
            )
            and not self.denials
        ):
            no = True
        if sense.good:
            if first and self.words[first - 1] in _ALMOST and not no:
                return ANY_STATE
            near = [*self.tokens[max(0, first - 3) : first], *self.tokens[last : last + 4]]
            flipped = (no != contrary) or any(t.stem in _LOSS or t.text in _HARDLY for t in near)
            return PRESENT if flipped else ANY_STATE if weak else ABSENT
        if weak and not contrary:
            return ABSENT | SLIGHT
        if not (no or own or contrary) and self._in_order(last):
            return ANY_STATE  # "the frame rate is fine"
        return ABSENT if no != contrary else states

    def _in_order(self, at: int) -> bool:
        """Whether what stands before is called right: "is fine", "looks perfectly natural"."""
        if self.words[at : at + 1] and self.words[at] not in lexicon.COPULAS:
            return False
        word = next((w for w in self.words[at:] if w not in lexicon.COPULAS and w not in FILL), "")
        return word in _RIGHT or word.removesuffix("ly") in _RIGHT

    def joined(self, last: int, start: int) -> bool:
        """Whether two attributes are listed together: "noise and blur are absent"."""
        return all(t.text in {"and", "or", ",", "the", "any"} for t in self.tokens[last:start])

    def _reaches(self, start: int, first: int) -> bool:
        """Whether a denial that ends at `start` still holds at `first`: no new clause has begun."""
        if first - start > 30:
            return False
        for index in range(start, first):
            text = self.tokens[index].text
            if text == "," and index == start and self.tokens[start - 1].text.endswith("n't"):
                return False  # "they don't, everything is green"
            if text in lexicon.BREAKS and not (text in {"only", "despite", "which"} and index - start < 1):
                return False
            if text in {",", "and", ":"} and self.tokens[min(index + 1, first)].text not in {"or", "nor"}:
                ahead = [t.text for t in self.tokens[index + 1 : index + 6]]
                stop = next((i for i, w in enumerate(ahead) if w in {",", "and", "or", "nor"}), len(ahead))
                opens = text == "," and ahead[:1] and ahead[0] in _OPENING
                if opens or any(w in lexicon.VERBS for w in ahead[:stop]):
                    return False
        return True

    def _renewed(self, start: int, first: int) -> bool:
        """Whether another denial behind a comma takes over: "without a hitch, no stutter" denies both."""
        return any(
            start < a < first and "," in self.words[start:a] and d.word not in {"without", "free"}
            for a, _, d in self.denials
        )

    def seen_after(self, at: int) -> bool:
        """Whether "is not" goes on with visible, present or the like, or ends there."""
        for token in self.tokens[at : at + 5]:
            if token.text in lexicon.SEEN:
                return True
            if token.text not in FILL and token.text not in {"been", "be", "to", "really", "actually", "clearly"}:
                return False
        return at >= len(self.tokens)


def _joins(words: Sequence[str]) -> bool:
    """Whether words open a clause of its own, with a subject: "and the ..."."""
    return any(a in {"and", "so"} and b in _OPENING for a, b in pairwise(words))


def _loosened(degree: Degree) -> Degree:
    """Read "noticeable" as free texts use it: not slight."""
    return Degree(PRESENT & ~SLIGHT, degree.word) if degree.word == "noticeable" else degree


def _comparative(tokens: list[Token], first: int, sense: Sense) -> bool:
    """Whether praise only compares: "a sharper picture" says nothing of this one."""
    return sense.good and tokens[first].text.endswith(("er", "est")) and tokens[first].text != "clear"


def _of_a_thing(tokens: list[Token], first: int, last: int) -> bool:
    """Whether a loose adjective stands before a thing: the dark wall is no dark picture."""
    if last - first > 1 and tokens[first].text != "in":
        return False
    if tokens[last - 1].text not in lexicon.LOOSE_ADJECTIVES or last >= len(tokens):
        return False
    after = tokens[last].text
    if after == "," and first and tokens[first - 1].text in _PREPOSITIONS:
        return True  # "consists of soft, shifting gradients"
    return (
        after.isalpha()
        and after not in lexicon.OF_PICTURE
        and after not in FUNCTION
        and after not in lexicon.VERBS
        and not after.endswith("ly")
    )


def _is_degree(tokens: list[Token], degree: Graded, question: bool) -> bool:
    """Tell a degree from words that only ask for one, or speak of size, light or little things."""
    first, last, found = degree
    before = tokens[first - 1].text if first else ""
    after = tokens[last].text if last < len(tokens) else ""
    if tokens[last - 1].text.endswith("est") and tokens[last - 1].text != "slightest":
        return False  # "the strongest problem" ranks, and grades nothing
    if before == "how" or (before in {"more", "most", "less", "least"} and found.word not in {"slight"}):
        return False
    if question and (
        found.word
        in {
            "noticeable",
            "clear",
            "clearly",
            "apparent",
            "evident",
            "obvious",
            "plain",
            "much",
            "bad",
            "prominent",
            "major",
        }
    ):
        return False
    if found.word in {
        "light",
        "lighter",
        "fine",
        "high",
        "small",
        "big",
        "large",
        "little",
        "much",
        "plain",
        "low level",
        "clear",
        "rough",
        "modest",
        "fully",
        "total",
    }:
        return (
            last < len(tokens)
            and isinstance(_next_sense(tokens, last), Sense)
            and not (found.word == "light" and after == "source")
        )
    return not (
        after in {"part", "portion", "number", "frequency", "frequencies", "resolution", "rate", "bit"}
        or tokens[first].text == "graves"
    )


def _next_sense(tokens: list[Token], at: int) -> Found:
    for index in range(at, min(at + 3, len(tokens))):
        if (hit := PHRASES.at(tokens, index)) is not None and not isinstance(hit[1], Degree):
            return hit[1]
        if tokens[index].text in {"of", "amount", "level", "and", "but", "degree"}:
            continue
    return None
