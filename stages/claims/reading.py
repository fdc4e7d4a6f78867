"""Reading a text for what it says of a clip's quality: attributes, whether they are there, how strong, when and where.

No grammar is parsed. A sentence is scanned once for the phrases of the lexicon; a denial reaches to the end of its
clause, a degree belongs to the attribute it stands before or is said of, a time or place to the attribute of its clause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from stages.claims import lexicon
from stages.claims.lexicon import ABSENT, ANY_STATE, ANYTHING, NOTICEABLE, PRESENT, SLIGHT, Sense
from stages.claims.places import Where, described, where_in
from stages.claims.times import When, times_in
from stages.claims.verdicts import Levels, verdicts_in
from stages.claims.words import Phrases, Token, listed, phrases_of, plain, sentences, stem_of, tokens_of


@dataclass(frozen=True)
class Mention:
    """One thing that a text says of an attribute.

    `states` are the states (bits of `stages.claims.lexicon`) that it can fairly mean. `assumed` marks what is not said
    of the clip: advice, a cause, a likeness, or what a question only asks for. `bare` = no attribute is named, it is
    the one spoken of before. `quote` is the sentence.
    """

    sense: Sense
    states: int
    whens: tuple[When, ...] = ()
    where: Where = field(default_factory=Where)
    quote: str = ""
    assumed: bool = False
    bare: bool = False
    sworn: bool = False
    limited: bool = False
    clause: str = ""


@dataclass(frozen=True)
class Read:
    """What a text says: attributes, and verdicts with their quotes."""

    mentions: tuple[Mention, ...] = ()
    verdicts: tuple[tuple[Levels, str], ...] = ()


@dataclass(frozen=True)
class _Degree:
    states: int
    word: str


@dataclass(frozen=True)
class _No:
    kind: str
    word: str


_Found = Sense | _Degree | _No | None
_CONTRARY = frozenset(
    listed("""
        without free lack absence devoid void zero rather instead opposed other far absent spared spares rid
        clear fails escapes escape anything immune unaffected untouched untroubled clean missing failing rules
        ruled out undisturbed
    """)
)
"""First words of denials that turn another denial round: "not free of"."""
_DENYING = lexicon.SEEN | frozenset(
    listed("""
        no not none never it they there this that is are was were be been at all whatsoever isn't aren't can
        cannot seen absent nothing in the video clip of kind sort a an
    """)
)
_NOT = frozenset(listed("no not never neither nor isn't aren't wasn't weren't"))
_OF_CLIP = frozenset(listed("here this its it now currently present video clip footage recording"))
_LOSS = frozenset(
    stem_of(w)
    for w in listed("""
        low poor reduce loss lose lost losing insufficient weak little limited less decrease suffer barely
        hardly scarcely never lacking lacks drop drops falls compromised impaired degraded limited missing gone
        softened unlike hurt robs rob robbed undermined affected
    """)
)
_WORDS: dict[str, _Found] = {
    **{phrase: _Degree(states, phrase) for phrase, states in lexicon.DEGREE_WORDS.items()},
    **{phrase: _No(kind, phrase.split()[0]) for phrase, kind in lexicon.NEGATIONS.items()},
    **lexicon.ATTRIBUTES,
}
_PHRASES: Phrases[_Found] = Phrases(_WORDS)
_CAUSES: Phrases[bool] = Phrases(dict.fromkeys(phrases_of(lexicon.CAUSES), True))
_CLIP = frozenset(
    listed("""
    video clip footage recording shot image picture here viewer viewers scene sequence frame
