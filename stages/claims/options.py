"""The form of a question: its options, the one that is answered, and whether an answer says yes or no."""

from __future__ import annotations

import re
from typing import NamedTuple

from stages.claims.words import FUNCTION, LONGEST, plain, tokens_of

_LETTER = re.compile(r"(?:(?<=\s)|(?<=^)|(?<=\())\(?([A-J])\s?[.):]\)?\s+(?=\S)")
_CHOSEN = re.compile(
    r"^\s*(?:(?:the\s+)?(?:correct\s+|right\s+)?(?:answer|option)\s+(?:is\s+)?:?\s*)?\(?([A-J])(?:[.):]\)?|\s*$"
    r"|(?=\s*[-,]))\s*",
    re.IGNORECASE,
)
_YES = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|correct|indeed|certainly|definitely|absolutely|right|true|it does|it is|it has"
    r"|there is\b(?! no\b)|there are\b(?! no\b)|they do|they are"
    r"|it did|it was|very much|of course|sure|unfortunately,? yes|i would|it would|without a doubt|affirmative"
    r"|somewhat|quite|clearly)\b(?! (?:not|n't|no\b|free|absent|without))"
)
_NO = re.compile(
    r"^\W*(?:no|nope|nah|not|never|none|hardly|neither|false|wrong|incorrect|it does(?: not|n't)|it is(?: not|n't)"
    r"|it isn't|it doesn't|there is no\b|there are no\b|there isn't|there aren't"
    r"|they do(?: not|n't)|they are(?: not|n't)|far from it|negative|it has(?: not|n't)|i would(?: not|n't)"
    r"|it would(?: not|n't)|nothing|on the contrary|quite the (?:opposite|contrary))\b"
)
_LEAD = re.compile(
    r"^\W*(?:yes|yeah|yep|nope|no|correct|indeed|right|true|false|certainly|definitely|absolutely"
    r"|unfortunately)\b(?=\s*[,.;:!?-]|\s*$|\s+(?:it|there|the|this|they|that|i|he|its|in|but|not)\b)[\s,.;:!-]*"
)


class Option(NamedTuple):
    """One option: its letter and its text."""

    letter: str
    text: str


class Asked(NamedTuple):
    """A question without its options, and the options, if there are any."""

    stem: str
    options: tuple[Option, ...]


def asked(question: str) -> Asked:
    """Part a question from its options: "A. .. B. ..", "(A) ..", "A) ..", on one line or on several."""
    text = question[:LONGEST]
    marks = list(_LETTER.finditer(text))
    first = next((i for i, m in enumerate(marks) if m[1] == "A" and any(n[1] == "B" for n in marks[i + 1 :])), None)
    if first is None:
        # Options that do not start at A are options still, and wrong ones: three letters in a row of marks.
        first = 0 if len(marks) >= 3 or (len(marks) == 2 and marks[0].start() > 0) else None
    if first is None:
        return Asked(text, ())
    marks = marks[first:]
    ends = [m.start() for m in marks[1:]] + [len(text)]
    options = tuple(Option(m[1], text[m.end() : end].strip(" \n\t,;/|")) for m, end in zip(marks, ends, strict=True))
    return Asked(text[: marks[0].start()].strip(), options)


def chosen(answer: str) -> tuple[str, str]:
    """Give the letter that an answer starts with, empty if none, and the rest of it."""
    match = _CHOSEN.match(answer[:LONGEST])
    if match and (match[1].isupper()):
        return match[1], answer[match.end() : LONGEST].strip()
    return "", answer[:LONGEST].strip()


def normal(text: str) -> str:
    """Give what two writings of one option share: its words, without articles and marks."""
    return " ".join(t.text for t in tokens_of(plain(text)) if t.text[0].isalnum() and t.text not in {"a", "an", "the"})


def yes_or_no(answer: str) -> bool | None:
    """Read an answer for yes (True) or no (False); None if it says neither."""
    text = plain(answer)
    if re.match(r"^\W*no (?:doubt|question)", text):
        return True
    if re.match(r"^\W*not (?:only|just)", text):
        return None
    # What says no may begin like what says yes ("it is not"), so it is tried first.
    if _NO.match(text):
        return False
    return True if _YES.match(text) else None


def after_yes_or_no(answer: str) -> str:
    """Leave out a leading yes or no that stands by itself."""
    return answer[match.end() :] if (match := _LEAD.match(plain(answer))) else answer


def is_yes_no(options: tuple[Option, ...]) -> bool:
    """Whether the options are yes and no."""
    return bool(options) and {normal(option.text) for option in options} <= {"yes", "no"}


def content(text: str) -> frozenset[str]:
    """Give the stems of a text's words that carry meaning, and its numbers."""
    return frozenset(t.stem for t in tokens_of(plain(text)) if t.text not in FUNCTION and t.text[0].isalnum())
