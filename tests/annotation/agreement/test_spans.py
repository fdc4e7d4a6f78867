"""How alike time spans are, by hand and by brute force."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.agreement.spans import Span, covered_iou, iou, matched

SPANS = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 6)).map(lambda span: (float(span[0]), float(span[0] + span[1]))),
    max_size=4,
)


def test_iou_by_hand() -> None:
    assert iou((0, 4), (2, 6)) == pytest.approx(2 / 6)
    assert iou((1, 3), (1, 3)) == 1
    assert iou((0, 1), (1, 2)) == 0
    assert iou((0, 1), (5, 6)) == 0


def test_spans_are_matched_one_to_one() -> None:
    assert matched([(0, 4)], [(0, 4), (0, 2)]) == [1.0]
    assert sorted(matched([(0, 4), (10, 12)], [(11, 12), (0, 3)])) == [0.5, 0.75]
    assert matched([(0, 1)], [(5, 6)]) == []
    assert matched([], [(5, 6)]) == []


def test_covered_time_counts_once() -> None:
    assert covered_iou([(0, 2), (1, 4)], [(0, 4)]) == 1
    assert covered_iou([(0, 1), (3, 4)], [(0, 4)]) == 0.5
    assert covered_iou([], []) == 0


@given(SPANS, SPANS)
def test_no_other_matching_is_better(ones: list[Span], twos: list[Span]) -> None:
    if len(ones) > len(twos):
        ones, twos = twos, ones
    best = max(
        sum(iou(one, two) for one, two in zip(ones, chosen, strict=True))
        for chosen in itertools.permutations(twos, len(ones))
    )
    assert sum(matched(ones, twos)) == pytest.approx(best, abs=1e-12)


@given(SPANS, SPANS)
def test_covered_iou_is_that_of_seconds(ones: list[Span], twos: list[Span]) -> None:
    in_one, in_two = ({s for a, b in spans for s in range(int(a), int(b))} for spans in (ones, twos))
    expected = len(in_one & in_two) / len(in_one | in_two) if in_one | in_two else 0
    assert covered_iou(ones, twos) == pytest.approx(expected)
