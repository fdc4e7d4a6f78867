"""Taking what announces motion features out of a text, for models that are not fed any.

Leaving the words would promise the model what it never sees. Which words they are is told by where they stand: the
phrase, line or sentence that ends with the placeholder, and a sentence about motion features right behind it.
"""

from __future__ import annotations

import re

from schemas.sample import MOTION, VIDEO

_TEXT = r"[^.!?<>\n]*"
_WORDS = rf"{_TEXT}\bmotion(?: features?\b{_TEXT}|\s*(?=:)):?"
_NOTE = rf"(?: {_TEXT}\bmotion features?\b{_TEXT}\.)?"
_ANNOUNCED = re.compile(
    # <video> and its motion features <motion> | <video>, newline, "Motion features:", <motion> | <video> <motion>
    rf"(?<={VIDEO})(?:\s*{_WORDS})?\s*{MOTION}"
    # A sentence of its own, or a line.
    rf"|(?<=[.!?]){_WORDS}\s*{MOTION}\.?{_NOTE}"
    rf"|(?:^|(?<=\n)){_WORDS}\s*{MOTION}\.?{_NOTE}\s*",
    re.IGNORECASE,
)
_LEFT = re.compile(rf"\bmotion features?\b|{MOTION}", re.IGNORECASE)


def without_motion(text: str) -> str:
    """Take out the placeholders of motion features and the words that announce them.

    Raises ValueError where such words remain: nothing tells them from what is to be kept.
    """
    rest = _ANNOUNCED.sub("", text)
    if found := _LEFT.search(rest):
        around = rest[max(0, found.start() - 30) : found.end() + 30]
        raise ValueError(
            f"the text announces motion features, which the format does not feed, in words that cannot be taken out "
            f"safely ({around!r}): word it as the built-in prompts do, or export to llava"
        )
    return rest
