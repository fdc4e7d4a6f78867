"""Frames of the timeline against seconds."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotation.timeline import exact_rate, frames_of, seconds_of

RATES = st.sampled_from(
    [Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), *map(Fraction, (1, 10, 24, 25, 30, 50, 240))]
) | st.fractions(min_value=Fraction(1, 2), max_value=1000, max_denominator=1001)


@pytest.mark.parametrize(
    ("told", "rate"),
    [
        (30, Fraction(30)),
        (25.0, Fraction(25)),
        (29.97002997002997, Fraction(30000, 1001)),
        ("30000/1001", Fraction(30000, 1001)),
        ("23.976", Fraction(2997, 125)),
        (60000 / 1001, Fraction(60000, 1001)),
        (14.285714285714286, Fraction(100, 7)),
    ],
)
def test_a_rate_is_the_fraction_that_it_was(told: object, rate: Fraction) -> None:
    assert exact_rate(told) == rate


@pytest.mark.parametrize(
    "told",
    [0, -25, float("nan"), float("inf"), True, None, "", "x", "30/0", "1e999999999", [30], 10**400, "-30", 1e-300],
)
def test_what_is_no_rate_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match="no frame rate"):
        exact_rate(told)


def test_both_ends_of_a_range_belong_to_it() -> None:
    assert seconds_of(1, 1, Fraction(25)) == (0.0, 0.04)
    assert seconds_of(120, 180, Fraction(30)) == (119 / 30, 6.0)
    assert seconds_of(31, 60, Fraction(30000, 1001)) == (1.001, 2.002)


@pytest.mark.parametrize("span", [(0, 5), (6, 5), (-3, -1)])
def test_no_range_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="range of frames"):
        seconds_of(*span, Fraction(25))


@given(RATES, st.integers(1, 200_000), st.integers(0, 200_000), st.integers(0, 1000))
def test_frames_come_back_from_seconds(rate: Fraction, start: int, length: int, more: int) -> None:
    end = start + length
    told = exact_rate(float(rate))
    assert frames_of(*seconds_of(start, end, told), told, end + more) == (start, end)


@given(RATES, st.floats(0, 1000), st.floats(1e-6, 1000))
def test_a_span_is_covered_and_no_frame_more(rate: Fraction, start: float, length: float) -> None:
    first, last = frames_of(start, start + length, rate, 10**9)
    one = 1 / rate
    t0, t1 = seconds_of(first, last, rate)
    slack = float(one) / 500
    assert t0 <= start + slack
    assert t1 >= start + length - slack
    assert t0 > start - float(one) - slack
    assert t1 < start + length + float(one) + slack


def test_a_span_ends_with_the_clip() -> None:
    assert frames_of(1.0, 99.0, Fraction(25), 50) == (26, 50)
    with pytest.raises(ValueError, match="the clip ends at 2"):
        frames_of(2.0, 3.0, Fraction(25), 50)
    with pytest.raises(ValueError, match="start < end"):
        frames_of(2.0, 2.0, Fraction(25), 50)
