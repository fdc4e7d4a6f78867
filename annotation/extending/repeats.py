"""Answers that a model gives for many clips alike: what fits every clip says little of any."""

from __future__ import annotations

import re
from collections.abc import Sequence

from datasketch import MinHash, MinHashLSH

from schemas.pair import Pair

WORDS = 3
"""Words in a row that are compared."""
ALIKE = 0.8
"""Share of word triples (Jaccard index) from which on two answers are the same in other words."""
SHORTEST = 12
"""Words of an answer from which on it is compared: short ones are rightly the same for many clips."""
PERMUTATIONS = 128
LOOKED_AT = 0.5
"""Likeness from which on the index is made to find candidates, so low that hardly any at `ALIKE` is missed."""
_WORD = re.compile(r"\w+")


def repeated(pairs: Sequence[Pair]) -> dict[str, str]:
    """Give for each pair whose answer nearly repeats that of an earlier pair of another clip the id of that one.

    Candidates are found by MinHash and locality-sensitive hashing (Broder, "On the resemblance and containment of
    documents", 1997; 128 permutations) and held to the exact Jaccard index of their word triples. Advice is left out:
    what helps against one problem helps against it in every clip.
    """
    index = MinHashLSH(threshold=LOOKED_AT, num_perm=PERMUTATIONS)
    seen: dict[str, tuple[str, frozenset[str]]] = {}
    found: dict[str, str] = {}
    for pair in pairs:
        words = _WORD.findall(pair.answer.lower())
        if pair.family == "extended-conversation" or len(words) < SHORTEST:
            continue
        grams = frozenset(" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1))
        sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update_batch([gram.encode() for gram in sorted(grams)])
        for name in sorted(index.query(sketch)):
            clip, other = seen[name]
            if clip != pair.record_id and len(grams & other) >= ALIKE * len(grams | other):
                found[pair.id] = name
                break
        else:
            seen[pair.id] = (pair.record_id, grams)
            index.insert(pair.id, sketch)
    return found
