"""Finds clips that show the same pictures at the same pace: by fingerprints, among tens of thousands in minutes.

First, keys (one sample a second) of one side are held against the samples of the other side; pairs of clips of which
one key is near one sample are candidates. Then all alignments of a candidate pair are looked at: the clips match when
a window exists in which the pictures' signs hardly contradict each other and, where there is movement, the movement
agrees too. The limits below were set on the clips of `benchmarks/passport.py`; docs/passport.md has the figures.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dataset_builder.engine import usable_cores
from dataset_builder.leakage.fingerprint import LAG, RATE, Fingerprint, Words

Counts = NDArray[np.int64]
Indices = NDArray[np.int64]

KEY_STEP = 4
"""Samples from key to key: one a second."""
SAMPLE_STEP = 2
"""Of the other side every second sample is looked at, so that a key is at most a quarter of a second off."""
KEY_NEAR = 16
"""A key is near a sample when at most so many of 64 bits (picture, positive) differ."""
WINDOW = 12
"""Samples that must agree in a row (3 s), or all of a clip that is shorter."""
SHORT = 4
"""A window of fewer samples (under 1 s), stills among them, is short."""
PICTURE_LIMIT, RESTING_PICTURE_LIMIT, SHORT_PICTURE_LIMIT = 0.2, 0.12, 0.1
"""Share of the picture's signs that may contradict each other, of those that both clips have. A picture that rests, or
is short, says less than one that moves, so less may contradict it."""
PICTURE_SUPPORT = 16
"""Signs of a sample, on average, that both clips must have: flat pictures match nothing."""
ROUGH_LIMIT = 0.25
"""The same limit for candidates, which are looked at where a key is, not where they agree best."""
BLOCK, ROWS = 4096, 32
"""Samples and keys that are compared at once: what they give stays in a core's cache."""
PAIRS = 4096
"""Candidate pairs that a process compares at a time."""
MANY = 200_000
"""Hits of a block that are looked at together."""
MOVING = 8
"""Signs of movement of a sample, on average, from which on a clip counts as moving, and movement must agree."""
MOVEMENT_LIMIT = 0.4
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
    """Find all pairs of a query and a reference that match, sorted by both indices.

    A still may be found in a clip too, near its keys.
    """
    pairs = candidates(queries, references, track)
    parts = [pairs[start : start + PAIRS] for start in range(0, len(pairs), PAIRS)]
    advance = track("comparing candidates", len(parts))
    _given(queries, references)
    if len(parts) >= usable_cores() > 1:
        # Comparing is Python between small arrays: threads would wait for each other.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(usable_cores(), spawn, initializer=_given, initargs=(queries, references)) as pool:
            return _all(pool.map(_compared, parts), advance)
    return _all(map(_compared, parts), advance)


def _all(parts: Iterable[list[Match]], advance: Callable[[], None]) -> list[Match]:
    matches: list[Match] = []
    for part in parts:
        matches += part
        advance()
    return matches


_sides: tuple[Sequence[Fingerprint], Sequence[Fingerprint]] = ((), ())
"""What a process compares: given once, not with every part."""


def _given(queries: Sequence[Fingerprint], references: Sequence[Fingerprint]) -> None:
    global _sides  # noqa: PLW0603  # how a pool's initializer hands over
    _sides = (queries, references)


def _compared(pairs: Sequence[tuple[int, int]]) -> list[Match]:
    queries, references = _sides
    likenesses = ((q, r, compare(queries[q], references[r])) for q, r in pairs)
    return [Match(q, r, likeness) for q, r, likeness in likenesses if likeness]


def is_blank(clip: Fingerprint) -> bool:
    """Say whether a clip is so flat or dark that it can match nothing."""
    return bool((np.bitwise_count(clip.words[:, 0] | clip.words[:, 1]) < PICTURE_SUPPORT).all())


