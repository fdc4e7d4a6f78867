"""Checks of a pair's form alone: language, length, markup, what gives the answer away, an image asked as a video."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from schemas.pair import Doubt, Pair
from stages.claims.options import Asked, chosen, content, is_yes_no, normal
from stages.claims.words import FUNCTION, LONGEST, listed

QUESTION_WORDS = (1, 60)
"""Words of a question without its options: the longest question seen in the published set has about 30."""
ANSWER_WORDS = (1, 200)
_LISTED = 60
"""Words that options may have besides."""

_STRAY: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "markup",
        re.compile(
            r"</?[A-Za-z][A-Za-z0-9 _/-]{0,40}>|\*\*|```|^\s{0,3}#{1,6}\s|\[[^\]\n]{1,80}\]\(|&[a-z]{2,6};"
            r"|^\s*\|.{0,80}\|",
            re.M,
        ),
    ),
    (
        "a placeholder",
        re.compile(
            r"<[^<>\n]{0,60}>|\{\{?[^{}\n]{0,60}\}|\[(?:insert|attribute|level|degree|name|time|place|your"
            r"|distortion)[^\]\n]{0,40}\]|\b(?:TODO|TBD|XXX)\b",
            re.I,
        ),
    ),
    ("an address", re.compile(r"https?://|\bwww\.\w|\b[\w.+-]{1,64}@[\w-]{1,64}\.\w", re.I)),
    (
        "talk of its own making",
        re.compile(
            r"\bas an? (?:ai|artificial|language|assistant)\b|\b(?:language|ai) model\b|\bi(?:'m| am) (?:an ai"
            r"|unable|sorry)\b|\bi can(?:no|')t (?:watch|view|see)\b"
            r"|\bannotat(?:or|ors|ion|ions|ed)\b|\bthe (?:expert|rater)(?:'s|s)?\b|\bjson\b|\bprompts?\b"
            r"|\bground truth\b|\bsystem message\b|\bprevious instructions\b"
            r"|\bprovided (?:notes?|text|information|context|depiction|data)\b|\b(?:according to|based on|as per"
            r"|from) the (?:notes?|text|description|context|metadata|depiction)\b"
            r"|\b(?:question|answer) ?[:#]\s?\d?",
            re.I,
        ),
    ),
)
_LISTING = re.compile(r"\bB\. ")
_VIDEO = re.compile(
    r"\b(?:video|videos|clip|footage|playback|seconds?|throughout the (?:video|clip)|flickers?|stutters?|frame rate"
    r"|freezes)\b",
    re.I,
)
_WORD = re.compile(r"\S+")
_LETTERS = re.compile(r"[^\W\d_]+")
_ASCII = re.compile(r"[A-Za-z]+")
_SIGNS = "\u00b5\u03bc\u03c3\u03c0\u03b3\u0394\u03a9"
_CHOICE = re.compile(r"\bor\b|\beither\b|\bwhether\b")
_COMMON = FUNCTION | frozenset(
    listed("""
        video image clip quality noise blur flicker yes slight moderate noticeable severe frame low poor fair
        good high light camera visible picture footage left right upper lower whole entire throughout stuttering
        compression contrast exposure shake use second seconds
    """)
)


def form_doubts(pair: Pair, kind: str, parts: Asked, sworn: bool) -> Iterator[Doubt]:
    """Check language, length and strays; `sworn` = question and answer are an expert's own words."""
    yield from language(pair)
    yield from length(pair, parts)
    if kind == "image" and not sworn:
        yield from asked_as_video(pair)
    if not sworn:
        yield from leak(pair, parts)


def language(pair: Pair) -> Iterator[Doubt]:
    """Doubt what is not English: letters of other scripts, or hardly a word that English texts have."""
    for text in (pair.question[:LONGEST], pair.answer[:LONGEST]):
        words = _LETTERS.findall(text)
        letters = sum(map(len, words))
        foreign = letters - sum(len(word) for word in _ASCII.findall(text))
        other = 0 if text.isascii() else sum(not _is_latin(letter) for word in words for letter in word)
        if other or (letters and foreign > max(6, 0.1 * letters)):
            yield Doubt(
                check="language",
                why=f"{other or foreign} of {letters} letters are not of the English alphabet",
                quote=text[:80],
            )
        elif len(words) >= (16 if _LISTING.search(text) else 8) and sum(
            word.lower() in _COMMON for word in words
        ) < 0.15 * len(words):
            yield Doubt(check="language", why="hardly any of its words are common in English", quote=text[:80])


def _is_latin(letter: str) -> bool:
    """Whether a letter is of the Latin script, or a lone sign of a measure that English texts have too."""
    return letter in _SIGNS or unicodedata.name(letter, "").startswith(("LATIN", "FEMININE", "MASCULINE", "MODIFIER"))


def length(pair: Pair, parts: Asked) -> Iterator[Doubt]:
    """Doubt what is too short, too long, or holds what no question or answer should."""
    allowed = QUESTION_WORDS[1] + (_LISTED if parts.options else 0)
    for what, text, least, most in (
        ("question", pair.question, QUESTION_WORDS[0], allowed),
        ("answer", pair.answer, *ANSWER_WORDS),
    ):
        if len(text) > LONGEST:
            yield Doubt(
                check="length", why=f"the {what} has {len(text)} characters, more than {LONGEST}", quote=text[:80]
            )
            continue
        count = len(_WORD.findall(text))
        if not least <= count <= most:
            yield Doubt(
                check="length", why=f"the {what} has {count} words; {least} to {most} are expected", quote=text[:80]
            )
        for name, pattern in _STRAY:
            if match := pattern.search(text):
                yield Doubt(check="length", why=f"the {what} holds {name}", quote=match.group()[:80])
                break


def asked_as_video(pair: Pair) -> Iterator[Doubt]:
    """Doubt a still image that is spoken of as a video."""
    for text in (pair.question, pair.answer):
        if match := _VIDEO.search(text[:LONGEST]):
            yield Doubt(check="image", why="a still image is spoken of as a video", quote=match.group())
            return


def leak(pair: Pair, parts: Asked) -> Iterator[Doubt]:
    """Doubt a question that holds its own answer: nothing that the answer says is new."""
    if pair.form == "yes-no" or is_yes_no(parts.options):
        return
    answer = chosen(pair.answer)[1] if parts.options else pair.answer[:LONGEST]
    said, told = content(answer), content(parts.stem)
    if not said:
        return
    if parts.options:
        others = [option for option in parts.options if normal(option.text) != normal(answer)]
        if said <= told and not any(content(option.text) and content(option.text) <= told for option in others):
            yield Doubt(check="leak", why="the question already says which option is right", quote=answer[:80])
    elif said <= told and not _CHOICE.search(parts.stem.lower()):
        yield Doubt(check="leak", why="the answer says nothing that the question does not", quote=answer[:80])