""")
)
_FILL = frozenset(
    listed("""
        very too so particularly really especially overly that quite even at all a an be any as exactly just all
        only merely in
    """)
)
_SCALE = frozenset(listed("quality rating score experience level verdict impression grade"))


class Reader:
    """Reads texts about clips; `names` are attributes beyond the lexicon that experts wrote of this clip."""

    def __init__(self, duration: float, names: Sequence[str] = ()) -> None:
        """Know how long the clip is, in seconds, and what else is spoken of."""
        self.duration = duration
        self._more = Phrases({name: Sense((name,)) for name in names}) if names else None

    def read(
        self,
        text: str,
        *,
        topic: Sequence[Mention] = (),
        question: bool = False,
        asked_level: bool = False,
        strict: bool = False,
        advice: bool = False,
        asked_where: bool = False,
        sworn: frozenset[str] = frozenset(),
    ) -> Read:
        """Read a text. `topic` is what was spoken of before it; `strict` = its degree words are those of the ladder;
        `advice` = it may say what could be done, and name what that prevents.

        `asked_where` = it answers where, so that bare words are a place.
        `sworn` are sentences (`key_of`) that experts wrote themselves.
        """
        low = plain(text)
        mentions: list[Mention] = []
        verdicts: list[tuple[Levels, str]] = []
        spoken = list(topic)
        for sentence in sentences(tokens_of(low)):
            quote = (
                text[sentence[0].start : sentence[-1].end]
                if len(low) == len(text)
                else low[sentence[0].start : sentence[-1].end]
            )
            known = bool(sworn) and key_of(sentence) in sworn
            if len(sentence) == 1 and sentence[0].text in {"yes", "no"}:
                continue
            whens = times_in(low[sentence[0].start : sentence[-1].end], self.duration)
            if not any(when.kind in {"span", "point", "part", "onset", "offset"} for when in whens):
                verdicts += [(v.levels, quote) for v in verdicts_in(sentence, asked_level) if not known]
            found = self._sentence(sentence, low, quote, whens, spoken, question, strict, advice, asked_where)
            if found:
                named = [m for m in found if not m.bare and not m.assumed]
                spoken = named or spoken
            mentions += [replace(m, sworn=True) for m in found] if known else found
        return Read(tuple(mentions), tuple(verdicts))

    def _sentence(
        self,
        tokens: list[Token],
        low: str,
        quote: str,
        whens: list[When],
        topic: Sequence[Mention],
        question: bool,
        strict: bool,
        advised: bool,
        asked_where: bool,
    ) -> list[Mention]:
        items = self._items(tokens)
        attributes = [
            (a, b, s)
            for a, b, s in items
            if isinstance(s, Sense) and not _comparative(tokens, a, s) and not _of_a_thing(tokens, a, b)
        ]
        degrees = [(a, b, d) for a, b, d in items if isinstance(d, _Degree)]
        denials = [(a, b, n) for a, b, n in items if isinstance(n, _No) and n.kind != "idle"]
        degrees = [d for d in degrees if _is_degree(tokens, d, question and not strict)]
        if not strict:
            degrees = [
                (a, b, _Degree(d.states | 4 | 16, d.word) if d.word == "noticeable" else d) for a, b, d in degrees
            ]
        start, text = tokens[0].start, low[tokens[0].start : tokens[-1].end]
        if not attributes:
            return self._bare(tokens, text, quote, degrees, denials, whens, topic, question, asked_where)
        states = [PRESENT] * len(attributes)
        owner = {d: _owner(tokens, d, attributes) for d in degrees}
        for degree in degrees:
            if (index := owner[degree]) is not None:
                both = states[index] & degree[2].states
                states[index] = both if both else states[index] | degree[2].states
        starts = [a for a, _, _ in attributes]
        for index, (first, last, sense) in enumerate(attributes):
            states[index] = _denied(tokens, first, last, sense, states[index], denials, degrees, owner, index, starts)
        causes = [a for a, _, _ in _CAUSES.all_in(tokens)] if len(tokens) > 3 else []
        words = [t.text for t in tokens]
        advice = (
            [i for i, w in enumerate(words) if w in lexicon.ADVICE] if advised or words[0] in lexicon.ADVICE else []
        )
        of_clip = bool(_OF_CLIP & set(words))
        given = _shared_times(tokens, [(a, b) for a, b, _ in attributes], _lasting(text, whens), start)
        limited = bool(
            {
                "otherwise",
                "elsewhere",
                "besides",
                "apart",
                "aside",
                "except",
                "when",
                "whenever",
                "once",
                "after",
                "before",
                "beyond",
                "outside",
                "rest",
                "remainder",
                "remaining",
                "else",
                "other",
                "others",
                "surroundings",
            }
            & set(words)
        )
        clauses = _clauses(tokens, [(a, b) for a, b, _ in attributes])
        mentions = []
        for index, (first, last, sense) in enumerate(attributes):
            before = words[max(0, first - 4) : first]
            definite = bool({"the", "this", "these", "such", "its"} & set(before[-3:]))
            graded = any(at == index for at in owner.values())
            assumed = bool(causes and min(causes) < first and not (question and definite))
            if not question and advice and not definite:
                prevented = any(i < first and first - i <= 8 for i in advice) and not (
                    set(words[max(advice) : first]) & _OF_CLIP
                )
                assumed |= prevented or not (of_clip or graded)
            if question:
                assumed |= bool(lexicon.ONLY_ASKED & set(before)) or ("or" in words and len(attributes) > 1)
            if lexicon.ALSO & set(before) and states[index] & ABSENT:
                assumed = True
            low_clause = low[tokens[clauses[index][0]].start : tokens[clauses[index][1] - 1].end]
            mentions.append(
                Mention(
                    sense,
                    states[index],
                    tuple(given[index]),
                    where_in(low_clause),
                    quote,
                    assumed,
                    limited=limited,
                    clause=low_clause,
                )
            )
        return mentions

    def _items(self, tokens: list[Token]) -> list[tuple[int, int, _Found]]:
        if self._more is None:
            return list(_PHRASES.all_in(tokens))
        found: list[tuple[int, int, _Found]] = []
        index = 0
        while index < len(tokens):
            hit = _PHRASES.at(tokens, index)
            if (own := self._more.at(tokens, index)) and (hit is None or own[0] >= hit[0]):
                hit = own
            if hit is not None:
                found.append((index, index + hit[0], hit[1]))
            index += hit[0] if hit else 1
        return found

    def _bare(
        self,
        tokens: list[Token],
        text: str,
        quote: str,
        degrees: list[tuple[int, int, _Degree]],
        denials: list[tuple[int, int, _No]],
        whens: list[When],
        topic: Sequence[Mention],
        question: bool,
        asked_where: bool,
    ) -> list[Mention]:
        """Take a sentence that names no attribute for one about what was spoken of before, where it can be."""
        if question or not topic or len({m.sense.covers for m in topic}) > 1:
            return []
        words = [t.text for t in tokens]
        if _SCALE & set(words) or words[0] in lexicon.ADVICE - {"lower", "can"}:
            return []
        states = PRESENT
        for first, _, degree in degrees:
            said = degree.states
            if any(
                d.kind == "no"
                and d.word in _NOT
                and b <= first <= b + 2
                and all(t.text in _FILL for t in tokens[b:first])
                for _, b, d in denials
            ):
                said = (SLIGHT | ABSENT) if degree.word == "noticeable" else PRESENT & ~said
            states = states & said or said
        where = where_in(text)
        if denials and not degrees and not where.says and not whens and set(words) <= _DENYING:
            states = ABSENT
        if asked_where and not (degrees or whens or states == ABSENT) and len(words) <= 8:
            where = described(text)
        whens = _lasting(text, whens)
        if not (degrees or whens or where.says or states == ABSENT):
            return []
        return [Mention(topic[-1].sense, states, tuple(whens), where, quote, bare=True, clause=text)]


def key_of(sentence: Sequence[Token]) -> str:
    """Give what two writings of one sentence share: its words, without marks."""
    return " ".join(t.text for t in sentence if t.text[0].isalnum())


def sentences_of(text: str) -> set[str]:
    """Give the keys of a text's sentences of at least three words."""
    return {key for s in sentences(tokens_of(plain(text))) if len((key := key_of(s)).split()) >= 3}


