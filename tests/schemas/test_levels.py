import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.levels import CUTS, LEVELS, LevelScale, level_of_unit, score_of_probabilities

finite = st.floats(-1e6, 1e6)


@pytest.mark.parametrize(
    ("unit", "level"),
    [
        (0.0, "low"),
        (0.19999999999999998, "low"),
        (0.2, "poor"),
        (0.4, "fair"),
        (0.5999999999999999, "fair"),
        (0.6, "good"),
        (0.8, "high"),
        (1.0, "high"),
    ],
)
def test_level_has_no_rounding_and_no_sixth_level(unit: float, level: str) -> None:
    assert level_of_unit(unit) == level


@pytest.mark.parametrize("unit", [-1e-9, 1.0000001, math.nan])
def test_level_outside_the_unit_range_is_refused(unit: float) -> None:
    with pytest.raises(ValueError, match="unit score"):
        level_of_unit(unit)


def test_published_streaming_record() -> None:
    """Waterloo SQoE-I's 48.609 in a set from 16.609 to 92.826 is 41.985 and fair in the released data."""
    scale = LevelScale(source="waterloo_i", lo=16.609, hi=92.826, mode="minmax")
    assert 100 * scale.unit(48.609) == pytest.approx(41.98516827982996, abs=2e-3)
    assert scale.level(48.609) == "fair"


@given(finite, finite, st.lists(finite, min_size=2))
def test_scale_is_monotone_and_clipped(a: float, b: float, raws: list[float]) -> None:
    lo, hi = min(a, b), max(a, b)
    if not lo < hi:
        return
    up = LevelScale(source="s", lo=lo, hi=hi, mode="explicit")
    down = LevelScale(source="s", lo=lo, hi=hi, mode="explicit", direction="lower_is_better")
    for x, y in zip(sorted(raws), sorted(raws)[1:], strict=False):
        assert 0 <= up.unit(x) <= up.unit(y) <= 1
        assert LEVELS.index(up.level(x)) <= LEVELS.index(up.level(y))
        assert down.unit(x) >= down.unit(y)
    assert (up.unit(lo), up.unit(hi)) == (0.0, 1.0)
    assert (down.unit(lo), down.unit(hi)) == (1.0, 0.0)


@given(st.floats(0, 1))
def test_level_counts_the_cuts_at_or_below(unit: float) -> None:
    assert level_of_unit(unit) == LEVELS[len([cut for cut in CUTS if cut <= unit])]


@pytest.mark.parametrize(("lo", "hi"), [(1.0, 1.0), (2.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_a_range_that_maps_nothing_is_refused(lo: float, hi: float) -> None:
    with pytest.raises(ValueError, match="lo < hi"):
        LevelScale(source="s", lo=lo, hi=hi, mode="explicit")


def test_score_weighs_worst_to_best() -> None:
    assert score_of_probabilities([1, 0, 0, 0, 0]) == 0.0
    assert score_of_probabilities([0, 0, 0, 0, 1]) == 1.0
    assert score_of_probabilities([0.2] * 5) == pytest.approx(0.5)
