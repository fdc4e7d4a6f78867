"""A random sample of clips, and what its failures say of all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec

from schemas.draws import share

CONFIDENCE = 0.95


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """How many of `clips` clips fail to decode, told from `decoded` of them of which `failed` do.

    `share_low` and `share_high` bound the share at 95 %; `expected`, `low` and `high` are the same in clips. Where all
    were decoded (`complete`) they are counts.
    """

    clips: int
    decoded: int
    failed: int
    share: float
    share_low: float
    share_high: float
    expected: float
    low: int
    high: int
    complete: bool


def drawn(paths: Iterable[str], count: int | None, seed: int) -> list[str]:
    """Draw `count` paths (None: all) by hash(seed, path), so that one more file displaces one at most."""
    ranked = sorted(paths, key=lambda path: (share(seed, "probe", path), path))
    return ranked if count is None else ranked[:count]


def exact_interval(hits: int, tries: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Give the exact interval of a share of which `hits` in `tries` were seen.

    Clopper and Pearson, The use of confidence or fiducial limits illustrated in the case of the binomial, Biometrika
    26, 1934. For draws without replacement, as here, it is a little too wide.
    """
    from scipy.special import betaincinv

    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, tries - hits + 1, tail))
    high = 1.0 if hits == tries else float(betaincinv(hits + 1, tries - hits, 1 - tail))
    return low, high


def failing(clips: int, decoded: int, failed: int) -> Failing:
    """Say how many of `clips` fail to decode. Where all were decoded, that is counted and there is no interval."""
    complete = decoded == clips
    share_seen = failed / decoded if decoded else 0.0
    low, high = (share_seen, share_seen) if complete else exact_interval(failed, decoded)
    return Failing(
        clips=clips,
        decoded=decoded,
        failed=failed,
        share=share_seen,
        share_low=low,
        share_high=high,
        expected=share_seen * clips,
        # What was seen to fail fails, and what was seen to decode does not, whatever the interval says.
        low=failed if complete else max(failed, math.floor(low * clips)),
        high=failed if complete else min(clips - decoded + failed, math.ceil(high * clips)),
        complete=complete,
    )
