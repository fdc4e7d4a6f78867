"""Measures of agreement, of a handful of answers that were counted by hand."""

import pytest

from annotation.agreement.answers import Answers, gathered, gold_of, level_of
from annotation.agreement.coefficients import icc
from annotation.agreement.measures import (
    biases,
    descriptions,
    gold_clips,
    level_agreement,
    rater_figures,
    score_agreement,
    score_of,
)
from schemas.annotation import Annotation, Attribute
from schemas.errors import DataError
from schemas.levels import LEVELS
from schemas.response import Response
from stages.wording.taxonomy import DEGREES

NOISE, SHAKE = "noise", "camera shake"


def attribute(name: str, degree: str = "severe", start: float | None = None, end: float | None = None) -> Attribute:
    return Attribute(name=name, degree=degree, start=start, end=end)


def said(
    clip: str,
    rater: str,
    level: int | None = None,
    score: float | None = None,
    attributes: tuple[Attribute, ...] = (),
    **more: object,
) -> Response:
    return Response(
        **{
            **{
                "id": f"{clip} {rater} {more.get('role', '')}{more.get('updated', '')}",
                "task": clip,
                "record_id": clip,
            },
            **{"rater": rater, **more},
            "annotation": Annotation(
                id="a",
                clip=clip,
                rater=rater,
                level=None if level is None else LEVELS[level],
                score=score,
                attributes=list(attributes),
            ),
        }
    )


def table(levels: dict[str, str]) -> list[Response]:
    """Levels by clip, one digit a rater, `.` for none."""
    return [
        said(clip, f"r{rater}", int(level), 20 * int(level) + 10)
        for clip, row in levels.items()
        for rater, level in enumerate(row)
        if level != "."
    ]


def test_levels_of_a_table_without_gaps() -> None:
    rows = {"a": "012", "b": "112", "c": "343", "d": "444", "e": "210"}
    found = level_agreement(table(rows))
    assert (found.items, found.ratings) == (5, 15)
    assert found.block is not None
    assert (found.block.raters, found.block.items) == (["r0", "r1", "r2"], 5)
    assert found.block.icc == icc([[int(level) for level in row] for row in rows.values()])
    assert found.icc_one == pytest.approx(found.block.icc.one, abs=1e-12)
    assert [(pair.one, pair.two, pair.items) for pair in found.pairs] == [
        ("r0", "r1", 5),
        ("r0", "r2", 5),
        ("r1", "r2", 5),
    ]
    # r0: 0 1 3 4 2, r1: 1 1 4 4 1: squares 1 + 0 + 1 + 0 + 1; all of r0 with all of r1: 67 of 25 pairs.
    crossed = sum((a - b) ** 2 for a in (0, 1, 3, 4, 2) for b in (1, 1, 4, 4, 1))
    assert found.pairs[0].kappa == pytest.approx(1 - 3 * 5 / crossed)
    assert found.kappa == pytest.approx(sum(pair.kappa or 0 for pair in found.pairs) / 3)
    assert sum(map(sum, found.confusion)) == 30
    assert found.confusion[2][0] == found.confusion[0][2] == 2
    lo, hi = found.interval_of_ordinal or (0, 0)
    assert lo < (found.ordinal or 0) <= hi


def test_the_block_is_the_largest_part_without_gaps() -> None:
    found = level_agreement(table({"a": "01.", "b": "11.", "c": "343", "d": ".44", "e": "2.."}))
    assert found.block is not None
    assert (found.block.raters, found.block.items) == (["r0", "r1"], 3)
    assert found.items == 4


def test_scores_have_no_nominal_alpha() -> None:
    found = score_agreement(table({"a": "01", "b": "33"}))
    assert found.nominal is None
    # Squares within clips: 2 * 20² of 4 ratings; among all: 2 * (20² + 2 * 60² + 2 * 40²) of 4 * 3.
    assert found.interval == pytest.approx(1 - (800 / 4) / (21_600 / 12))


def test_attributes_and_degrees_by_hand() -> None:
    found = descriptions(
        [
            said("a", "r0", attributes=(attribute(NOISE, "slight"), attribute(SHAKE, "severe"))),
            said("a", "r1", attributes=(attribute(NOISE, "moderate"),)),
            said("b", "r0", attributes=(attribute(NOISE, "severe"), attribute(NOISE, "slight"))),
            said("b", "r1", attributes=(attribute(NOISE, "severe"),)),
            said("c", "r0"),
            said("c", "r1"),
        ],
        DEGREES,
    )
    assert found.pairs == 3
    assert found.set_f1 == pytest.approx((2 / 3 + 1 + 1) / 3)
    assert found.set_same == pytest.approx(2 / 3)
    shake, noise = found.attributes
    assert (shake.name, shake.named, shake.f1, shake.both) == (SHAKE, 1, 0, 0)
    assert shake.kappa == pytest.approx((4 / 6 - 26 / 36) / (1 - 26 / 36))
    assert (noise.name, noise.named, noise.f1, noise.both) == (NOISE, 4, 1, 2)
    assert noise.kappa == pytest.approx(1)
    assert noise.alpha == pytest.approx(1)
    assert (noise.degree_same, noise.degree_near) == (0.5, 1)