def _lasting(text: str, whens: Sequence[When]) -> list[When]:
    """Leave out the times at which a problem is said to be over: "by 4 s it has settled"."""
    if not whens or not lexicon.RECOVERED & set(text.split()):
        return list(whens)
    kept = list(whens)
    start = 0
    for part in re.split(r"(,| and )", text):
        if lexicon.RECOVERED & set(part.split()):
            kept = [when for when in kept if not start <= when.at < start + len(part)]
        start += len(part)
    return kept


def _comparative(tokens: list[Token], first: int, sense: Sense) -> bool:
    """Whether praise only compares: "a sharper picture" says nothing of this one."""
    return sense.good and tokens[first].text.endswith(("er", "est")) and tokens[first].text != "clear"


def _of_a_thing(tokens: list[Token], first: int, last: int) -> bool:
    """Whether a loose adjective stands before a thing: the dark wall is no dark picture."""
    if last - first > 1 or tokens[first].text not in lexicon.LOOSE_ADJECTIVES or last >= len(tokens):
        return False
    after = tokens[last].text
    return (
        after.isalpha() and after not in lexicon.OF_PICTURE and after not in lexicon.VERBS and not after.endswith("ly")
    )


def _is_degree(tokens: list[Token], degree: tuple[int, int, _Degree], question: bool) -> bool:
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


