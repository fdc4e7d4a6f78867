import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.levels import CUTS, LEVELS, LevelScale, level_distribution, level_of_unit, score_of_probabilities

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


units = st.floats(0, 1)
stds = st.floats(1e-6, 10)


@given(st.lists(finite, min_size=2), finite, st.sampled_from(["higher_is_better", "lower_is_better"]))
def test_minmax_gives_every_score_a_level_and_the_extremes_the_end_levels(
    raws: list[float], other: float, direction: str
) -> None:
    lo, hi = min(raws), max(raws)
    if not lo < hi:
        return
    scale = LevelScale(source="s", lo=lo, hi=hi, mode="minmax", direction=direction)  # type: ignore[arg-type]
    worst, best = (lo, hi) if direction == "higher_is_better" else (hi, lo)
    assert (scale.level(worst), scale.level(best)) == ("low", "high")
    assert all(scale.level(raw) in LEVELS for raw in (*raws, other))


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.integers(-2000, 2000))
def test_flipping_the_direction_mirrors_the_unit_score(lo: int, width: int, raw: int) -> None:
    """Whole numbers, whose differences are exact: the better one of two directions is the worse one of the other."""
    up = LevelScale(source="s", lo=lo, hi=lo + width, mode="explicit")
    down = LevelScale(source="s", lo=lo, hi=lo + width, mode="explicit", direction="lower_is_better")
    assert up.unit(raw) == down.unit(2 * lo + width - raw)
    assert up.level(raw) == down.level(2 * lo + width - raw)
    assert up.unit(raw) + down.unit(raw) == pytest.approx(1, abs=1e-15)


@given(st.integers(0, 100))
def test_a_cut_belongs_to_the_level_above_on_the_scale_of_percent(percent: int) -> None:
    """Of the scale 0 to 100 the scores 20, 40, 60, 80 are the cuts, and no rounding moves them."""
    scale = LevelScale(source="s", lo=0, hi=100, mode="nominal")
    assert scale.level(percent) == LEVELS[min(percent // 20, 4)]


def test_distribution_of_a_rating_at_the_middle() -> None:
    """Mean 0.5, std 0.1: the cuts are at -3, -1, 1 and 3 standard deviations."""
    tail, side = 0.0013498980316300933, 0.15730535589982697
    assert level_distribution(0.5, 0.1) == pytest.approx((tail, side, 0.6826894921370859, side, tail), abs=1e-15)


def test_distribution_keeps_the_tails() -> None:
    """At the top of the range half of the normal lies beyond it: it counts as high."""
    low, poor, fair, good, high = level_distribution(1.0, 0.2)
    assert high == pytest.approx(0.8413447460685429, abs=1e-15)
    assert (good, fair) == pytest.approx((0.13590512198327787, 0.02140023391654897), abs=1e-15)
    assert (low, poor) == pytest.approx((3.167124183311998e-05, 0.0013182267897969739), abs=1e-15)


@given(units, st.one_of(st.none(), st.just(0.0), stds))
def test_distribution_is_one(mean: float, std: float | None) -> None:
    shares = level_distribution(mean, std)
    assert len(shares) == 5
    assert min(shares) >= 0
    assert abs(sum(shares) - 1) <= 1e-12


@given(units)
def test_distribution_without_spread_is_the_hard_level(mean: float) -> None:
    hard = tuple(float(level == level_of_unit(mean)) for level in LEVELS)
    assert level_distribution(mean, None) == level_distribution(mean, 0.0) == hard


@given(units, units, stds)
def test_distribution_moves_up_with_the_mean(a: float, b: float, std: float) -> None:
    worse, better = level_distribution(min(a, b), std), level_distribution(max(a, b), std)
    assert score_of_probabilities(worse) <= score_of_probabilities(better) + 1e-12
    for level in range(1, 5):
        assert sum(worse[level:]) <= sum(better[level:]) + 1e-12


@given(st.integers(0, 64), st.floats(0.01, 1))
def test_distribution_mirrors(step: int, std: float) -> None:
    mean = step / 64  # 1 - mean is exact
    assert level_distribution(mean, std) == pytest.approx(level_distribution(1 - mean, std)[::-1], abs=1e-12)


@given(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.floats(1e-6, 0.02))
def test_distribution_of_agreeing_raters_is_the_hard_level(middle: float, std: float) -> None:
    assert max(level_distribution(middle, std)) == level_distribution(middle, std)[LEVELS.index(level_of_unit(middle))]
    assert max(level_distribution(middle, std)) > 0.999


@pytest.mark.parametrize(("mean", "std"), [(-0.1, 0.1), (1.1, None), (math.nan, 0.1), (0.5, -1), (0.5, math.nan)])
def test_distribution_of_nothing_is_refused(mean: float, std: float | None) -> None:
    with pytest.raises(ValueError, match="unit score|standard deviation"):
        level_distribution(mean, std)
