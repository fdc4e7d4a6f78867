"""What reviewers made of pairs: one verdict for each pair, how far they agree, and what is accepted of what."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from annotation.agreement.answers import VERDICT_VALUES
from annotation.agreement.coefficients import alpha, kappa
from dataset_builder.pairing.reviewed import acceptances
from schemas.pair import Acceptance, Pair, PairVerdict
from schemas.response import Response, Verdict


class ReviewAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """Agreement on verdicts, over pairs judged twice or more, and the acceptance of all, by family and by generator.

    `kappa` is Cohen's over all pairs of reviewers, `ordinal` has reject < edit < accept. `reasons` counts the reasons
    of rejections. `unknown` counts verdicts on pairs that the file of pairs has not: they are in no family.
    """

    pairs: int
    verdicts: int
    same: float | None
    kappa: float | None
    nominal: float | None
    ordinal: float | None
    acceptance: list[Acceptance]
    by_family: list[Acceptance]
    by_generator: list[Acceptance]
    reasons: dict[str, int]
    unknown: int


def decide(responses: Sequence[Response]) -> list[PairVerdict]:
    """Give each pair the verdict of all its reviewers, ordered by pair."""
    found = []
    for pair_id, said in sorted(_by_pair(responses).items()):
        votes = Counter(verdict.verdict for _, verdict in said)
        verdict: Literal["accept", "edit", "reject"] | None = None
        question = answer = None
        if 2 * votes["reject"] > len(said):
            verdict = "reject"
        elif 2 * votes["reject"] < len(said):
            verdict = "edit" if votes["edit"] >= votes["accept"] else "accept"
        edits = [((v.question, v.answer), r.updated, r.rater) for r, v in said if v.verdict == "edit"]
        if verdict == "edit":
            often = Counter(words for words, *_ in edits)
            most = max(often.values())
            question, answer = max((edit for edit in edits if often[edit[0]] == most), key=lambda edit: edit[1:])[0]
        found.append(
            PairVerdict(
                pair_id=pair_id,
                verdict=verdict,
                votes=dict(sorted(votes.items())),
                raters=sorted(response.rater for response, _ in said),
                reasons=sorted({reason for _, v in said for reason in v.reasons}) if verdict == "reject" else [],
                question=question,
                answer=answer,
                edits=len({words for words, *_ in edits}),
            )
        )
    return found


def review_agreement(
    responses: Sequence[Response], decided: Sequence[PairVerdict], pairs: Mapping[str, Pair]
) -> ReviewAgreement:
    """Measure agreement on verdicts; `pairs` tells families and generators, by id, of the pairs that it has."""
    said = _by_pair(responses)
    couples = [
        (one.verdict, two.verdict) for of in said.values() for (_, one), (_, two) in itertools.combinations(of, 2)
    ]
    place = {verdict: int(value) for verdict, value in VERDICT_VALUES.items()}
    ways = [way for one, two in couples for way in ((place[one], place[two]), (place[two], place[one]))]
    items = [pair_id for pair_id, of in said.items() for _ in of]
    values = [VERDICT_VALUES[verdict.verdict] for of in said.values() for _, verdict in of]
    return ReviewAgreement(
        pairs=sum(len(of) > 1 for of in said.values()),
        verdicts=len(values),
        same=sum(one == two for one, two in couples) / len(couples) if couples else None,
        kappa=kappa([one for one, _ in ways], [two for _, two in ways], len(place)),
        nominal=alpha(items, values, "nominal"),
        ordinal=alpha(items, values, "ordinal"),
        acceptance=acceptances(("all", verdict) for verdict in decided),
        by_family=acceptances((pairs[v.pair_id].family, v) for v in decided if v.pair_id in pairs),
        by_generator=acceptances((pairs[v.pair_id].generator, v) for v in decided if v.pair_id in pairs),
        reasons=dict(Counter(r for of in said.values() for _, verdict in of for r in verdict.reasons).most_common()),
        unknown=sum(verdict.pair_id not in pairs for verdict in decided) if pairs else 0,
    )


def _by_pair(responses: Iterable[Response]) -> dict[str, list[tuple[Response, Verdict]]]:
    """List who said what of each pair; clips shown again to see who is consistent count once."""
    said: dict[str, list[tuple[Response, Verdict]]] = defaultdict(list)
    for response in responses:
        if response.role == "clip":
            for verdict in response.verdicts:
                said[verdict.pair_id].append((response, verdict))
    return said