def _next_sense(tokens: list[Token], at: int) -> _Found:
    for index in range(at, min(at + 3, len(tokens))):
        if (hit := _PHRASES.at(tokens, index)) is not None and not isinstance(hit[1], _Degree):
            return hit[1]
        if tokens[index].text in {"of", "amount", "level", "and", "but", "degree"}:
            continue
    return None


def _owner(
    tokens: list[Token], degree: tuple[int, int, _Degree], attributes: list[tuple[int, int, Sense]]
) -> int | None:
    """Find the attribute that a degree is said of: the one it stands before, or else the last one before it."""
    first, last, _ = degree
    previous = max((i for i, (_, b, _) in enumerate(attributes) if b <= first), default=None)
    following = min((i for i, (a, _, _) in enumerate(attributes) if a >= last), default=None)
    adverb = tokens[last - 1].text.endswith("ly") and previous is not None and first - attributes[previous][1] <= 1
    if adverb:
        return previous
    if (
        previous is not None
        and first
        and tokens[first - 1].text in lexicon.COPULAS
        and not _leads(tokens, last, attributes, following, 1)
    ):
        return previous
    if following is not None and _leads(tokens, last, attributes, following, 5):
        return following
    if previous is not None and not any(
        t.text in {"quality", "experience", "impression", "rating", "enjoyment", "everything"}
        for t in tokens[attributes[previous][1] : first]
    ):
        return previous
    return following if previous is None and following is not None and attributes[following][0] - last <= 6 else None


def _leads(
    tokens: list[Token], last: int, attributes: list[tuple[int, int, Sense]], following: int | None, reach: int
) -> bool:
    """Whether nothing but other adjectives stands between a degree and the attribute behind it."""
    if following is None:
        return False
    between = [t.text for t in tokens[last : attributes[following][0]]]
    if between[:1] in (["of"], ["amount"], ["level"], ["degree"], ["levels"], ["amounts"]):
        between = [t for t in between if t not in {"of", "amount", "level", "degree", "levels", "amounts", "the", "a"}]
    return len(between) < reach and not any(t in lexicon.STOPPERS for t in between)


def _denied(
    tokens: list[Token],
    first: int,
    last: int,
    sense: Sense,
    states: int,
    denials: list[tuple[int, int, _No]],
    degrees: list[tuple[int, int, _Degree]],
    owner: dict[tuple[int, int, _Degree], int | None],
    index: int,
    starts: list[int],
) -> int:
    """Give the states that are left to an attribute after the denials that reach it."""
    no = contrary = weak = False
    own = [d for d in degrees if owner[d] == index]
    for a, b, denial in denials:
        if b <= first and _reaches(tokens, b, first):
            # "is not slight" denies the degree, and so does "no severe noise", which leaves open a weaker one.
            graded = next((d for d in own if d[0] >= b and all(t.text in _FILL for t in tokens[b : d[0]])), None)
            if graded:
                left = PRESENT & ~graded[2].states
                return left | ABSENT if graded[0] < first else left
            weak |= denial.kind == "weak"
            if denial.word in _CONTRARY:
                contrary = not contrary
            else:
                no = True
        elif a >= last and not any(a >= s > first for s in starts if not _joined(tokens, last, s)):
            between = [t.text for t in tokens[last:a]]
            if {"but", "while", "whereas", "though", "although", "so", ","} & set(between) and "," not in between[-1:]:
                continue
            graded = next(
                (d for d in own if b <= d[0] <= b + 3 and all(t.text in _FILL for t in tokens[b : d[0]])), None
            )
            if graded:
                return (ABSENT | SLIGHT) if graded[2].word == "noticeable" else PRESENT & ~graded[2].states
            if denial.word in lexicon.BACK or tokens[a].text in lexicon.BACK or _seen_after(tokens, b):
                no = True
    if (
        any(
            t.text in {"undetectable", "invisible", "nonexistent", "unnoticeable", "absent"}
            for t in tokens[last : last + 4]
        )
        and not denials
    ):
        no = True
    if sense.good:
        near = {t.stem for t in tokens[max(0, first - 3) : first]} | {t.stem for t in tokens[last : last + 4]}
        flipped = (no != contrary) or bool(near & _LOSS)
        return PRESENT if flipped else ANY_STATE if weak else ABSENT
    if weak and not contrary:
        return ABSENT | SLIGHT
    return ABSENT if no != contrary else states


