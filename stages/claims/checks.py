"""Every check that a pair has to pass before a person looks at it, and the one that puts them together.

A check doubts a pair only where what the pair says and what is known of the clip cannot both be so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from schemas.levels import LEVELS
from schemas.pair import Doubt, Pair
from stages.claims import knowing, lexicon
from stages.claims.asking import asks_advice, asks_end, asks_strength, asks_what, asks_when, asks_where, subject_of
from stages.claims.claim import Claim, Known
from stages.claims.knowing import Fact, Facts, gather, odd_names, scenery, told_by
from stages.claims.lexicon import ABSENT, ANYTHING, PRESENT, SEVERE, SLIGHT, Sense
from stages.claims.manners import form_doubts
from stages.claims.options import (
    Asked,
    Option,
    after_yes_or_no,
    asked,
    chosen,
    content,
    echoes,
    is_yes_no,
    normal,
    yes_or_no,
)
from stages.claims.places import Where, clash, same_thing, things_of
from stages.claims.praise import praised
from stages.claims.reading import Manner, Mention, Read, Reader, sentences_of
from stages.claims.times import SLACK, When, times_in
from stages.claims.verdicts import Levels
from stages.claims.words import FUNCTION, listed, plain, stem_of, tokens_of
from stages.wording.taxonomy import DEGREES, MOTION

CHECKS: dict[str, str] = {
    "attribute": "it names an attribute that nobody saw, or denies one that somebody did",
    "degree": "it gives an attribute another degree than is known",
    "main": "it calls one problem the main one where a stronger one is known",
    "time": "it puts an attribute at another time than is known, or beyond the clip's end",
    "place": "it puts an attribute at another place than is known",
    "level": "it concludes another level of quality than is known",
    "options": "its options are not A, B, C..., are alike, or not exactly one of them is right",
    "yes-no": "its yes or no is the wrong one, or it says neither",
    "leak": "the question holds the answer",
    "language": "it is not in English",
    "length": "it is too long or too short, or holds markup, an address, a placeholder or talk of its own making",
    "image": "a still image is spoken of as a video",
}
"""The name of each check and what a doubt of that name says of a pair."""

_MAIN = (
    "most",
    "worst",
    "main",
    "dominant",
    "biggest",
    "strongest",
    "primary",
    "chief",
    "dominates",
    "foremost",
    "greatest",
)
_AUXILIARIES = frozenset(
    listed("""
        is are was were does do did has have can could would will should isn't doesn't aren't
    """)
)
_LEVEL_ASKED = ("quality", "level", "rate", "rating", "grade", "verdict", "score")


_ASIDE = re.compile(
    r"\b(?:since|because|which|although|though|but|while|whereas|unlike|except|despite|than|as|so|without|nor"
    r"|not)\b[^,]*"
)
"""Parts of a clause that speak of another thing than its subject."""
_ONLY = listed("only solely exclusively merely nowhere confined limited restricted")
"""Words by which a time or place is said to be the only one."""
_RANKED = re.compile(
    r"\b(?:\w{3,}est|most|least|more|less|main(?:ly)?|chief(?:ly)?|first|last|only|throughout|through|all|whole|entire"
    r"|always|never|every|each|during|while|when|where|after|before|until|between|from|at|in the|on the|with the"
    r"|properly|well|right|fine|missing|best|rather|better|worse|both|besides|apart|why|because|cause[ds]?|like)\b"
    r"|\d"
)
"""Words of questions that ask for one among several that may all be there."""
_IN_ORDER = re.compile(
    r"\b(?:ok|okay|fine|right|good|well|correct|correctly|in order|alright|natural|properly|convincing"
    r"|decent|spot on)\W*$"
)
_LOOKED_AT = re.compile(
    r"\b(?:when |if |while )?(?:you |one |we )?(?:look(?:ing|ed)? (?:at|over|across)|consider(?:ing|ed)?"
    r"|view(?:ing|ed)?"
    r"|regard(?:ing)?|judg(?:e|ing)(?: by)?|tak(?:e|ing)(?: in)?|given|seen? (?:over|across)) the"
    r" (?:whole|entire|full|complete) (?:image|picture|frame|screen|view|scene|video|clip|footage)(?: as a whole)?",
    re.I,
)
"""How a question says that it is about all of the picture, and not that the problem is."""
_ALIKE = {"low frame rate": "stuttering", "white balance flicker": "flicker"}
_MOVING = frozenset(["stuttering", "low frame rate", "camera shake", "flicker"])
_OWNED = re.compile(r"\b(?:the|his|her|their) ([a-z]+(?: [a-z]+)?)|^\W*([a-z]+)\W*$|^(?:the )?([a-z]+)\b(?=[:,])")
_PERSON = things_of("person")
_NO_THINGS = frozenset(stem_of(word) for word in (*lexicon.TOPICS, *lexicon.VERBS, "sharpness", "sharp", "smooth"))
_WHY = re.compile(
    r"\bwhy\b|\bhow come\b|\bwhat (?:makes|made|causes|caused|is behind|leads|led)\b|\breasons?\b|\bcauses?\b"
)
_NEUTRAL = re.compile(
    r"^\W*(?:(?:please|can you|could you|so|and|now) )*(?:tell (?:me|us) (?:something |more )?about|describe|comment on"
    r"|what (?:about|of)|how about|discuss|assess|evaluate|judge|rate|talk about|say something about|characteri[sz]e"
    r"|what (?:can|could|do|would) (?:you|one|we|be) (?:said? (?:of|about)|say (?:of|about|on)|make of"
    r"|think of)|anything)\b"
)
_STOP = re.compile(r"[!?;\n]|\.(?!\d)")
_PIECE = re.compile(r"[.,;:!?]")
_ASKING = listed("""
    what which who whom whose when where why how whereabouts in at on from to for by during so and but tell
    describe name
    list give explain sum say please pick
