"""Verdicts of reviewers: decided by majority, and counted by kind."""

import pytest

from annotation.agreement.review import decide, review_agreement
from dataset_builder.intervals import wilson
from schemas.pair import Pair
from schemas.response import Response, Verdict


def said(rater: str, updated: str = "", role: str = "clip", **verdicts: str) -> Response:
    """What a reviewer said of pairs: `accept`, `reject: reason`, or `edit: new answer`."""
    given = []
    for pair_id, words in verdicts.items():
        verdict, _, more = words.partition(": ")
        edited = {"question": "Why?", "answer": more} if verdict == "edit" else {}
        reasons = [more] if verdict == "reject" else []
        given.append(Verdict(pair_id=pair_id, verdict=verdict, reasons=reasons, **edited))
    return Response(
        id=f"{rater}{updated}{role}",
        task="t1",
        record_id="c1",
        rater=rater,
        updated=updated,
        verdicts=given,
        role=role,
        of="t0" if role == "repeat" else None,
    )


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        (["accept", "accept", "reject: a"], "accept"),
        (["accept", "reject: a", "reject: b"], "reject"),
        (["accept", "reject: a"], None),
        (["edit: x", "accept", "reject: a"], "edit"),
        (["edit: x", "accept", "accept"], "accept"),
        (["edit: x"], "edit"),
        (["edit: x", "edit: y", "reject: a", "reject: a"], None),
    ],
)
def test_the_majority_decides(votes: list[str], expected: str | None) -> None:
    (found,) = decide([said(f"r{index}", p=vote) for index, vote in enumerate(votes)])
    assert found.verdict == expected
    assert sum(found.votes.values()) == len(votes)
    assert (found.answer is not None) == (expected == "edit")
    assert bool(found.reasons) == (expected == "reject")


def test_the_words_that_most_editors_chose() -> None:
    answers = ["x", "y", "y", "x"]
    edits = [said(f"r{index}", f"2026-01-0{index + 1}", p=f"edit: {answer}") for index, answer in enumerate(answers)]
    assert decide(edits)[0].answer == "x"  # as often as y, and later
    assert decide([*edits, said("r9", "2025-01-01", p="edit: y")])[0].answer == "y"
    assert decide(edits)[0].edits == 2


def test_repeats_are_no_second_vote() -> None:
    (found,) = decide([said("r0", p="accept"), said("r0", role="repeat", p="reject: a")])
    assert found.votes == {"accept": 1}


def test_acceptance_by_family_and_generator() -> None:
    pairs = {
        name: Pair(
            id=name,
            record_id="c1",
            family=family,
            form="open",
            question="?",
            answer="!",
            evidence=[],
            generator=generator,
        )
        for name, family, generator in (
            ("p0", "quality-centric", "template:a"),
            ("p1", "quality-centric", "request-1"),
            ("p2", "temporal-centric", "request-1"),
        )
    }
    responses = [
        said("r0", p0="accept", p1="edit: x", p2="reject: wrong time", p3="accept"),
        said("r1", p0="accept", p1="edit: x", p2="accept", p3="accept"),
        said("r2", p0="accept", p1="reject: not visible", p2="reject: wrong time", p3="accept"),
    ]
    found = review_agreement(responses, decide(responses), pairs)
    assert (found.pairs, found.verdicts, found.unknown) == (4, 12, 1)
    assert found.same == pytest.approx((3 + 1 + 1 + 3) / 12)
    (whole,) = found.acceptance
    assert (whole.pairs, whole.accepted, whole.edited, whole.rejected, whole.undecided) == (4, 2, 1, 1, 0)
    assert whole.accepted_95 == wilson(2, 4)
    assert whole.kept_95 == wilson(3, 4)
    assert [(kind.of, kind.pairs, kind.rejected) for kind in found.by_family] == [
        ("quality-centric", 2, 0),
        ("temporal-centric", 1, 1),
    ]
    assert [(kind.of, kind.accepted, kind.edited) for kind in found.by_generator] == [
        ("request-1", 0, 1),
        ("template:a", 1, 0),
    ]
    assert found.reasons == {"wrong time": 2, "not visible": 1}
    # Both ways 24: 14 accept, 4 edit, 6 reject, of which 16 the same.
    by_chance = sum((n / 24) ** 2 for n in (14, 4, 6))
    assert found.kappa == pytest.approx((16 / 24 - by_chance) / (1 - by_chance))


def test_nothing_to_agree_on() -> None:
    found = review_agreement([], [], {})
    assert (found.pairs, found.same, found.kappa, found.ordinal, found.acceptance) == (0, None, None, None, [])