def _joined(tokens: list[Token], last: int, start: int) -> bool:
    """Whether two attributes are listed together: "noise and blur are absent"."""
    return all(t.text in {"and", "or", ",", "the", "any"} for t in tokens[last:start])


def _reaches(tokens: list[Token], start: int, first: int) -> bool:
    """Whether a denial that ends at `start` still holds at `first`: no new clause has begun."""
    for index in range(start, first):
        text = tokens[index].text
        if text in lexicon.BREAKS and not (text in {"only", "despite", "which"} and index - start < 1):
            return False
        if text in {",", "and", ":"} and tokens[min(index + 1, first)].text not in {"or", "nor"}:
            ahead = [t.text for t in tokens[index + 1 : index + 6]]
            stop = next((i for i, w in enumerate(ahead) if w in {",", "and", "or", "nor"}), len(ahead))
            if any(w in lexicon.VERBS for w in ahead[:stop]):
                return False
    return first - start <= 30


def _seen_after(tokens: list[Token], at: int) -> bool:
    """Whether "is not" goes on with visible, present or the like, or ends there."""
    for token in tokens[at : at + 5]:
        if token.text in lexicon.SEEN:
            return True
        if token.text not in _FILL and token.text not in {"been", "be", "to", "really", "actually", "clearly"}:
            return False
    return at >= len(tokens)


def _shared_times(tokens: list[Token], spans: list[tuple[int, int]], whens: list[When], start: int) -> list[list[When]]:
    """Give each time to the attribute before it in its sentence, or else to the one behind it."""
    given: list[list[When]] = [[] for _ in spans]
    for when in whens:
        at = next((i for i, t in enumerate(tokens) if t.start - start >= when.at), len(tokens))
        before = [i for i, (a, _) in enumerate(spans) if a < at]
        behind = [i for i, (a, _) in enumerate(spans) if a >= at]
        parted = (
            bool(before)
            and bool(behind)
            and any(
                t.text in {",", "while", "but", "whereas", "and", "then"}
                for t in tokens[spans[before[-1]][1] : at][-2:]
            )
        )
        index = behind[0] if (parted or not before) and behind else before[-1]
        given[index].append(when)
        # Attributes that are listed together share what is said of the last.
        while index and _joined(tokens, spans[index - 1][1], spans[index][0]) and not parted and before:
            index -= 1
            given[index].append(when)
    return given


def _clauses(tokens: list[Token], spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Give each attribute the stretch of its sentence that is nobody else's."""
    if len(spans) == 1:
        return [(0, len(tokens))]
    edges = [0]
    for (_, before), (behind, _) in zip(spans, spans[1:], strict=False):
        cut = [
            i
            for i in range(before, behind)
            if tokens[i].text in {",", "while", "but", "whereas", "and", "then", "with", "or"}
        ]
        edges.append(cut[0] if cut else behind)
    edges.append(len(tokens))
    return [(a, max(b, a + 1)) for a, b in zip(edges, edges[1:], strict=False)]


__all__ = ["ANYTHING", "NOTICEABLE", "Mention", "Read", "Reader", "key_of", "sentences_of"]
