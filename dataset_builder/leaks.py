"""Finds clips that show the same pictures at the same pace: by fingerprints, among tens of thousands in minutes.

First, keys (one sample a second) of one side are held against the samples of the other side; pairs of clips of which
one key is near one sample are candidates. Then all alignments of a candidate pair are looked at: the clips match when
a window exists in which the pictures' signs hardly contradict each other and, where there is movement, the movement
agrees too. The limits below were set on the clips of `benchmarks/passport.py`; docs/passport.md has the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.engine import usable_cores
from dataset_builder.fingerprint import LAG, RATE, Fingerprint, Words

Counts = NDArray[np.int64]

KEY_STEP = 4
"""Samples from key to key: one a second."""
KEY_NEAR = 14
"""A key is near a sample when at most so many of 64 bits (picture, positive) differ."""
WINDOW = 12
"""Samples that must agree in a row (3 s), or all of a clip that is shorter."""
SHORT = 4
"""A window of fewer samples (under 1 s), stills among them, falls under the stricter limit."""
PICTURE_LIMIT, STRICT_PICTURE_LIMIT = 0.2, 0.1
"""Share of the picture's signs that may contradict each other, of those that both clips have."""
PICTURE_SUPPORT = 16
"""Signs of a sample, on average, that both clips must have: flat pictures match nothing."""
MOVING = 16
"""Signs of movement of a sample, on average, from which on a clip counts as moving, and movement must agree."""
MOVEMENT_LIMIT = 0.35
"""Agreement of movement at least: signs that agree less those that do not, over the geometric mean of their counts."""


@dataclass(frozen=True)
class Likeness:
    """How two clips match: they share `seconds`, which begin at `starts` seconds in each.

    `picture` is the share of signs in contradiction, `movement` the agreement of movement, None where nothing moves.
    """

    seconds: float
    starts: tuple[float, float]
    picture: float
    movement: float | None


@dataclass(frozen=True)
class Match:
    """Clip `query` matches clip `reference` (indices)."""

    query: int
    reference: int
    likeness: Likeness


def find_matches(
    queries: Sequence[Fingerprint],
    references: Sequence[Fingerprint],
    track: Callable[[str, int], Callable[[], None]] = lambda _what, _total: lambda: None,
) -> list[Match]:
    """Find all pairs of a query and a reference that match, sorted by both indices. Stills match stills only."""
    pairs = candidates(queries, references, track)
    advance = track("comparing candidates", len(pairs))

    matches = []
    for query, reference in pairs:
        if found := compare(queries[query], references[reference]):
            matches.append(Match(query, reference, found))
        advance()
    return matches


def is_blank(clip: Fingerprint) -> bool:
    """Say whether a clip is so flat or dark that it can match nothing."""
    return bool((np.bitwise_count(clip.words[:, 0] | clip.words[:, 1]) < PICTURE_SUPPORT).all())


