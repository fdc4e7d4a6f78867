"""What the questions or answers of a config are made of: words, how they begin, how long they are."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from schemas.sample import PLACEHOLDERS

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_PLACEHOLDER = re.compile("|".join(PLACEHOLDERS))
_ASKED = "following question:"
"""What stands before the question itself where a prompt holds one of many (`stages.wording.prompts`, and published)."""
OPENING = 3
"""Words that an opening has."""
LONGEST = 257
"""Words from which on lengths are counted together."""
LONG_WORD = 40
"""Letters that are kept of a word: one without an end is none."""
COMMON = frozenset(
    re.findall(
        r"\w+",
        """
        a about above also an and any are as at be been but by can could do does for from had has have how i if in
        into is it its may more most no not of on one only or other please s so some such than that the their them
        then there these they this those to up us very was we were what when where which while who why will with would
        you your
        """,
    )
)
"""Words that every English text is full of: left out where the most frequent words are shown."""


@dataclass
class Texts:
    """Counts over texts: words in lower case, first words, texts by their length in words, and which are distinct."""

    count: int = 0
    words: Counter[str] = field(default_factory=Counter)
    openings: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    distinct: set[int] = field(default_factory=set)

    def add(self, text: str) -> None:
        """Count a text."""
        found = [word[:LONG_WORD] for word in _WORD.findall(text.lower())]
        self.count += 1
        self.words.update(found)
        self.lengths[min(len(found), LONGEST)] += 1
        self.distinct.add(hash(text))
        if found:
            self.openings[" ".join(found[:OPENING])] += 1


def asked(text: str) -> str:
    """Give what a user asks, without what says how the clip is fed."""
    after_media = _PLACEHOLDER.split(text)[-1] if "<" in text else text
    return (after_media.rpartition(_ASKED)[2]).strip(" .\n") or text.strip()


def most_frequent(counts: Counter[str], count: int, without: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    """List what is counted most often; of what is as frequent, the first by the alphabet."""
    kept = ((name, n) for name, n in counts.items() if name not in without)
    return sorted(kept, key=lambda of: (-of[1], of[0]))[:count]


def by_length(lengths: Counter[int]) -> list[tuple[str, int]]:
    """Count texts by classes of length that double: 0, 1, 2, 3 to 4, 5 to 8 and so on, without empty ends."""
    classes: Counter[int] = Counter()
    for length, count in lengths.items():
        classes[max(length - 1, 0).bit_length() + (length > 0)] += count
    if not classes:
        return []
    told = []
    for index in range(min(classes), max(classes) + 1):
        low, high = (2 ** (index - 2) + 1 if index > 1 else index), (2 ** (index - 1) if index else 0)
        name = f"{low}" if low == high else f"{low} to {high}"
        told.append((name if low < LONGEST else f"{low} or more", classes[index]))
    return told