""")
"""First words of questions that want more than yes or no."""
_INVERTING = listed("""
    not isn't aren't doesn't don't didn't hasn't haven't can't cannot won't absent except least without missing nowhere
    spared lacking lacks untouched never no none wrong false untrue incorrect excluded innocent free harmless unaffected
    avoided escaped invented
""")
"""Words of questions whose right option is the one that is not so."""


class Checker:
    """Checks the pairs of one clip; what is known of it is read once."""

    def __init__(self, known: Known) -> None:
        """Read the record and everything that experts wrote."""
        self.known = known
        self._reader = Reader(known.record.media.duration, odd_names(known.annotations), scenery(known.annotations))
        self._sworn = frozenset(key for annotation in known.annotations for key in told_by(annotation))
        self._all = gather(known, self._reader, known.annotations, truth=True)
        self._last: _Pair | None = None
        self._by_evidence: dict[tuple[str, ...], Facts] = {}

    def unnamed(self) -> list[str]:
        """List the taxonomy's words that nobody named or may have meant: they can be asked for as absent."""
        return knowing.unnamed(self._all)

    def claims(self, pair: Pair) -> list[Claim]:
        """List what a pair says of the clip: each attribute, there or not, how strong, when and where."""
        claims = []
        for mention in self._read(pair).said():
            if mention.assumed or mention.sense.covers == (ANYTHING,):
                continue
            if mention.states & ABSENT and mention.states & PRESENT:
                continue
            claims += self._claims_of(mention)
        return list(dict.fromkeys(claims))

    def doubts(self, pair: Pair) -> list[Doubt]:
        """List every problem of a pair; none is a pair that passed all of `CHECKS`."""
        read = self._read(pair)
        doubts = [
            *read.doubts(),
            *form_doubts(pair, self.known.record.media.kind, read.asked, read.sworn_answer),
        ]
        return _distinct(doubts)

    def _read(self, pair: Pair) -> _Pair:
        """Read a pair; the last one is kept, since claims and doubts are asked for in turn."""
        if self._last is None or self._last.pair is not pair:
            self._last = _Pair(self, pair)
        return self._last

    def facts(self, pair: Pair) -> Facts:
        """Give what the evidence of a pair says; all that is known, where it cites no annotation."""
        cited = tuple(e.partition(":")[2] for e in pair.evidence if e.startswith("annotation:"))
        if cited not in self._by_evidence:
            if len(self._by_evidence) > 4 * len(self.known.annotations) + 16:
                self._by_evidence.clear()
            found = [a for a in self.known.annotations if a.id in cited]
            self._by_evidence[cited] = gather(self.known, self._reader, found, truth=False) if found else self._all
        return self._by_evidence[cited]

    def _claims_of(self, mention: Mention) -> list[Claim]:
        present = bool(mention.states & PRESENT)
        covers: Sequence[str] = mention.sense.covers
        if present:
            # Of what a word can mean, it means what is known; a word is not two claims.
            named = [n for n in (*covers, *mention.sense.near) if n in self._all.sure]
            covers = named[:1] or covers[:1]
        degree = None
        if present and mention.states != PRESENT:
            degree = DEGREES[min(i for i in range(4) if mention.states & (2 << i))]
        spans = [w for w in mention.whens if w.kind in {"span", "point", "part"}]
        return [
            Claim(
                attribute=name,
                present=present,
                degree=degree,
                start=spans[0].start if spans else None,
                end=spans[0].end if spans else None,
                where=mention.where.quote,
                quote=mention.quote,
            )
            for name in covers
        ]

    # What is known, for `_Pair`.
    @property
    def everything(self) -> Facts:
        """All that is known of the clip, whoever said it."""
        return self._all

    @property
    def reader(self) -> Reader:
        """The reader that knows this clip's length and its experts' own words."""
        return self._reader

    @property
    def sworn(self) -> frozenset[str]:
        """The sentences that experts wrote."""
        return self._sworn


def claims_of(pair: Pair, known: Known) -> list[Claim]:
    """List what a pair says of the clip. For many pairs of a clip keep a `Checker`."""
    return Checker(known).claims(pair)


def doubts_of(pair: Pair, known: Known) -> list[Doubt]:
    """List every problem of a pair. For many pairs of a clip keep a `Checker`."""
    return Checker(known).doubts(pair)


def _distinct(doubts: Iterable[Doubt]) -> list[Doubt]:
    return list({(d.check, d.why): d for d in doubts}.values())