def candidates(
    queries: Sequence[Fingerprint],
    references: Sequence[Fingerprint],
    track: Callable[[str, int], Callable[[], None]] = lambda _what, _total: lambda: None,
) -> list[tuple[int, int]]:
    """List the pairs (query, reference) of which a key of the one is near a sample of the other, sorted.

    The pictures before and after must not contradict each other too much either.
    """
    samples, keys = _gathered(queries, SAMPLE_STEP), _gathered(references, KEY_STEP)
    blocks = range(0, len(samples.at), BLOCK)
    advance = track("looking for candidates", len(blocks))

    def scan(start: int) -> Indices:
        block = samples.words[samples.at[start : start + BLOCK], 0]
        differing = np.empty((ROWS, len(block)), np.uint64)
        distance = np.empty((ROWS, len(block)), np.uint8)
        found: list[Indices] = [np.empty(0, np.int64)]
        hits: list[Indices] = []
        for first in range(0, len(keys.at), ROWS):
            rows = keys.words[keys.at[first : first + ROWS], 0]
            count = len(rows)
            np.bitwise_xor(rows[:, None], block[None, :], out=differing[:count])
            np.bitwise_count(differing[:count], out=distance[:count])
            hits.append(np.flatnonzero(distance[:count] <= KEY_NEAR) + first * len(block))
            # Many hits at once are quicker to look at than few; too many would fill the memory.
            if first + ROWS >= len(keys.at) or sum(map(len, hits)) > MANY:
                key, column = np.divmod(np.concatenate(hits), len(block))
                near = _alike_around(samples, start + column, keys, key)
                pairs = samples.owner[start + column[near]] * len(references) + keys.owner[key[near]]
                found.append(np.unique(pairs))
                hits.clear()
        all_found: Indices = np.unique(np.concatenate(found))
        return all_found

    parts: list[Indices] = [np.empty(0, np.int64)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        for part in pool.map(scan, blocks):
            parts.append(part)
            advance()
    return [(int(pair) // len(references), int(pair) % len(references)) for pair in np.unique(np.concatenate(parts))]


@dataclass(frozen=True)
class _Gathered:
    """The samples of many clips in one array, and which of them are looked at first.

    `words` is [all samples, 4]; clip c has those from `starts[c]` up to `ends[c]`; those looked at stand in rows `at`
    and belong to the clips `owner`.
    """

    words: Words
    starts: Indices
    ends: Indices
    at: Indices
    owner: Indices


def _gathered(clips: Sequence[Fingerprint], step: int) -> _Gathered:
    """Look at every `step`-th sample of each clip that has enough signs, at repeated ones once."""
    lengths = np.array([len(clip.words) for clip in clips], np.int64)
    ends = np.cumsum(lengths)
    at: list[Indices] = [np.empty(0, np.int64)]
    owner: list[Indices] = [np.empty(0, np.int64)]
    for index, clip in enumerate(clips):
        rows = np.arange(0, len(clip.words), step)
        rows = rows[np.bitwise_count(clip.words[rows, 0] | clip.words[rows, 1]) >= PICTURE_SUPPORT]
        kept = rows[np.sort(np.unique(clip.words[rows, 0], return_index=True)[1])]
        at.append(ends[index] - lengths[index] + kept)
        owner.append(np.full(len(kept), index, np.int64))
    words = np.concatenate([np.empty((0, 4), np.uint64), *(clip.words for clip in clips)])
    return _Gathered(words, ends - lengths, ends, np.concatenate(at), np.concatenate(owner))


def _alike_around(one: _Gathered, ones: Indices, other: _Gathered, others: Indices) -> NDArray[np.bool_]:
    """Say of pairs of samples (indices into `at`) whether the pictures around them, 3 s in all, are roughly alike."""
    a, b, clip_a, clip_b = one.at[ones], other.at[others], one.owner[ones], other.owner[others]
    differ, both = np.zeros(len(a), np.int64), np.zeros(len(a), np.int64)
    for step in range(-WINDOW // 2, WINDOW // 2):
        inside = (a + step >= one.starts[clip_a]) & (a + step < one.ends[clip_a])
        inside &= (b + step >= other.starts[clip_b]) & (b + step < other.ends[clip_b])
        x, y = one.words[np.where(inside, a + step, a)], other.words[np.where(inside, b + step, b)]
        against = np.bitwise_count((x[:, 0] & y[:, 1]) | (x[:, 1] & y[:, 0]))
        differ += inside * against
        both += inside * np.bitwise_count((x[:, 0] | x[:, 1]) & (y[:, 0] | y[:, 1]))
    return differ <= ROUGH_LIMIT * both


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
    limit = np.where(moving, PICTURE_LIMIT, RESTING_PICTURE_LIMIT) if window >= SHORT else SHORT_PICTURE_LIMIT
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
    """Sum counts of pairs of samples along alignments: [k, n, m] to [k, n + m - 1, n - window + 1].

    At [:, d, i] stands the sum over the pairs (i + s, i + s + d - (n - 1)) for s below `window`.
    """
    kinds, n, m = pairs.shape
    rows = np.zeros((kinds, n + m - 1, n + 1), np.int64)
    for i in range(n):
        rows[:, n - 1 - i : n - 1 - i + m, i + 1] = pairs[:, i]
    totals = np.cumsum(rows, axis=2)
    return totals[:, :, window:] - totals[:, :, :-window]