def candidates(
    queries: Sequence[Fingerprint],
    references: Sequence[Fingerprint],
    track: Callable[[str, int], Callable[[], None]] = lambda _what, _total: lambda: None,
) -> list[tuple[int, int]]:
    """List the pairs (query, reference) of which a key of the one is near a sample of the other, sorted."""
    keys, key_owner = _gathered(references, KEY_STEP)
    samples, sample_owner = _gathered(queries, 2)
    if not len(keys) or not len(samples):
        return []
    still = np.array([f.seconds == 0 for f in references]), np.array([f.seconds == 0 for f in queries])
    blocks = range(0, len(samples), BLOCK)
    advance = track("looking for candidates", len(blocks))

    def scan(start: int) -> NDArray[np.int64]:
        part = samples[start : start + BLOCK]
        differing = np.empty((ROWS, len(part)), np.uint64)
        distance = np.empty((ROWS, len(part)), np.uint8)
        found = []
        for first in range(0, len(keys), ROWS):
            rows = keys[first : first + ROWS]
            np.bitwise_xor(rows[:, None], part[None, :], out=differing[: len(rows)])
            np.bitwise_count(differing[: len(rows)], out=distance[: len(rows)])
            row, column = np.divmod(np.flatnonzero(distance[: len(rows)] <= KEY_NEAR), len(part))
            if len(row):
                query, reference = sample_owner[start + column], key_owner[first + row]
                alike = still[1][query] == still[0][reference]
                found.append(np.unique(query[alike] * len(references) + reference[alike]))
        return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)

    with ThreadPoolExecutor(usable_cores()) as pool:
        parts = []
        for part in pool.map(scan, blocks):
            parts.append(part)
            advance()
    joined = np.unique(np.concatenate(parts))
    return [(int(pair) // len(references), int(pair) % len(references)) for pair in joined]


BLOCK, ROWS = 4096, 32
"""Samples and keys that are compared at once: what they give stays in a core's cache."""


def _gathered(clips: Sequence[Fingerprint], step: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Take every `step`-th sample of each clip that has enough signs, repeated ones once: words and whose they are."""
    words, owners = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for index, clip in enumerate(clips):
        taken = clip.words[::step]
        taken = taken[np.bitwise_count(taken[:, 0] | taken[:, 1]) >= PICTURE_SUPPORT, 0]
        kept = np.unique(taken)
        words.append(kept)
        owners.append(np.full(len(kept), index, np.int64))
    return np.concatenate(words), np.concatenate(owners)


def compare(one: Fingerprint, other: Fingerprint) -> Likeness | None:
    """Compare two clips at every alignment. None = they do not match."""
    a, b = one.words, other.words
    window = min(len(a), len(b), WINDOW)
    agree, differ = _signs(a, b, 0)
    moves_agree, moves_differ = _signs(a, b, 2)
    # The last samples of a clip have no movement yet: not rest, but unknown.
    known_a, known_b = np.arange(len(a)) < len(a) - LAG, np.arange(len(b)) < len(b) - LAG
    known = known_a[:, None] & known_b[None, :]
    moves_a = np.bitwise_count(a[:, 2] | a[:, 3]).astype(np.int64)[:, None] * known
    moves_b = np.bitwise_count(b[:, 2] | b[:, 3]).astype(np.int64)[None, :] * known
    counts = np.stack(
        [
            agree,
            differ,
            (moves_agree - moves_differ) * known,
            moves_a,
            moves_b,
            known.astype(np.int64),
            np.ones((len(a), len(b)), np.int64),
        ]
    )
    agree, differ, moves, moves_a, moves_b, pairs, inside = _windowed(counts, window)
    picture = differ / np.maximum(agree + differ, 1)
    movement = moves / np.sqrt(np.maximum(moves_a, 1) * np.maximum(moves_b, 1))
    moving = np.maximum(moves_a, moves_b) >= MOVING * np.maximum(pairs, 1)
    limit = PICTURE_LIMIT if window >= SHORT else STRICT_PICTURE_LIMIT
    good = (inside == window) & (picture <= limit) & (agree + differ >= PICTURE_SUPPORT * window)
    good &= ~moving | (movement >= MOVEMENT_LIMIT)
    if not good.any():
        return None
    # The alignment with the most windows that agree; of equals the one that agrees best.
    count = good.sum(axis=1)
    best = int(np.lexsort((np.where(good, picture, 1).min(axis=1), -count))[0])
    starts = np.flatnonzero(good[best])
    first, last = int(starts[0]), int(starts[-1]) + window
    offset = best - (len(a) - 1)
    closest = int(starts[np.argmin(picture[best, starts])])
    return Likeness(
        seconds=(last - first) / RATE,
        starts=(first / RATE, (first + offset) / RATE),
        picture=round(float(picture[best, closest]), 4),
        movement=round(float(movement[best, closest]), 4) if moving[best, closest] else None,
    )


def _signs(a: Words, b: Words, part: int) -> tuple[Counts, Counts]:
    """Count the signs that agree and that contradict each other, for each pair of samples: two [len(a), len(b)]."""
    plus_a, minus_a, plus_b, minus_b = a[:, part, None], a[:, part + 1, None], b[None, :, part], b[None, :, part + 1]
    agree = np.bitwise_count((plus_a & plus_b) | (minus_a & minus_b)).astype(np.int64)
    differ = np.bitwise_count((plus_a & minus_b) | (minus_a & plus_b)).astype(np.int64)
    return agree, differ


def _windowed(pairs: Counts, window: int) -> Counts:
    """Sum along alignments: [k, n, m] to [k, n + m - 1, n - window + 1].

    At [:, d, i] stands the sum over the pairs of samples (i + s, i + s + d - (n - 1)) for s below `window`.
    """
    kinds, n, m = pairs.shape
    rows = np.zeros((kinds, n + m - 1, n + 1), np.int64)
    for i in range(n):
        rows[:, n - 1 - i : n - 1 - i + m, i + 1] = pairs[:, i]
    totals = np.cumsum(rows, axis=2)
    return totals[:, :, window:] - totals[:, :, :-window]
