"""Reading a text for what it says of a clip's quality: attributes, whether they are there, how strong, when and where.

No grammar is parsed. A clause is scanned once for the phrases of the lexicon; a denial reaches to its end, a degree
belongs to the attribute that it stands before or is said of, a time or place to the attribute that is nearest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from stages.claims import lexicon
from stages.claims.clauses import CAUSES, DENYING, PHRASES, SCALE, Clause, Degree, Found
from stages.claims.lexicon import ABSENT, ANYTHING, PRESENT, Sense
from stages.claims.pairings import paired
from stages.claims.places import Where, described, things_of, where_in
from stages.claims.times import When, times_in
from stages.claims.verdicts import Levels, verdicts_in
from stages.claims.words import Phrases, Token, listed, plain, sentences, tokens_of

_OF_CLIP = listed("here this its it now currently present video clip footage recording")
_PRONOUNS = listed("it it's they they're that that's there there's this he she he's she's i you we what what's")
_OWNERS = listed("the his her its their my a an")
_OF_ANYTHING = listed("stable steady unstable unsteady restless")
"""Words of the camera, unless they are said of something else: "the stream is stable"."""
_FAILS = listed("""
    awful terrible bad poor horrible dreadful lousy lacking missing atrocious abysmal hopeless rubbish dire appalling
    insufficient inadequate disastrous
""")
"""What is said of a virtue, such as sharpness, that a clip has not."""
_SPARED = re.compile(
    r",(?=[^,]*\b(?:not|no|never|none|don't|doesn't|isn't|aren't|free|clean|clear|fine|spared|untouched|unaffected)\b)"
)
"""Behind such a comma a text tells where something is not."""
_LIKENESS = listed("like resembles resemble reminiscent similar as")
_TIMED = listed("from after since until before between in at during for throughout only")
_SUPPOSED = listed("would might risk wouldn't")
_JUDGED = listed("say call describe rate judge notice see think argue speak overlook miss")
_GRADES = listed("light dark bright black white shadow")
_ELSE = listed("else other others otherwise apart besides aside rest elsewhere except remainder")
"""Words of clauses that speak of what is left beside the topic."""
_LIMITS = listed("""
    barring save unless
    otherwise elsewhere besides apart aside except when whenever once after before beyond outside rest remainder
    else other others surroundings then until afterwards again
