"""Words of a text: tokens with their places in it, their stems, and phrases found among them in linear time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Generic, NamedTuple, TypeVar

LONGEST = 6_000
"""Characters of a text that are read: 200 words take a fifth of it, and what is longer is doubted for its length."""
LONGEST_CLAUSE = 120
"""Tokens behind which a clause is cut: what belongs together in it is looked for pair by pair."""

_PLAIN = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": ",", "\u2026": "."}
)
_TOKEN = re.compile(r"\d+(?:[.:]\d+)*|[^\W\d_]+(?:'[^\W\d_]+)?|[.,;:!?()\n-]")
_STOPS = frozenset([*".!?;:\n", "but", "while", "whereas", "although", "though", "yet"])
"""Where a clause ends that shares nothing with the next."""

_IRREGULAR = {
    "froze": "freez",
    "frozen": "freez",
    "shook": "shak",
    "shaken": "shak",
    "tore": "tear",
    "torn": "tear",
    "worst": "worst",
    "thing": "thing",
    "severity": "sever",
    "stability": "stabl",
    "steadicam": "steadicam",
    "never": "never",
    "over": "over",
    "number": "number",
    "banding": "banding",
    "ringing": "ringing",
    "lighting": "lighting",
    "lightly": "lightly",
    "during": "during",
    "motion": "motion",
    "his": "his",
    "this": "this",
    "is": "is",
    "was": "was",
    "has": "has",
    "does": "does",
    "bright": "bright",
    "lens": "lens",
    "less": "less",
    "very": "very",
    "any": "any",
    "only": "only",
    "every": "every",
    "colour": "color",
    "colours": "color",
    "coloured": "color",
    "colouring": "color",
    "grey": "gray",
    "greyish": "gray",
    "artefact": "artifact",
    "artefacts": "artifact",
}
_ENDINGS = (
    ("iness", 3),
    ("ness", 4),
    ("ions", 4),
    ("ion", 4),
    ("ures", 5),
    ("ure", 5),
    ("ingly", 3),
    ("edly", 3),
    ("ings", 3),
    ("ing", 3),
    ("iest", 3),
    ("ied", 3),
    ("ies", 3),
    ("ily", 3),
    ("ers", 4),
    ("er", 4),
    ("est", 4),
    ("ed", 3),
    ("es", 3),
    ("ly", 3),
    ("s", 3),
    ("y", 3),
    ("e", 3),
)
"""Endings of English words, longest first, and how many letters must stay before them."""


def listed(text: str) -> frozenset[str]:
    """Give the words of a text that is nothing but a list."""
    return frozenset(text.split())


def phrases_of(text: str) -> list[str]:
    """Give the phrases of a text that is a list of them, with semicolons between."""
    return [" ".join(phrase.split()) for phrase in text.split(";") if phrase.strip()]


class Token(NamedTuple):
    """A word, number or mark: its text in small letters, its stem, and where it lies in the text."""

    text: str
    stem: str
    start: int
    end: int


@lru_cache(maxsize=1 << 14)
def stem_of(word: str) -> str:
    """Cut a word in small letters down to what its inflections share: blurry, blurred and blurring become blur."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    stem = word[:-2] if word.endswith("'s") else word
    if stem.endswith("bly"):
        stem = f"{stem[:-1]}e"
    # Twice, for endings upon endings: flicker-ing and flick-er, over-expos-ed-ness.
    for _ in range(2):
        for ending, least in _ENDINGS:
            if len(stem) - len(ending) >= least and stem.endswith(ending):
                if ending == "s" and stem.endswith("ss"):
                    continue
                stem = stem[: -len(ending)]
                break
        else:
            break
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "aeiousl":
        stem = stem[:-1]
    return stem


def plain(text: str) -> str:
    """Give the text that is read: at most `LONGEST` characters, small letters, straight quotes, dashes as marks."""
    text = text[:LONGEST]
    return text.lower() if text.isascii() else text.translate(_PLAIN).lower()


