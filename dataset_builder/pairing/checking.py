"""Pairs held to all that is known of their clip, and to each other: what they are checked by stands in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from schemas.pair import Doubt, Pair
from schemas.record import Record
from stages.claims.checks import CHECKS, Checker
from stages.claims.claim import Claim, Known
from stages.claims.duplicates import near_duplicates

SIGNAL = "signal"
"""The check of claims against the clip's own pixels."""
NEAR = "says nearly what another pair of the clip says"
Against = Callable[[Record, Sequence[Claim]], Sequence[Doubt]]
"""What the signal says against claims about a clip."""


def checked(pairs: Sequence[Pair], known: Known, against: Against | None = None) -> list[Pair]:
    """Give the pairs of one clip with the checks that each passed and the doubts of the others.

    `against` asks the signal; without it the check is in neither list.
    """
    checker = Checker(known)
    asked = [*CHECKS, *([] if against is None else [SIGNAL])]
    found = []
    for pair in pairs:
        doubts = checker.doubts(pair)
        if against is not None:
            doubts += against(known.record, checker.claims(pair))
        failed = {doubt.check for doubt in doubts}
        passed = [name for name in asked if name not in failed]
        found.append(msgspec.structs.replace(pair, checks=passed, doubts=[*pair.doubts, *doubts]))
    return found


def without_repeats(pairs: Sequence[Pair]) -> tuple[list[Pair], list[tuple[Pair, str]]]:
    """Leave out pairs of one clip that say what an earlier one says in nearly the same words, with the reason."""
    again = near_duplicates(pairs)
    kept = [pair for pair in pairs if pair.id not in again]
    return kept, [(pair, NEAR) for pair in pairs if pair.id in again]
