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
_WHO = r"(?:it|they|he|she|you|we|i|that|this|there|one|some|both|all of (?:it|them)|the \w+)"
_DOES = r"(?:do|does|did|is|are|am|was|were|has|have|had|can|could|will|would|should|must|may|might)"
_ENDED = (
    r"(?=\W*$|\s*[,.;:!?-]|\s+(?:indeed|so|too|actually|definitely|certainly|sure|clearly|at|in|on|from|for|during|all"
    r"|throughout|every|but|and|until|because|as|only|to|just|after|before|between|over|when|while|with|through|since))"
)
"""What may follow "it does" where that means yes: "it is constant" is no answer to "is it changing?"."""
_YES = re.compile(
    r"^\W*(?:yes|yeah|yep|yup|aye|yea|correct|indeed|certainly|definitely|absolutely|right|true|precisely"
    r"|exactly|easily"
    r"|as \w+ as (?:it gets|can be|they come|it comes|ever|anything|you could|one could|it could)|perfectly"
    r"|very|extremely"
    r"|like (?:water|silk|butter|clockwork|glass|a (?:rock|dream|river|charm|statue))"
    r"|it's true|very much|of course|sure|surely|unfortunately,? yes|sadly,? yes|i'm afraid (?:so|yes|it is|it does)"
    r"|without (?:a )?(?:doubt|question)|affirmative|somewhat|quite|clearly|undoubtedly|unquestionably|totally|entirely"
    r"|completely|perfectly|always|naturally|agreed|so it (?:is|does|seems)|i(?: would|'d) say so|i (?:think|guess"
    r"|suppose) so|you bet|you can say that|you could say (?:so|that)|you(?:'re| are) right|and how"
    r"|by all means|obviously"
    r"|evidently|to some extent|in part|partly|a (?:bit|little|touch)|just a (?:bit|tiny bit|little|touch|tad)|oh,? yes"
    r"|well,? yes|every bit|all of it|afraid so|too true|that's (?:right|correct|true|it)"
    rf"|(?:sadly|unfortunately|luckily|happily|thankfully|alas),? {_WHO} {_DOES}|{_WHO} (?:really |certainly "
    rf"|sure |clearly "
    rf"|very much |indeed |most certainly |definitely )?{_DOES}{_ENDED}"
    r")\b(?! (?:not|n't|no\b|free|absent|without|never|hardly|barely|nothing|none|neither|anything but|far from))"
)
_NO = re.compile(
    r"^\W*(?:no|nope|nah|nay|not|never|none|hardly|scarcely|barely|neither|false|wrong|incorrect|negative"
    r"|nothing|nowhere"
    r"|far from (?:it|that)|on the contrary|quite the (?:opposite|contrary|reverse)|the (?:opposite|contrary|reverse)"
    r"|(?:doesn't|does not|didn't|don't|isn't|wasn't|hasn't|can't|won't|couldn't|wouldn't) \w+|at no (?:point"
    r"|time|moment|stage)|by no means|in no way|under no circumstances|no way|anything but|nobody|no one"
    r"|i(?: would|'d) not say so|i (?:don't|do not|wouldn't|would not|doubt|can't|cannot|couldn't)\b"
    r"|i (?:see|find|notice|saw|found|noticed) (?:no|none|nothing|not)|there'?s none|i'm afraid (?:not|it (?:isn't"
    r"|doesn't))|afraid not|you (?:wish|aren't|won't)|don't worry|rarely|seldom|impossible|no chance|fortunately not"
    r"|unfortunately not|sadly not|thankfully not|luckily not|it's (?:not|anything but|far from|no)\b"
    rf"|(?:sadly|unfortunately|luckily|happily|thankfully|alas|oh|well|honestly|frankly),? (?:no|not|never)"
    rf"|(?:sadly|unfortunately|luckily|happily|thankfully|alas),? {_WHO} (?:{_DOES}(?: not|n't)|cannot|can't|won't)"
    rf"|{_WHO} (?:really |certainly |simply |just )?(?:{_DOES}(?: not|n't| never| hardly| barely| no)|cannot"
    rf"|can't|won't|never|isn't|aren't"
    r"|wasn't|weren't|don't|doesn't|didn't|hasn't|haven't)"
    r"|there(?:'s| is| are|'re) (?:no|not|nothing|none|never|hardly|barely)"
    r")\b"
)
_SAYS = re.compile(r"\b(?:yes|no|not|none|never)\b")
_SAID_OVER = re.compile(rf"^\W*(?:the|its|this|there|it|they) (?:\w+ ){{0,3}}?(?:{_DOES}|\w+s)\b")
_LEAD = re.compile(
    r"^\W*(?:(?:oh|well|honestly|frankly|sadly|luckily),? )?(?:yes|yeah|yep|yup|nope|nah|no|correct|indeed"
    r"|right|true|false"
    r"|certainly|definitely|absolutely|unfortunately|sadly|luckily|thankfully)\b(?=\s*[,.;:!?-]|\s*$|\s+(?:it"
    r"|there|the|this|they|that|i|he|its|in|but|not)\b)[\s,.;:!-]*"
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


def echoes(answer: str) -> bool:
    """Whether an answer says over what was asked instead of yes or no: "the light is even"."""
    return bool(_SAID_OVER.match(plain(answer)) or _SAYS.search(plain(answer)))


def after_yes_or_no(answer: str) -> str:
    """Leave out a leading yes or no that stands by itself."""
    return answer[match.end() :] if (match := _LEAD.match(plain(answer))) else answer


def is_yes_no(options: tuple[Option, ...]) -> bool:
    """Whether the options are yes and no."""
    return bool(options) and {normal(option.text) for option in options} <= {"yes", "no"}


def content(text: str) -> frozenset[str]:
    """Give the stems of a text's words that carry meaning, and its numbers."""
    return frozenset(t.stem for t in tokens_of(plain(text)) if t.text not in FUNCTION and t.text[0].isalnum())
