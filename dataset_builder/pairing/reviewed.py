"""What reviewers made of pairs: their verdicts brought to the pairs, and what share they accept of each kind."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from dataset_builder.intervals import wilson
from schemas.errors import DataError
from schemas.pair import Acceptance, Pair, PairVerdict

ENOUGH = 10
"""Verdicts from which on the acceptance of a kind is held to a recipe's least share."""


def reviewed(pair: Pair, verdict: PairVerdict | None) -> tuple[Pair, str]:
    """Give a pair as reviewers left it, and why it is not to be used, empty where it is.

    A pair that reviewers accepted or edited is used whatever the checks doubted; without a verdict, doubts count.
    """
    if verdict is None:
        return pair, doubts_told(pair)
    votes = ", ".join(f"{count} {vote}" for vote, count in verdict.votes.items())
    if verdict.verdict is None:
        return pair, f"reviewers are divided ({votes}): let another decide"
    if verdict.verdict == "reject":
        pair = msgspec.structs.replace(pair, verdict="reject")
        return pair, f"rejected by reviewers ({votes}): {', '.join(verdict.reasons) or 'no reason given'}"
    words = {"question": verdict.question, "answer": verdict.answer} if verdict.verdict == "edit" else {}
    return msgspec.structs.replace(pair, verdict=verdict.verdict, **words), ""


def doubts_told(pair: Pair) -> str:
    """Put the doubts about a pair into one line; empty where there are none."""
    if not pair.doubts:
        return ""
    told = "; ".join(f"{doubt.check}: {doubt.why}" for doubt in pair.doubts)
    return f"{told}: let people decide (docs/extend.md)"


def acceptances(judged: Iterable[tuple[str, PairVerdict]]) -> list[Acceptance]:
    """Count what became of pairs by the kind that each is named with, in order of the kinds."""
    kinds: dict[str, Counter[str | None]] = defaultdict(Counter)
    for kind, verdict in judged:
        kinds[kind][verdict.verdict] += 1
    return [
        Acceptance(
            of=kind,
            pairs=votes.total(),
            accepted=votes["accept"],
            edited=votes["edit"],
            rejected=votes["reject"],
            undecided=votes[None],
            accepted_95=wilson(votes["accept"], votes.total()),
            kept_95=wilson(votes["accept"] + votes["edit"], votes.total()),
        )
        for kind, votes in sorted(kinds.items())
    ]


def by_family_and_generator(pairs: Sequence[Pair], verdicts: Mapping[str, PairVerdict]) -> list[Acceptance]:
    """Count what became of pairs by family, then by generator."""
    known = [(pair, verdicts[pair.id]) for pair in pairs if pair.id in verdicts]
    return [
        *acceptances((f"family {pair.family}", verdict) for pair, verdict in known),
        *acceptances((f"generator {pair.generator}", verdict) for pair, verdict in known),
    ]


def refuse_unaccepted(found: Iterable[Acceptance], least: float) -> None:
    """Hold the acceptance of every kind that was judged often enough to a least share. Raises DataError."""
    short = [
        f"{kind.of}: {kind.accepted + kind.edited} of {kind.pairs} pairs were accepted or edited"
        for kind in found
        if kind.pairs >= ENOUGH and kind.accepted + kind.edited < least * kind.pairs
    ]
    if short:
        lines = "\n".join(short)
        raise DataError(f"{lines}\nthe recipe asks for {least:.0%} (pairs.min_acceptance): nothing is built")
