"""Pairs held to all that is known of their clip, and to each other: what they are checked by stands in each."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from schemas.pair import Doubt, Pair
from schemas.record import Record
from stages.claims.checks import CHECKS, Checker
from stages.claims.claim import Claim, Known
from stages.claims.duplicates import near_duplicates
from stages.wording.taxonomy import kind_of

SIGNAL = "signal"
"""The check of claims against the clip's own pixels."""
FORM = ("options", "length", "language")
"""The checks of how a pair is put, whatever is known of its clip: what a person wrote is held to these."""
NEAR = "says nearly what another pair of the clip says"
Against = Callable[[Record, Sequence[Claim]], Sequence[Doubt] | None]
"""What the signal says against claims about a clip; None where it cannot be asked."""


def checked(pairs: Sequence[Pair], known: Known, against: Against | None = None) -> list[Pair]:
    """Give the pairs of one clip with the checks that each passed and the doubts of the others.

    `against` asks the signal, and gives None of a clip that it cannot say anything of: the check is then in neither
    list. Checks of other names that a pair has passed before, such as a judge's, stay.
    """
    checker = Checker(known)
    found = []
    for pair in pairs:
        claims = checker.claims(pair)
        said = None if against is None else against(known.record, claims)
        doubts = [*pair.doubts, *checker.doubts(pair), *_moving(claims, known), *(said or ())]
        doubts = list({(doubt.check, doubt.why): doubt for doubt in doubts}.values())
        asked = [*CHECKS, *([] if said is None else [SIGNAL])]
        asked += [name for name in pair.checks if name not in asked and name != SIGNAL]
        failed = {doubt.check for doubt in doubts}
        passed = [name for name in asked if name not in failed]
        found.append(msgspec.structs.replace(pair, checks=passed, doubts=doubts))
    return found


def misshapen(pair: Pair, known: Known) -> list[Doubt]:
    """List what is wrong with the form of a pair, such as an answer that is none of its options."""
    return [doubt for doubt in Checker(known).doubts(pair) if doubt.check in FORM]


def _moving(claims: Sequence[Claim], known: Known) -> list[Doubt]:
    """Doubt what a still image cannot show."""
    if known.record.media.kind != "image":
        return []
    return [
        Doubt(check="image", why=f"a still image shows no {claim.attribute}", quote=claim.quote)
        for claim in claims
        if claim.present and kind_of(claim.attribute) == "motion"
    ]


def without_repeats(pairs: Sequence[Pair]) -> tuple[list[Pair], list[tuple[Pair, str]]]:
    """Leave out pairs of one clip that say what an earlier one says in nearly the same words, with the reason."""
    again = near_duplicates(pairs)
    kept = [pair for pair in pairs if pair.id not in again]
    return kept, [(pair, NEAR) for pair in pairs if pair.id in again]
