"""Near-duplicates among the pairs of one clip: the same question and answer in almost the same words."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.pair import Pair
from stages.claims.words import plain, tokens_of

WORDS = 3
"""Words in a row that are compared."""
ALIKE = 0.6
"""Share of word triples two pairs have in common from which they are one. Two wordings of one template about two
attributes share less than half of theirs, since a triple over the attribute's name differs; an edit of one word in a
question and answer of 20 words leaves 18 of 24 triples, 0.7."""


def near_duplicates(pairs: Iterable[Pair]) -> dict[str, str]:
    """Give for each pair that says what an earlier pair of the same clip said the id of that earlier one.

    Exact Jaccard index of word triples: the pairs of one clip are few, so nothing is approximated.
    """
    found: dict[str, str] = {}
    kept: dict[str, list[tuple[str, frozenset[str]]]] = {}
    for pair in pairs:
        grams = _grams(pair)
        earlier = kept.setdefault(pair.record_id, [])
        twin = next((name for name, other in earlier if _jaccard(grams, other) >= ALIKE), None)
        if twin is None:
            earlier.append((pair.id, grams))
        else:
            found[pair.id] = twin
    return found


def _grams(pair: Pair) -> frozenset[str]:
    """Give the word triples of question and answer; the ends are marked, so that short ones have some too."""
    grams: set[str] = set()
    for side, text in (("q", pair.question), ("a", pair.answer)):
        words = [side, *(t.text for t in tokens_of(plain(text)) if t.text[0].isalnum()), side]
        grams.update(" ".join(words[i : i + WORDS]) for i in range(max(1, len(words) - WORDS + 1)))
    return frozenset(grams)


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