class _Pair:
    """One pair, read once: its question, its options and its answer."""

    def __init__(self, checker: Checker, pair: Pair) -> None:
        self.checker, self.pair = checker, pair
        self._options: dict[Option, Read] = {}
        self.facts = checker.facts(pair)
        self.asked: Asked = asked(pair.question)
        self.strict = pair.generator.startswith("template:")
        stem = plain(self.asked.stem)
        self.words = [word.strip("?.,:;!'") for word in stem.split()]
        self.asks_main = any(word in _MAIN for word in self.words) and "least" not in self.words
        self.advice = pair.family == "extended-conversation" or asks_advice(stem)
        self.asks_when = asks_when(stem)
        self.asks_where = asks_where(stem)
        self.asks_thing = asks_what(stem)
        self.asks_why = bool(_WHY.search(stem))
        self.asks_strength = asks_strength(stem) or stem.startswith("how ")
        self.asks_end = asks_end(stem)
        self.after_it = bool(lexicon.RECOVERED & {w.strip("?,.") for w in self.words})
        self.yes_no = pair.form == "yes-no" or is_yes_no(self.asked.options)
        opening = stem.split()[:1]
        self.open_to_no = bool(opening) and opening[0] in _AUXILIARIES
        if not self.asked.options and pair.form == "open" and opening and opening[0].strip(",'s") not in _ASKING:
            # A question that wants a yes or no, whatever it is filed under.
            told = _PIECE.split(plain(pair.answer).strip())[0]
            brief = self.open_to_no and len(told.split()) <= 5
            self.yes_no = yes_or_no(pair.answer) is not None and (brief or after_yes_or_no(pair.answer) != pair.answer)
        self.letter, rest = chosen(pair.answer) if self.asked.options else ("", pair.answer)
        self.option = next((o for o in self.asked.options if o.letter == self.letter), None)
        if self.asked.options and self.option is None:
            self.option = next(
                (o for o in self.asked.options if normal(o.text) and normal(o.text) == normal(rest)), None
            )
        self.question = self._read(_LOOKED_AT.sub(" ", self.asked.stem), question=True)
        self.asks_level = not self.asks_main and not self.question.mentions and any(w in stem for w in _LEVEL_ASKED)
        self.polarity = yes_or_no(self.option.text if self.option else rest) if self.yes_no else None
        text = rest
        if self.yes_no:
            text = after_yes_or_no(self.option.text if self.option and not rest else rest)
        topic = [m for m in self.question.mentions if m.sense.covers != (ANYTHING,)] or self._topic(stem)
        self.answer_topic = topic
        self.answer = self._read(
            text, topic=topic, asked_level=self.asks_level, listed_options=bool(self.asked.options) and not self.yes_no
        )
        keys = sentences_of(pair.answer) if checker.sworn else set()
        self.sworn_answer = bool(keys) and keys <= checker.sworn

    def _read(
        self,
        text: str,
        *,
        topic: Sequence[Mention] = (),
        question: bool = False,
        asked_level: bool = False,
        listed_options: bool = False,
    ) -> Read:
        manner = Manner(
            question=question,
            strict=self.strict or listed_options,
            advice=self.advice and not question,
            asked_level=asked_level,
            asked_where=self.asks_where and not question and (not self.yes_no or bool(self.asked.options)),
            explains=self.asks_why and not question and not self.asked.options,
        )
        return self.checker.reader.read(text, manner, topic=topic, sworn=self.checker.sworn)

    def _topic(self, stem: str) -> list[Mention]:
        """Find what a question is about that names no attribute: one that is known and fits its words, or anything."""
        words = {stem_of(word.strip("?,.'")) for word in stem.split()}
        about = {n for word, names in lexicon.TOPICS.items() if stem_of(word) in words for n in names}
        known = [n for n in self.checker.everything.sure if n in about]
        if not about:
            known = self._placed(things_of(stem))
        if len(known) == 1:
            return [Mention(Sense((known[0],)), PRESENT, limited=not asks_strength(stem))]
        if known or not (self.asks_when or self.asks_where or asks_strength(stem)):
            return []
        return list(self.question.mentions) or [Mention(Sense((ANYTHING,)), PRESENT)]

    def _placed(self, things: frozenset[str]) -> list[str]:
        """List the attributes that are known at these things."""
        return [
            name
            for name, facts in self.checker.everything.sure.items()
            if any(f.where and f.where.things & things for f in facts)
        ]

    def said(self) -> list[Mention]:
        """What the pair says: the question's premises, or what a yes or no makes of them, and the answer."""
        if not self.yes_no:
            return [*self._premises(), *self.answer.mentions]
        if self.polarity is None or self.asks_end:
            return list(self.answer.mentions)
        asked_for = list(self.question.mentions)
        if self.polarity is False:
            asked_for = [m for m in (_turned(m) for m in asked_for) if m]
        return [
            *(replace(m, assumed=False) for m in asked_for if len(asked_for) == 1 or not m.assumed),
            *self.answer.mentions,
        ]

    def _premises(self) -> list[Mention]:
        if self.open_to_no and not self.asked.options:
            return []  # "Is it bad enough to spoil it?" takes nothing for granted
        if any(m.states & ABSENT for o in self.asked.options for m in self._option_mentions(o)):
            return []
        # "How well is the noise controlled?" takes nothing for granted; what a question denies it may only ask about.
        premises = [m for m in self.question.mentions if m.states & PRESENT and not m.sense.good]
        if _NEUTRAL.match(plain(self.asked.stem)) or not lexicon.VERBS.union(_ASKING).intersection(self.words):
            # "Tell me about the noise", "Noise?": what is asked about may not be there.
            premises = [m for m in premises if m.states != PRESENT or m.whens]
        return premises

    def _option(self, option: Option) -> Read:
        if option not in self._options:
            self._options[option] = self._read(
                option.text, topic=self.answer_topic, asked_level=self.asks_level, listed_options=True
            )
        return self._options[option]

    def _option_mentions(self, option: Option) -> tuple[Mention, ...]:
        return self._option(option).mentions

    def doubts(self) -> Iterator[Doubt]:
        """Doubt what the pair says."""
        if self.yes_no:
            yield from self._yes_no()
        elif self.asked.options:
            for mention in self._premises():
                yield from self._judge(mention, asked=False)
            yield from self._multiple_choice()
        elif self.pair.form == "multiple-choice":
            yield Doubt(check="options", why="a multiple-choice question has no options", quote=self.pair.question[:80])
        else:
            for mention in self._premises():
                yield from self._judge(mention, asked=False)
            yield from self._main(self.answer.mentions)
            if not self.open_to_no:
                yield from self._judge_verdicts(self.question)
        if not (self.asked.options and not self.yes_no):
            for mention in self.answer.mentions:
                if not (self.asks_end and mention.bare and not mention.states & PRESENT):
                    yield from self._judge(mention, asked=True)
            yield from self._judge_verdicts(self.answer)
        if not self.yes_no and not self.asked.options:
            yield from self._bare_place()
        yield from self._praised()
        yield from self._beyond()

    def _beyond(self) -> Iterator[Doubt]:
        """Doubt times behind the clip's end, whoever says them and whatever of."""
        if self.advice:
            return
        length = self.checker.reader.duration
        text = plain(self.option.text if self.option else self.pair.answer)
        for sentence in _STOP.split(text):
            for when in times_in(sentence, length):
                if when.kind in {"span", "point"} and when.end > length + 2 * SLACK:
                    why = f"{when.end:g} s is beyond the clip's end at {length:g} s"
                    yield Doubt(check="time", why=why, quote=sentence.strip()[:80])
                    return

    # Yes or no.

    def _yes_no(self) -> Iterator[Doubt]:
        if self.asked.options:
            yield from _option_form(self.asked.options, self.letter, self.option, self.pair.answer)
        if self.polarity is None:
            if not self.answer.mentions and not self.answer.verdicts and not echoes(self.pair.answer):
                yield Doubt(check="yes-no", why="the answer says neither yes nor no", quote=self.pair.answer[:80])
            return
        asked_for = list(self.question.mentions)
        wrong = ""
        quote = self.pair.answer[:80]
        if self.asks_end:
            wrong = self._wrong_end(asked_for)
        elif self.polarity:
            problems = [d for m in asked_for for d in self._judge(replace(m, assumed=False), asked=False)]
            if any(m.assumed for m in asked_for) and len(asked_for) > 1 and " or " in self.asked.stem:
                # "noise or flicker": one of them is enough.
                problems = (
                    []
                    if any(not [*self._judge(replace(m, assumed=False), asked=False)] for m in asked_for)
                    else problems
                )
            wrong = problems[0].why if problems else ""
        elif asked_for:
            wrong = self._wrong_no(asked_for)
        if self.polarity and not asked_for and not wrong:
            wrong = self._wrong_praise()
        for levels, said in self.question.verdicts:
            right = self._levels()
            if right and len(self.question.verdicts) == 1 and bool(levels & right) != self.polarity:
                wrong = (
                    f"it {'says' if self.polarity else 'denies'} {_listed(levels)} quality; known is {_listed(right)}"
                )
                quote = said
        if wrong:
            yield Doubt(check="yes-no", why=f"the answer is {'yes' if self.polarity else 'no'}: {wrong}", quote=quote)

    def _wrong_praise(self) -> str:
        """Say why it is wrong that a side of the picture is in order: a fault of all of it is known all the time."""
        if len(self.answer_topic) != 1 or not _IN_ORDER.search(plain(self.asked.stem)):
            return ""
        for fact in self._known(self.answer_topic[0]):
            throughout = fact.whens is not None and any(w.kind == "whole" for w in fact.whens)
            if throughout and (fact.where is None or fact.where.whole) and not fact.states & SLIGHT:
                return f"it praises what is known for {fact.words}"
        return ""

    def _wrong_no(self, asked_for: list[Mention]) -> str:
        """Say why No is wrong: everything that is asked for is so."""
        details = any(m.whens or m.where.says for m in asked_for)
        if self._asks_of_another(asked_for) or self._tempered(asked_for):
            return ""
        parts = _union(w for m in asked_for for w in m.whens if w.kind == "part")
        known = _union(w for m in asked_for for f in self._known(m) for w in f.whens or ())
        if parts and _overlap(parts, known) < 0.7 * _length(parts):
            return ""  # "from the outset?" is a matter of how early that is
        if (len(asked_for) == 1 and not details) or " or " in self.asked.stem:
            for mention in asked_for:
                turned = _turned(mention)
                if turned and (problems := list(self._judge(replace(turned, assumed=False), asked=False))):
                    return problems[0].why
            return ""
        asserted = [replace(m, assumed=False) for m in asked_for]
        if any(d for m in asserted for d in self._judge(m, asked=False)):
            return ""
        named = all(self.checker.everything.of(m.sense.covers) for m in asserted if m.states & PRESENT)
        placed = all(
            not m.where.says or any(f.where and _within(m.where, f.where) for f in self._known(m)) for m in asserted
        )
        return "everything it asks for is known to be so" if named and placed else ""

    def _wrong_end(self, asked_for: Sequence[Mention]) -> str:
        """Say why an answer to "does it ever stop?" is wrong: no says that it lasts, yes that it does not."""
        whole = When("whole", 0.0, self.checker.reader.duration, 0)
        for mention in asked_for:
            facts = self._known(mention)
            if not facts or any(f.whens is None for f in facts):
                continue
            lasts = replace(mention, whens=(whole,), states=PRESENT, assumed=False)
            problem = self._time_problem(lasts, facts, asked=True)
            known = _length(_union([w for f in facts for w in f.whens or ()]))
            if not self.polarity and problem:
                return problem
            if self.polarity and known >= 0.95 * self.checker.reader.duration:
                return f"it says that {mention.sense.covers[0]} ends; known is throughout"
        return ""

    def _tempered(self, asked_for: Sequence[Mention]) -> bool:
        """Whether the answer goes on to say what is so: "is it bad?" "no, only slight"."""
        names = {name for m in asked_for for name in m.sense.covers}
        return any(
            names & set(m.sense.covers)
            and m.states & PRESENT
            and not m.states & ABSENT
            and m.states != PRESENT
            and not [*self._judge(m, asked=False)]
            for m in self.answer.mentions
        )

    def _asks_of_another(self, asked_for: Sequence[Mention]) -> bool:
        """Whether a yes/no question is about a thing where the attribute is not known, or may not be."""
        subject = subject_of(self.asked.stem)
        if not subject:
            return False
        places = [f.where for m in asked_for for f in self._known(m) if f.where]
        return any(p.things for p in places) and not any(p.things & subject or p.whole for p in places)

    # Options.

    def _multiple_choice(self) -> Iterator[Doubt]:
        options = self.asked.options
        yield from _option_form(options, self.letter, self.option, self.pair.answer)
        if self.option is None:
            return
        inverted = any(word in _INVERTING for word in self.words) and not any(
            m.states & ABSENT for m in self.question.mentions
        )
        if inverted:
            yield from self._choice_inverted()
            return
        judged = {option: list(self._judge_option(option)) for option in options}
        yield from judged[self.option]
        right = [o for o in options if not judged[o] and self._borne_out(o)]
        if self.asks_main:
            chosen_mentions = self._option_mentions(self.option)
            yield from self._main(chosen_mentions)
            right = [o for o in right if not [*self._main(self._option_mentions(o))]]
        others = [o for o in right if o is not self.option]
        if not self._may_tie():
            others = [o for o in others if self._same(o, self.option)]
        if others and not judged[self.option]:
            own = self._option_mentions(self.option)
            if any(
                m.states != PRESENT for m in own
            ):  # what gives no degree is not as right as what gives the known one
                others = [o for o in others if any(m.states != PRESENT for m in self._option_mentions(o))]
        if others and not judged[self.option]:
            why = f"besides {self.option.letter}, {' and '.join(o.letter for o in others)} is right too"
            if self.option in right or not self._option_mentions(self.option):
                yield Doubt(check="options", why=why, quote=others[0].text[:80])
        rest = chosen(self.pair.answer)[1]
        if rest and normal(rest) != normal(self.option.text):
            for mention in self.answer.mentions:
                yield from self._judge(mention, asked=True)

    def _same(self, one: Option, other: Option) -> bool:
        """Whether two options say one thing in two ways: "steady" and "stable", "from 5 s on" and "the last 3 s"."""
        if max(len(content(one.text)), len(content(other.text))) > 5:
            return False
        pair = [self._option_mentions(o) for o in (one, other)]
        if len(pair[0]) != 1 or len(pair[1]) != 1:
            return False
        (first,), (second,) = pair
        if first.sense.covers != second.sense.covers or first.states != second.states or first.bare != second.bare:
            return False
        if first.where.says or second.where.says:
            return False
        spans = [_union(m.whens) for m in (first, second)]
        if not spans[0] or not spans[1]:
            return not first.whens and not second.whens
        shared = _overlap(*spans)
        return shared > 0.95 * max(_length(spans[0]), _length(spans[1]))

    def _may_tie(self) -> bool:
        """Whether a second right option is a fault: of a plain question, or of one whose options are bare degrees."""
        if self.asks_main:
            return True
        told = [m for o in self.asked.options for m in self._option_mentions(o)]
        if self.asks_strength and len({m.sense.covers for m in told}) == 1:
            return True
        if told and all(m.bare for m in told):
            return not self.asks_where and not _RANKED.search(plain(self.asked.stem))
        single = all(
            len(self._option_mentions(o)) <= 1 and len(content(o.text)) <= 3 and not any(c.isdigit() for c in o.text)
            for o in self.asked.options
        )
        return (
            single
            and not any(m.whens or m.where.says for m in self.question.mentions)
            and not (self.asks_when or self.asks_where or _RANKED.search(plain(self.asked.stem)))
        )

    def _choice_inverted(self) -> Iterator[Doubt]:
        assert self.option is not None
        for option in self.asked.options:
            seen = [m for m in self._option_mentions(option) if not m.bare and m.states & PRESENT and not m.sense.good]
            known = bool(seen) and all(self.checker.everything.of(m.sense.covers) for m in seen)
            if option is self.option and known:
                yield Doubt(check="options", why=f"{option.text} is known to be there", quote=option.text[:80])
            if (
                option is not self.option
                and seen
                and not any(self.checker.everything.spoken_of((*m.sense.covers, *m.sense.near)) for m in seen)
            ):
                yield Doubt(
                    check="options",
                    why=f"besides {self.option.letter}, {option.letter} is right too",
                    quote=option.text[:80],
                )

    def _judge_option(self, option: Option) -> Iterator[Doubt]:
        read = self._option(option)
        for mention in read.mentions:
            # An option stands for the whole clip: what it praises or denies is not just some part.
            sweeping = mention.bare or not mention.states & PRESENT
            yield from self._judge(replace(mention, assumed=self.advice and mention.assumed, bare=sweeping), asked=True)
        yield from self._judge_verdicts(read)

    def _borne_out(self, option: Option) -> bool:
        """Whether what is known says that an option is right; one that says nothing known is not."""
        read = self._option(option)
        if read.verdicts:
            return bool(self._levels())
        if not read.mentions:
            return False
        for mention in read.mentions:
            facts = self._known(mention)
            if not mention.states & PRESENT:
                return not mention.bare and not self.checker.everything.spoken_of(mention.sense.covers)
            if not self.checker.everything.of(mention.sense.covers) or mention.sense.covers == (ANYTHING,):
                return False
            if mention.where.says and not any(f.where for f in facts):
                return False
            if mention.where.says and not any(
                f.where and (f.where.things & mention.where.things or _within(mention.where, f.where)) for f in facts
            ):
                return False
            if mention.bare and mention.states == PRESENT and not mention.whens and not mention.where.says:
                return False
        return True

    # What is said, held to what is known.

    def _known(self, mention: Mention) -> list[Fact]:
        """What the evidence says of an attribute, or else what anybody says of it."""
        for facts in (self.facts, self.checker.everything):
            for names in (mention.sense.covers, mention.sense.near):
                if found := facts.of(names):
                    return found
        return []

    def _judge(self, mention: Mention, *, asked: bool) -> Iterator[Doubt]:
        if mention.sworn:
            return
        if mention.sense.covers == (ANYTHING,) and mention.states & PRESENT:
            mention = replace(mention, states=PRESENT)
        everything = self.checker.everything
        name = mention.sense.covers[0]
        far = [
            w for w in mention.whens if w.kind in {"span", "point"} and w.end > self.checker.reader.duration + 2 * SLACK
        ]
        if far:
            length = self.checker.reader.duration
            yield Doubt(
                check="time", why=f"{far[0].end:g} s is beyond the clip's end at {length:g} s", quote=mention.quote
            )
            return
        if not mention.states & PRESENT:
            yield from self._judge_denial(mention)
            return
        near = () if self.strict and name in plain(mention.quote) else mention.sense.near
        if not everything.spoken_of((*mention.sense.covers, *near)):
            if not mention.states & ABSENT and not mention.assumed:
                yield Doubt(check="attribute", why=f"it says {name}, which nobody named", quote=mention.quote)
            return
        facts = self._known(mention)
        if not facts or mention.assumed or self._by_likeness(mention):
            return
        in_time = self._in_time(facts, mention.whens)
        if mention.sense.covers == (ANYTHING,):
            yield from self._judge_anything(mention, asked)
            return
        states = 0
        for fact in in_time:
            states |= fact.states
        if not mention.sense.good and not mention.states & states and not self._absent_elsewhere(mention):
            yield Doubt(
                check="degree",
                why=f"it says {_degrees(mention.states)} {name}; known is {_told(in_time)}",
                quote=mention.quote,
            )
        only = bool(_ONLY.intersection(mention.clause.split()))
        if problem := self._time_problem(mention, facts, (asked and self.asks_when) or only):
            yield Doubt(check="time", why=f"{name}: {problem}", quote=mention.quote)
        if not mention.sense.good and self._clean_there(mention, facts):
            yield Doubt(check="place", why=f"{name}: it is known not to be there", quote=mention.quote)
        if problem := self._place_problem(mention, facts, asked and self.asks_where):
            yield Doubt(check="place", why=f"{name}: {problem}", quote=mention.quote)

    def _by_likeness(self, mention: Mention) -> bool:
        """Whether a word of uneven motion or light only resembles what is known: a hitch may be a shake."""
        covers = mention.sense.covers
        if mention.sense.good or self.checker.everything.of(covers) or not set(covers) <= _MOVING:
            return False
        return not any(_ALIKE.get(name, name) == _ALIKE.get(covers[0], covers[0]) for name in self._sure(mention))

    def _sure(self, mention: Mention) -> list[str]:
        return [name for name in mention.sense.near if name in self.checker.everything.sure]

    def _judge_anything(self, mention: Mention, asked: bool) -> Iterator[Doubt]:
        """Doubt what is said of an unnamed problem where it fits none that is known."""
        found: list[Doubt] = []
        for name in self.checker.everything.sure:
            doubts = list(self._judge(replace(mention, sense=Sense((name,))), asked=asked))
            if not doubts:
                return
            found += doubts[:1]
        yield from found[:1]

    def _absent_elsewhere(self, mention: Mention) -> bool:
        if not mention.states & ABSENT:
            return False
        own = {thing for f in self._known(mention) if f.where for thing in f.where.things}
        return bool(mention.whens) or mention.limited or (mention.where.says and not mention.where.things & own)

    def _judge_denial(self, mention: Mention) -> Iterator[Doubt]:
        if mention.assumed or mention.limited:
            return
        facts = self.checker.everything.of(mention.sense.covers)
        if not facts or (mention.sense.good and self._of_other_things(mention, facts)):
            return
        spans = [w for w in mention.whens if w.kind in {"span", "point", "part"}]
        if spans:
            union = _union([w for f in facts for w in f.whens or ()])
            said = _union(spans)
            if not union or _overlap(said, union) < 0.5 * _length(said):
                return
        if not spans and not mention.bare and not self._sweeping(mention, facts):
            return
        if mention.where.says and not mention.where.whole:
            places = [f.where for f in facts if f.where]
            if not places or all(
                not (
                    p.whole
                    or p.things & mention.where.things
                    or p.rows & mention.where.rows
                    or p.columns & mention.where.columns
                )
                for p in places
            ):
                return
        yield Doubt(
            check="attribute",
            why=f"it denies {mention.sense.covers[0]}; known is {_told(facts)}",
            quote=mention.quote,
        )

    def _sweeping(self, mention: Mention, facts: list[Fact]) -> bool:
        """Whether praise is of the whole clip, or of where the attribute is known: "sharp" may be another thing."""
        if not mention.sense.good or all(
            (f.where is None or f.where.whole) and f.whens and f.whens[0].kind == "whole" for f in facts
        ):
            return True
        if set(mention.sense.covers) <= set(MOTION) and not any(f.where and f.where.things for f in facts):
            return True
        words = set(mention.clause.split())
        if words & {
            "whole",
            "entire",
            "every",
            "all",
            "throughout",
            "always",
            "everywhere",
            "perfectly",
            "completely",
            "entirely",
            "first",
            "never",
            "video",
            "footage",
            "clip",
            "recording",
        }:
            return True
        return any(f.where and _meets(mention.clause, f.where) for f in facts)

    def _of_other_things(self, mention: Mention, facts: list[Fact]) -> bool:
        """Whether what is denied is denied of other things than those where it is known."""
        places = [f.where for f in facts]
        if not all(p and p.things and not p.whole for p in places):
            return False
        text = mention.clause
        if not mention.bare or self.asked.options:
            stem = plain(self.asked.stem)
            text = f"{stem} {text}" if self.asked.options else text
        said = _owned_things(text)
        return bool(said) and not any(p and _meets(text, p) for p in places)

    def _in_time(self, facts: list[Fact], whens: Sequence[When]) -> list[Fact]:
        """Of several entries for an attribute, those of the time that is spoken of."""
        spans = _union([w for w in whens if w.kind in {"span", "point", "part"}])
        if len(facts) == 1 or not spans:
            return facts
        return [f for f in facts if f.whens is None or _overlap(spans, _union(f.whens)) > 0] or facts

    def _time_problem(self, mention: Mention, facts: list[Fact], asked: bool) -> str:
        if any(fact.whens is None for fact in facts) or not mention.whens or self.after_it:
            return ""
        if "how long" in self.asked.stem.lower() and all(w.kind == "point" for w in mention.whens):
            return ""
        duration = self.checker.reader.duration
        known = _union([w for f in facts for w in f.whens or ()])
        covered = _length(known)
        told = f"known is {_spans(known, duration)}"
        kinds = {w.kind for w in mention.whens}
        whole = covered >= 0.85 * duration
        if "whole" in kinds:
            return "" if covered >= 0.6 * duration else f"it says throughout; {told}"
        if "brief" in kinds and whole and len(kinds) == 1:
            return f"it says briefly; {told}"
        for when in mention.whens:
            if when.kind == "onset" and all(abs(when.start - start) > 1.0 for start, _ in known):
                return f"it says from {when.start:g} s on; {told}"
            if when.kind == "offset" and all(abs(when.end - end) > 1.0 for _, end in known):
                return f"it says until {when.end:g} s; {told}"
        spans = [w for w in mention.whens if w.kind in {"span", "point", "part"}]
        if not spans:
            return ""
        said = _union(spans)
        words = f"it says {_spans(said, duration)}; {told}"
        if whole:
            return words if asked and _length(said) < 0.65 * duration else ""
        padded = [(a - SLACK, b + SLACK) for a, b in known]
        for when in spans:
            if when.kind == "point" and not any(a <= when.end and when.start <= b for a, b in padded):
                return words
            length = max(when.end - when.start, 1e-9)
            shared = _overlap([(when.start, when.end)], known)
            if when.kind == "span" and _overlap([(when.start, when.end)], padded) < 0.5 * length:
                return words
            if when.kind == "part" and shared < min(0.3 * covered, 0.3 * length):
                return words
        exact = _union([w for w in spans if w.kind == "span"])
        if asked and exact and _overlap(exact, known) < 0.4 * (_length(exact) + covered - _overlap(exact, known)):
            return words
        return ""

    def _place_problem(self, mention: Mention, facts: list[Fact], asked: bool) -> str:
        if not mention.where.says:
            return ""
        places = [fact.where for fact in facts if fact.where]
        if not places:
            return ""
        if asked or mention.where.grid or mention.where.depth or mention.where.whole:
            if clash(mention.where, places, asked):
                return f"it says {mention.where.quote!r}; known is {places[0].quote!r}"
        elif mention.where.things and self._elsewhere(mention, places):
            return f"it says {mention.where.quote!r}; known is {places[0].quote!r}"
        return ""

    def _clean_there(self, mention: Mention, facts: list[Fact]) -> bool:
        """Whether the things that are spoken of are known to be without it, and not to have it."""
        clean = self.checker.everything.clean
        own = {thing for f in facts if f.where for thing in f.where.things}
        if not own or any(f.where is None or f.where.whole for f in facts) or not mention.states & PRESENT:
            return False
        said = things_of(_ASIDE.sub("", mention.clause))
        spared = set().union(*(clean.get(name, ()) for name in (ANYTHING, *mention.sense.covers)))
        return (
            bool(said & spared)
            and not said & own
            and not any(f.where.depth and f.where.depth == mention.where.depth for f in facts if f.where)
        )

    def _praised(self) -> Iterator[Doubt]:
        """Doubt praise of the thing where the problem is that the pair is about."""
        topic = [m for m in self.answer_topic if m.sense.covers != (ANYTHING,)]
        if len(topic) != 1 or self.sworn_answer or self.after_it or topic[0].whens:
            return
        facts = self._known(topic[0])
        own = {thing for f in facts if f.where for thing in f.where.things}
        text = self.option.text if self.option else self.pair.answer
        if own and not any(m.whens for m in self.answer.mentions) and (both := praised(text) & own):
            yield Doubt(check="place", why=f"it praises {', '.join(sorted(both))}", quote=text[:80])

    def _elsewhere(self, mention: Mention, places: list[Where]) -> bool:
        """Whether the thing that is named is where another attribute is, and not this one."""
        own = {thing for place in places for thing in place.things}
        others = {
            thing
            for name, facts in self.checker.everything.sure.items()
            if name not in mention.sense.covers
            for fact in facts
            if fact.where
            for thing in fact.where.things
        }
        return bool(own) and not mention.where.things & own and bool(mention.where.things & others)

    def _bare_place(self) -> Iterator[Doubt]:
        """Doubt an answer to "where" that names only things which are not the known place."""
        if not self.asks_where or any(m.where.says for m in self.answer.mentions) or len(self.answer_topic) != 1:
            return
        places = [f.where for f in self._known(self.answer_topic[0]) if f.where and f.where.things and not f.where.grid]
        opening = plain(self.pair.answer).split(".")[0] if self.asks_thing else plain(self.pair.answer)
        said = things_of(opening)
        if self.answer_topic[0].sense.good:
            if any(said & p.things for p in places):
                yield Doubt(check="place", why=f"it is not so {places[0].quote!r}", quote=self.pair.answer[:80])
            return
        if (
            places
            and said
            and not self.sworn_answer
            and not any(same_thing(said, p.things) for p in places)
            and (self.asks_thing or not self.answer.mentions)
        ):
            yield Doubt(check="place", why=f"known is {places[0].quote!r}", quote=self.pair.answer[:80])

    def _main(self, mentions: Sequence[Mention]) -> Iterator[Doubt]:
        """Doubt the choice of one problem as the main one where another is known to be stronger."""
        named = [
            m
            for m in mentions
            if not m.assumed and not m.sense.good and m.states & PRESENT and m.sense.covers != (ANYTHING,)
        ]
        if (
            not self.asks_main
            or not named
            or any(m.bare for m in named[:1])
            or (self.question.mentions and not _generic(self.question))
        ):
            return
        own = [f.states for f in self._known(named[0])]
        strongest = max((f.states for f in self.facts.of([ANYTHING]) if f.states != PRESENT), default=0)
        if own and PRESENT not in own and max(own) < strongest <= SEVERE:
            stronger = next(f.words for f in self.facts.of([ANYTHING]) if f.states == strongest)
            yield Doubt(
                check="main",
                why=f"{named[0].sense.covers[0]} is not the strongest problem: {stronger} is known",
                quote=named[0].quote,
            )

    def _levels(self) -> Levels:
        return (
            self.facts.levels
            or self.checker.everything.levels
            or (frozenset({self.checker.known.level}) if self.checker.known.level else frozenset())
        )

    def _judge_verdicts(self, read: Read) -> Iterator[Doubt]:
        right = self._levels()
        if not right:
            return
        for levels, quote in read.verdicts:
            if not levels & right:
                yield Doubt(
                    check="level", why=f"it concludes {_listed(levels)} quality; known is {_listed(right)}", quote=quote
                )