def test_times_by_hand() -> None:
    found = descriptions(
        [
            said("a", "r0", attributes=(attribute(NOISE, start=0, end=4), attribute(NOISE, start=6, end=8))),
            said("a", "r1", attributes=(attribute(NOISE, start=1, end=4),)),
            said("b", "r0", attributes=(attribute(NOISE),)),
            said("b", "r1", attributes=(attribute(NOISE, start=1, end=4),)),
        ],
        DEGREES,
    ).spans
    assert (found.pairs, found.matched) == (1, 1)
    assert found.matched_iou == 0.75
    assert found.f1 == pytest.approx(2 / 3)
    assert found.covered_iou == 0.5
    assert found.throughout_or_moments == 0.5


def project() -> Answers:
    """Two raters, one of whom scores 10 points above the other; one gold clip right and one wrong; one repeat."""
    both = [said(f"c{i}", rater, i % 5, 10 * i + off) for i in range(8) for rater, off in (("r0", 0), ("r1", 10))]
    return gathered(
        "depict",
        [
            *both,
            said("g1", "r0", 4, 80, (attribute(NOISE),), role="gold", seconds=6),
            said("g2", "r0", 0, 10, (attribute(SHAKE),), role="gold", seconds=12),
            said("again", "r0", 2, 5, role="repeat", of="c0", record_id="c0", seconds=24),
        ],
        {
            "g1": said("g1", "gold", 3, 70, (attribute(NOISE), attribute(SHAKE))).annotation,
            "g2": said("g2", "gold", 0, 0, (attribute(NOISE),)).annotation,
        },
        {"g1": 6.0, "g2": 6.0, "again": 6.0},
    )


def test_figures_of_raters_by_hand() -> None:
    first, second = rater_figures(project())
    assert (first.rater, first.clips, first.gold, first.repeats) == ("r0", 8, 2, 1)
    assert first.gold_right == 0.5
    assert first.gold_levels == 0.5
    assert first.gold_points == 10
    assert first.gold_f1 == pytest.approx((2 / 3 + 0) / 2)
    assert (first.repeat_same, first.repeat_levels, first.repeat_points, first.repeat_f1) == (0, 2, 5, 1)
    assert (first.seconds, first.pace) == (12, 2)
    assert second.gold_right is None
    assert second.pace is None
    assert second.bias is not None
    assert first.bias is not None
    assert second.bias - first.bias == pytest.approx(10, abs=0.1)
    assert [clip.record_id for clip in gold_clips(project(), {"r0"})] == ["g2", "g1"]
    assert gold_clips(project(), {"r1"}) == []


def test_one_rating_alone_takes_no_bias_from_others() -> None:
    answers = gathered("depict", [*project().responses, said("c1", "r9", 2, 40)], {}, {})
    assert set(biases(answers)) == {"r0", "r1"}


def test_the_latest_answer_counts_and_the_rest_is_counted() -> None:
    answers = gathered(
        "depict",
        [
            said("a", "r0", 1, updated="2026-01-02T00:00:00Z"),
            said("a", "r0", 3, updated="2026-01-03T00:00:00Z"),
            said("a", "r0", 2, updated="2026-01-01T00:00:00Z"),
            said("b", "r0", 3, state="draft"),
            Response(id="s", task="c", record_id="c", rater="r0", state="skipped"),
            Response(id="e", task="d", record_id="d", rater="r0"),
        ],
        {},
        {},
    )
    assert [response.annotation and response.annotation.level for response in answers.responses] == ["good"]
    counted = answers.counted
    assert (counted.judged, counted.superseded, counted.drafts, counted.skipped, counted.empty) == (1, 2, 1, 1, 1)


def test_a_level_comes_from_the_score_and_a_score_from_the_level() -> None:
    assert level_of(Annotation(id="a", clip="a", rater="r", score=60)) == 3
    assert level_of(Annotation(id="a", clip="a", rater="r", score=59.9, level="high")) == 4
    assert level_of(Annotation(id="a", clip="a", rater="r")) is None
    assert score_of(Annotation(id="a", clip="a", rater="r", level="high"), by_level=True) == 100
    assert score_of(Annotation(id="a", clip="a", rater="r", level="high"), by_level=False) is None


def test_gold_is_found_by_the_name_that_it_was_given() -> None:
    gold = [Annotation(id=clip, clip=clip, rater="gold") for clip in ("set/a.mp4", "b.mp4", "c", "deep/d.mp4")]
    records = {"set/a.mp4": "set/a.mp4", "set/b.mp4": "b.mp4", "set/c.mp4": "c", "set/d.mp4": "deep/d.mp4"}
    assert {record: known.id for record, known in gold_of(gold, records).items()} == records
    with pytest.raises(DataError, match="no known answers are of 'set/e.mp4'"):
        gold_of(gold, ["set/e.mp4"])
    with pytest.raises(DataError, match="2 known answers are of 'set/c.mp4'"):
        gold_of([*gold, gold[2]], ["set/c.mp4"])
