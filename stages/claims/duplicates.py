"""Near-duplicates among the pairs of one clip: the same question and answer in almost the same words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from schemas.levels import LEVELS
from schemas.pair import Pair
from stages.claims.words import plain, tokens_of
from stages.wording.taxonomy import DEGREES, MOTION, SPATIAL

WORDS = 3
"""Words in a row that are compared."""
ALIKE = 0.6
"""Share of word triples from which on two questions, or two answers, are one in other words: an edit of one word in 20
leaves 0.7."""
_TELLING = frozenset(
    word
    for name in (*DEGREES, *LEVELS, *SPATIAL, *MOTION, "yes no not never without left right upper lower top bottom")
    for word in name.split()
)
"""Words that make another claim of the same sentence."""


class _Side(NamedTuple):
    """One side of a pair: the letter of its option or the words that tell, and its word triples."""

    telling: frozenset[str]
    grams: frozenset[str]


def near_duplicates(pairs: Iterable[Pair]) -> dict[str, str]:
    """Give for each pair that says what an earlier pair of the same clip said the id of that earlier one.

    Both questions and both answers must be alike (exact Jaccard index of word triples: the pairs of one clip are few,
    so nothing is approximated), and hold the same degrees, levels, attributes, numbers and denials.
    """
    found: dict[str, str] = {}
    kept: dict[str, list[tuple[str, tuple[_Side, _Side]]]] = {}
    for pair in pairs:
        sides = _side(pair.question), _side(pair.answer)
        earlier = kept.setdefault(pair.record_id, [])
        twin = next((name for name, others in earlier if all(map(_same, sides, others))), None)
        if twin is None:
            earlier.append((pair.id, sides))
        else:
            found[pair.id] = twin
    return found


def _side(text: str) -> _Side:
    """Take the word triples of a text; its ends are marked, so that a short one has some too."""
    said = [t.text for t in tokens_of(plain(text)) if t.text[0].isalnum()]
    words = ["", *said, ""]
    grams = frozenset(" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1)))
    return _Side(frozenset(word for word in said if word in _TELLING or word[0].isdigit()), grams)


def _same(one: _Side, other: _Side) -> bool:
    if one.telling != other.telling:
        return False
    shared = len(one.grams & other.grams)
    return shared >= ALIKE * (len(one.grams) + len(other.grams) - shared)