""")
"""Words of clauses that speak of a part of the clip only."""


@dataclass(frozen=True)
class Manner:
    """How a text is to be read.

    `question` = it asks; `strict` = its degree words are those of the ladder; `advice` = it may say what could be done,
    and name what that prevents; `asked_level` and `asked_where` = it answers a question about them, so that bare words
    are a verdict or a place. `explains` = it gives reasons, so that bare words speak of these.
    """

    question: bool = False
    strict: bool = False
    advice: bool = False
    asked_level: bool = False
    asked_where: bool = False
    explains: bool = False


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


class Reader:
    """Reads texts about clips; `names` are attributes beyond the lexicon that experts wrote of this clip."""

    def __init__(self, duration: float, names: Sequence[str] = (), things: frozenset[str] = frozenset()) -> None:
        """Know how long the clip is, in seconds, what else is spoken of, and which words are `things` of the scene."""
        self.duration = duration
        self._things = things
        self._more = Phrases({name: Sense((name,)) for name in names}) if names else None

    def read(
        self,
        text: str,
        manner: Manner = Manner(),
        *,
        topic: Sequence[Mention] = (),
        sworn: frozenset[str] = frozenset(),
    ) -> Read:
        """Read a text. `topic` is what was spoken of before it; `sworn` are sentences (`key_of`) of the experts."""
        low = plain(text)
        mentions: list[Mention] = []
        verdicts: list[tuple[Levels, str]] = []
        spoken = list(topic)
        for sentence in self._sentences(low, manner, topic):
            if len(sentence) == 1 and sentence[0].text in {"yes", "no"}:
                continue
            start, end = sentence[0].start, sentence[-1].end
            quote = (text if len(low) == len(text) else low)[start:end]
            known = bool(sworn) and key_of(sentence) in sworn
            whens = times_in(low[start:end], self.duration)
            clause = Clause(
                sentence, self._items(sentence), asks=manner.question and not manner.strict, strict=manner.strict
            )
            if not known and all(when.kind in {"whole", "brief"} for when in whens):
                taken = [(a, b) for a, b, sense in clause.attributes if not sense.good]
                verdicts += [(v.levels, quote) for v in verdicts_in(sentence, manner.asked_level, taken)]
            whens = _lasting(low[start:end], whens)
            if clause.attributes:
                found = self._named(clause, low, quote, whens, manner)
            else:
                found = self._bare(clause, low[start:end], quote, whens, manner, spoken, asked=not mentions)
            spoken = [m for m in found if not m.bare and not m.assumed] or spoken
            mentions += [replace(m, sworn=True) for m in found] if known else found
        return Read(tuple(mentions), tuple(verdicts))

    def _sentences(self, low: str, manner: Manner, topic: Sequence[Mention]) -> Iterator[list[Token]]:
        """Give sentences; one that answers what was asked and then goes on to praise is parted at its comma."""
        for sentence in sentences(tokens_of(low)):
            at = next((i for i, t in enumerate(sentence) if t.text == ","), 0)
            if manner.question or not topic or not 1 < at < len(sentence) - 2:
                yield sentence
                continue
            behind = sentence[at + 1 :]
            senses = [s for _, _, s in self._items(sentence[:at]) if isinstance(s, Sense)]
            after = [s for _, _, s in self._items(behind) if isinstance(s, Sense)]
            texts = {t.text for t in sentence[:at]}
            told = times_in(low[sentence[0].start : sentence[at - 1].end], self.duration)
            praise = all(sense.good for sense in after)
            verbs = lexicon.VERBS & {t.text for t in behind}
            if not senses and after and told and verbs and (praise or texts & lexicon.VERBS):
                yield sentence[:at]
                yield behind
            else:
                yield sentence

    def _items(self, tokens: list[Token]) -> list[tuple[int, int, Found]]:
        found = self._phrases(tokens)
        if self._things:
            found = [f for f in found if not (f[1] - f[0] == 1 and tokens[f[0]].text in self._things)]
        return _with_pairings(tokens, found)

    def _phrases(self, tokens: list[Token]) -> list[tuple[int, int, Found]]:
        if self._more is None:
            found = list(PHRASES.all_in(tokens))
            return _with_too(tokens, found) if any(t.text == "too" for t in tokens) else found
        found = []
        index = 0
        while index < len(tokens):
            hit = PHRASES.at(tokens, index)
            if (own := self._more.at(tokens, index)) and (hit is None or own[0] >= hit[0]):
                hit = own
            if hit is not None:
                found.append((index, index + hit[0], hit[1]))
            index += hit[0] if hit else 1
        return _with_too(tokens, found)

    def _named(self, clause: Clause, low: str, quote: str, whens: list[When], manner: Manner) -> list[Mention]:
        """Give a mention for each attribute that a clause names."""
        states, times, stretches = clause.states(), clause.times(whens), clause.stretches()
        limited = (
            bool(_LIMITS.intersection(clause.words)) or " up to " in low[clause.tokens[0].start : clause.tokens[-1].end]
        )
        mentions = []
        for index, (_, _, sense) in enumerate(clause.attributes):
            first, last = stretches[index]
            said = low[clause.tokens[first].start : clause.tokens[last - 1].end]
            where = where_in(said)
            if manner.asked_where and where.things:
                where = where._replace(things=where.things | things_of(said))
            elif manner.asked_where and not where.says and not sense.good and index == 0:
                where = _subject(clause, said)
            assumed = _assumed(clause, index, manner) or bool(states[index] & ABSENT and _set_apart(clause, index))
            left = states[index]
            if manner.advice and left & PRESENT and clause.words[0] in lexicon.ADVICE:
                left |= PRESENT  # "dial it down a bit" grades what is to be done
            mentions.append(
                Mention(sense, left, tuple(times[index]), where, quote, assumed, limited=limited, clause=said)
            )
        return mentions

    @staticmethod
    def _of_another(words: Sequence[str], topic: Mention) -> bool:
        """Whether a clause names a side of the picture that its topic has nothing to do with."""
        opening = words[: 2 if words[0] in _OWNERS | {"no"} else 1]
        sides = [
            lexicon.TOPICS[w] for w in opening if w in lexicon.TOPICS and words[-1] != w and words[0] not in _GRADES
        ]
        names = {*topic.sense.covers, *topic.sense.near, ANYTHING}
        return bool(sides) and topic.sense.covers != (ANYTHING,) and not any(names.intersection(s) for s in sides)

    def _bare(  # noqa: PLR0917
        self,
        clause: Clause,
        text: str,
        quote: str,
        whens: list[When],
        manner: Manner,
        topic: Sequence[Mention],
        asked: bool,
    ) -> list[Mention]:
        """Take a clause that names no attribute for one about what was spoken of before, where it can be."""
        if manner.question or manner.explains or not topic or len({m.sense.covers for m in topic}) > 1:
            return []
        words = clause.words
        if SCALE.intersection(words) or words[0] in lexicon.ADVICE - {
            "lower",
            "can",
            *(("wait", "check") if whens else ()),
        }:
            return []
        if (_ELSE.intersection(words) and not whens) or self._of_another(words, topic[-1]):
            return []
        states = clause.bare_states()
        fails = asked and topic[-1].sense.good and bool(_FAILS.intersection(words)) and not clause.denials
        text = _SPARED.split(text)[0]
        where = where_in(text)
        if clause.denials and not clause.degrees and not where.says and not whens and DENYING.issuperset(words):
            states = ABSENT if words != ["not"] else states
        names = words[0] not in _PRONOUNS or set(words[1:3]) & _OWNERS
        if manner.asked_where and not (clause.degrees or whens or states == ABSENT) and len(words) <= 8 and names:
            where = described(text)
        if not (clause.degrees or whens or where.says or states == ABSENT or fails):
            return []
        if topic[-1].sense.good and clause.denials and not clause.degrees:
            return []  # what "the corners aren't" denies is a virtue
        if topic[-1].sense.good and states == PRESENT and (where.says or (whens and words[0] in _TIMED)):
            states = ABSENT  # where it is sharp, it is not blurred
        sense = topic[-1].sense
        if fails:
            sense, states = Sense(sense.covers, sense.near), PRESENT  # "how is the sharpness?" "awful"
        limited = topic[-1].limited and states == ABSENT
        if states == ABSENT and not whens and asked:
            whens = list(topic[-1].whens)  # "any problem after 6 s?" "none"
        return [Mention(sense, states, tuple(whens), where, quote, bare=True, limited=limited, clause=text)]


def _with_too(tokens: list[Token], items: list[tuple[int, int, Found]]) -> list[tuple[int, int, Found]]:
    """Give the "too" of "far too" to the attribute behind it: "far too bright" is too bright."""
    found: list[tuple[int, int, Found]] = []
    for first, last, sense in items:
        if found and first < found[-1][1]:
            continue
        if isinstance(sense, Degree) and last - first > 1 and tokens[last - 1].text == "too":
            hit = PHRASES.at(tokens, last - 1)
            if hit and isinstance(hit[1], Sense):
                found += [(first, last - 1, sense), (last - 1, last - 1 + hit[0], hit[1])]
                continue
        found.append((first, last, sense))
    return found


def _subject(clause: Clause, said: str) -> Where:
    """Take what stands before an attribute for its place, where it is a thing: "the street is too dark"."""
    first = clause.attributes[0][0]
    words = clause.words[:first]
    if len(words) < 2 or words[0] not in _OWNERS - {"their", "its"} or any(w in _PRONOUNS for w in words):
        return Where()
    end = next((i for i, w in enumerate(words) if w in lexicon.VERBS), len(words))
    named = things_of(" ".join(words[:end]))
    return Where(things=named, quote=" ".join(words[:end])) if named else Where()


def _with_pairings(tokens: Sequence[Token], items: list[tuple[int, int, Found]]) -> list[tuple[int, int, Found]]:
    """Add what is said by two words apart; it outweighs a degree or denial that its word may be elsewhere."""
    taken = frozenset(
        i
        for a, b, found in items
        if (found is None or isinstance(found, Sense)) and not (b - a == 1 and tokens[a].text in _OF_ANYTHING)
        for i in range(a, b)
    )
    more = paired(tokens, taken)
    if not more:
        return items
    at = dict(more)
    kept = [item for item in items if not (any(i in at for i in range(*item[:2])) and (item[2] is not None))]
    spanned = {i for a, b, _ in kept for i in range(a, b)}
    return sorted([*kept, *((i, i + 1, sense) for i, sense in more if i not in spanned)], key=lambda item: item[0])


def _assumed(clause: Clause, index: int, manner: Manner) -> bool:
    """Whether an attribute is named without being said of the clip: as advice, cause or likeness, or only asked for."""
    first, words = clause.attributes[index][0], clause.words
    before = words[max(0, first - 4) : first]
    definite = bool({"the", "this", "these", "such", "its"} & set(before[-3:]))
    if manner.question:
        if lexicon.ONLY_ASKED & set(before) or ("or" in words and len(clause.attributes) > 1):
            return True
    elif manner.advice and words[0] in lexicon.ADVICE and clause.attributes[index][2].good:
        return True
    elif (manner.advice or words[0] in lexicon.ADVICE) and not definite:
        advice = [i for i, word in enumerate(words) if word in lexicon.ADVICE]
        prevented = any(i < first <= i + 8 for i in advice) and not _OF_CLIP.intersection(words[max(advice) : first])
        if prevented or (advice and not _OF_CLIP.intersection(words) and index not in clause.owners):
            return True
    if (
        not manner.question
        and (not definite or clause.denials)
        and _SUPPOSED.intersection(words if clause.denials else words[:first])
        and not _JUDGED.intersection(words)
    ):
        return True  # "it would clean the wall, at the risk of a soft look"
    if manner.advice and not lexicon.VERBS.intersection(words) and clause.denials:
        return True  # "lamps without flicker"
    causes = [a for a, _, _ in CAUSES.all_in(clause.tokens)] if len(words) > 3 else []
    if len(clause.attributes) == 1:
        causes = [a for a in causes if words[a] not in _LIKENESS]
    return bool(causes) and min(causes) < first and not (manner.question and definite)


def _set_apart(clause: Clause, index: int) -> bool:
    """Whether "other" or the like stands before a denied attribute: what was named already is not denied."""
    first = clause.attributes[index][0]
    return bool(lexicon.ALSO.intersection(clause.words[max(0, first - 4) : first]))


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


def key_of(sentence: Sequence[Token]) -> str:
    """Give what two writings of one sentence share: its words, without marks."""
    return " ".join(t.text for t in sentence if t.text[0].isalnum())


def sentences_of(text: str) -> set[str]:
    """Give the keys of a text's sentences of at least three words."""
    return {key for s in sentences(tokens_of(plain(text))) if len((key := key_of(s)).split()) >= 3}