def _option_form(options: Sequence[Option], letter: str, option: Option | None, answer: str) -> Iterator[Doubt]:
    """Check what needs no knowledge: letters in order, options that differ, an answer that is one of them."""
    letters = "".join(o.letter for o in options)
    if letters != "ABCDEFGHIJ"[: len(letters)] or len(letters) < 2:
        yield Doubt(check="options", why=f"the letters are {', '.join(letters)} instead of A, B, C...", quote=letters)
    texts = [normal(o.text) for o in options]
    if len(set(texts)) < len(texts) or "" in texts:
        yield Doubt(
            check="options", why="two options are alike, or one is empty", quote="; ".join(o.text for o in options)[:80]
        )
    rest = chosen(answer)[1]
    if option is None:
        yield Doubt(check="options", why="the answer is none of the options", quote=answer[:80])
    elif letter and rest and normal(rest) != normal(option.text):
        other = next((o for o in options if o is not option and normal(o.text) == normal(rest)), None)
        if other or (not normal(rest).startswith(normal(option.text)) and not content(option.text) <= content(rest)):
            yield Doubt(
                check="options", why=f"letter and text disagree: {option.letter} is {option.text!r}", quote=answer[:80]
            )


def _turned(mention: Mention) -> Mention | None:
    """What No makes of a mention that a question asks for."""
    if not mention.states & PRESENT:
        return replace(mention, states=PRESENT)
    if mention.states & ABSENT:
        return None
    left = ABSENT if mention.states == PRESENT else (ABSENT | PRESENT) & ~mention.states
    return replace(mention, states=left)