@lru_cache(maxsize=64)
def tokens_of(text: str) -> tuple[Token, ...]:
    """Split a text that is already `plain` into words, numbers and marks; a hyphen inside a word parts it in two.

    The last few texts are kept: a pair's are looked at by several checks.
    """
    found = []
    for match in _TOKEN.finditer(text):
        word = match.group()
        start, end = match.span()
        if word == "-" and not _is_dash(text, start):
            continue
        found.append(Token(word, stem_of(word) if end - start < 40 else word[:40], start, end))
    return tuple(found)


def _is_dash(text: str, at: int) -> bool:
    """Tell a dash between words, or between numbers, from a hyphen inside a word."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    return before.isdigit() or not before.strip() or not after.strip()


def sentences(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    """Split tokens into main clauses: at marks, and at words such as "but" that set the next one against it."""
    sentence: list[Token] = []
    for token in tokens:
        if token.text in _STOPS or (token.text == "which" and sentence and sentence[-1].text == "after"):
            if sentence:
                yield sentence
            sentence = []
        else:
            sentence.append(token)
            if len(sentence) >= LONGEST_CLAUSE:
                yield sentence
                sentence = []
    if sentence:
        yield sentence


M = TypeVar("M")
_Index = dict[str, dict[int, dict[tuple[str, ...], M]]]
"""By first word and by how many follow: the words that do, and what the phrase means."""


class Phrases(Generic[M]):
    """Phrases and what they mean, found among tokens by the stems of their words, the longest first.

    A phrase that starts with `=` is matched letter by letter: banding is a distortion and a band is not.
    """

    def __init__(self, meanings: Mapping[str, M]) -> None:
        """Index `meanings` by the first word of each phrase."""
        self._stems: _Index[M] = {}
        self._exact: _Index[M] = {}
        for phrase, meaning in meanings.items():
            words = [t.text for t in tokens_of(plain(phrase.lstrip("=")))]
            if not words:
                continue
            keys = words if phrase.startswith("=") else [stem_of(word) for word in words]
            index = self._exact if phrase.startswith("=") else self._stems
            index.setdefault(keys[0], {}).setdefault(len(keys) - 1, {}).setdefault(tuple(keys[1:]), meaning)
        for index in (self._stems, self._exact):
            for first, lengths in index.items():
                index[first] = dict(sorted(lengths.items(), reverse=True))

    def at(self, tokens: Sequence[Token], index: int) -> tuple[int, M] | None:
        """Give how many tokens the longest phrase at `index` takes, and its meaning; None if none starts there."""
        token = tokens[index]
        best: tuple[int, M] | None = None
        if exact := self._exact.get(token.text):
            best = _longest(exact, tuple(t.text for t in tokens[index + 1 : index + 1 + next(iter(exact))]))
        if stems := self._stems.get(token.stem):
            found = _longest(stems, tuple(t.stem for t in tokens[index + 1 : index + 1 + next(iter(stems))]))
            if found and (best is None or found[0] > best[0]):
                best = found
        return best

    def all_in(self, tokens: Sequence[Token]) -> Iterator[tuple[int, int, M]]:
        """Give every phrase as its first token, the one behind its last, and its meaning; they never overlap."""
        index = 0
        stems, exact = self._stems, self._exact
        while index < len(tokens):
            token = tokens[index]
            if (token.stem in stems or token.text in exact) and (found := self.at(tokens, index)):
                yield index, index + found[0], found[1]
                index += found[0]
            else:
                index += 1


def _longest(lengths: Mapping[int, Mapping[tuple[str, ...], M]], ahead: tuple[str, ...]) -> tuple[int, M] | None:
    """Give the longest phrase, of those sorted longest first, whose words behind the first are those ahead."""
    for length, phrases in lengths.items():
        if length <= len(ahead) and (rest := ahead[:length]) in phrases:
            return length + 1, phrases[rest]
    return None


FUNCTION = frozenset(
    listed("""
        a an the this that these those it its they them their there here he she his her i you we my your our us
        me him is are was were be been being am do does did has have had having will would can could may might
        shall should must of in on at to from by with for as into onto over under about within during through
        between after before off out and or but if so than then while because though although since unless until
        that which who whom whose what when where why how s t also just too very quite rather really simply
        mainly mostly some any such not no nor only up down again more most much many other same both each few
        own
    """)
)
"""Words that carry no claim by themselves; their share tells English from other languages."""