def _within(said: Where, known: Where) -> bool:
    """Whether a place that is asked for is borne out by a known one, and not just not contradicted."""
    return (
        known.whole
        or bool(said.things & known.things)
        or bool(said.depth and said.depth == known.depth)
        or bool((said.rows & known.rows) or (said.columns & known.columns))
    )


def _meets(text: str, place: Where) -> bool:
    """Whether a text names a thing of a place; of two people, only the one that goes by the same word."""
    shared = things_of(text) & place.things
    if shared != _PERSON:
        return bool(shared)
    return bool({t.stem for t in tokens_of(text)} & {t.stem for t in tokens_of(place.quote) if t.text not in FUNCTION})


def _owned_things(text: str) -> frozenset[str]:
    """Give the things that a text names with an article, or as its first word."""
    named = " ".join(match[1] or match[2] or match[3] for match in _OWNED.finditer(text))
    return frozenset(t for t in things_of(named) if t not in _NO_THINGS)


def _generic(read: Read) -> bool:
    return all(m.sense.covers == (ANYTHING,) for m in read.mentions)


def _union(whens: Iterable[When]) -> list[tuple[float, float]]:
    """Put times together into spans that do not overlap, in order."""
    spans: list[tuple[float, float]] = []
    for start, end in sorted((w.start, w.end) for w in whens if w.kind in {"span", "point", "part", "whole"}):
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((start, end))
    return spans


def _length(spans: Iterable[tuple[float, float]]) -> float:
    return sum(end - start for start, end in spans)


def _overlap(one: Iterable[tuple[float, float]], other: Sequence[tuple[float, float]]) -> float:
    return sum(max(0.0, min(b, d) - max(a, c)) for a, b in one for c, d in other)


def _spans(spans: Sequence[tuple[float, float]], duration: float) -> str:
    if _length(spans) >= 0.85 * duration:
        return "throughout"
    return " and ".join(f"{a:g} s" if a == b else f"{a:g} to {b:g} s" for a, b in spans)


def _degrees(states: int) -> str:
    words = [word for i, word in enumerate(DEGREES) if states & (2 << i)]
    return ("hardly any" if states & ABSENT and len(words) < 2 else " or ".join(words)) if len(words) < 4 else "some"


def _told(facts: Sequence[Fact]) -> str:
    return "; ".join(dict.fromkeys(f.words for f in facts if f.words)) or "that it is there"


def _listed(levels: Levels) -> str:
    return " or ".join(level for level in LEVELS if level in levels)
