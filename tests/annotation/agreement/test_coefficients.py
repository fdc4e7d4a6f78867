"""Coefficients of agreement, held to published examples and to other packages to 1e-6."""

import krippendorff
import numpy as np
import pandas as pd
import pingouin
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from annotation.agreement.coefficients import alpha, icc, kappa, one_way_icc
from dataset_builder.intervals import wilson

METRICS = ("nominal", "ordinal", "interval")
WEIGHTS = {"none": None, "linear": "linear", "quadratic": "quadratic"}

PUBLISHED = """\
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 ."""
"""Krippendorff's own example: four observers, twelve units."""


def of_rows(rows: str) -> np.ndarray:
    return np.array([[np.nan if cell == "." else float(cell) for cell in row.split()] for row in rows.splitlines()])


def in_length(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(items, values) of a table [raters, items] with gaps."""
    _, items = np.nonzero(~np.isnan(table))
    return items, table[~np.isnan(table)]


def test_alpha_of_the_published_example() -> None:
    items, values = in_length(of_rows(PUBLISHED))
    assert alpha(items, values, "nominal") == pytest.approx(0.743, abs=5e-4)
    assert alpha(items, values, "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert alpha(items, values, "interval") == pytest.approx(0.849, abs=5e-4)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    raters=st.integers(2, 9),
    items=st.integers(2, 40),
    missing=st.floats(0, 0.7),
    words=st.integers(2, 101),
)
def test_alpha_is_that_of_krippendorff(
    metric: str, seed: int, raters: int, items: int, missing: float, words: int
) -> None:
    random = np.random.default_rng(seed)
    table = random.integers(0, words, (raters, items)).astype(float)
    table[:, : items // 2] = table[0, : items // 2]
    table[random.random(table.shape) < missing] = np.nan
    at, values = in_length(table)
    pairable = table[:, (~np.isnan(table)).sum(0) >= 2]
    ours = alpha(at, values, metric)
    if len(np.unique(pairable[~np.isnan(pairable)])) < 2:
        assert ours is None
        return
    assert ours == pytest.approx(krippendorff.alpha(table, level_of_measurement=metric), abs=1e-6)


@pytest.mark.parametrize("weights", WEIGHTS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 60), words=st.integers(2, 7), like=st.floats(0, 1))
def test_kappa_is_that_of_scikit_learn(weights: str, seed: int, n: int, words: int, like: float) -> None:
    random = np.random.default_rng(seed)
    one, other = random.integers(0, words, (2, n))
    two = np.where(random.random(n) < like, one, other)
    ours = kappa(one, two, words, weights)
    if len({*one.tolist(), *two.tolist()}) < 2:
        assert ours is None
        return
    theirs = cohen_kappa_score(one, two, weights=WEIGHTS[weights], labels=list(range(words)))
    assert ours == pytest.approx(theirs, abs=1e-6)


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # pingouin 0.7.0 beside pandas 3.1
@pytest.mark.parametrize("seed", range(12))
def test_icc_is_that_of_pingouin(seed: int) -> None:
    random = np.random.default_rng(seed)
    items, raters = int(random.integers(5, 30)), int(random.integers(2, 7))
    table = (
        random.normal(0, 1, (items, 1)) + random.normal(0, 0.5, (1, raters)) + random.normal(0, 0.7, (items, raters))
    )
    rows = [(item, rater, table[item, rater]) for item in range(items) for rater in range(raters)]
    frame = pd.DataFrame(rows, columns=["item", "rater", "value"])
    theirs = pingouin.intraclass_corr(frame, "item", "rater", "value")["ICC"].to_numpy()
    ours = icc(table)
    assert [ours.one, ours.two, ours.three_k] == pytest.approx([theirs[0], theirs[1], theirs[5]], abs=1e-6)
    order = random.permutation(items * raters)
    assert one_way_icc(frame["item"][order], frame["value"][order]) == pytest.approx(theirs[0], abs=1e-6)


def test_icc_of_the_published_table() -> None:
    """Shrout and Fleiss, 1979: six targets, four judges; ICC(1,1) .17, ICC(2,1) .29, ICC(3,4) .91."""
    table = of_rows("9 2 5 8\n6 1 3 2\n8 4 6 8\n7 1 2 6\n10 5 6 9\n6 2 4 7")
    found = icc(table)
    assert [found.one, found.two, found.three_k] == pytest.approx([0.17, 0.29, 0.91], abs=5e-3)


def test_one_way_icc_of_unequal_groups_by_hand() -> None:
    """Groups 1 3 | 5 7 9 | 2, the last of whom is left out: means 2 and 7, size (5 - 13 / 5) / 1 = 2.4.

    Between: 2 * 9 + 3 * 4 = 30; within: (2 + 8) / 3; so (30 - 10 / 3) / (30 + 1.4 * 10 / 3).
    """
    found = one_way_icc([0, 0, 1, 1, 1, 2], [1, 3, 5, 7, 9, 2])
    assert found == pytest.approx((30 - 10 / 3) / (30 + 1.4 * 10 / 3), abs=1e-12)


def test_what_is_not_defined_is_none() -> None:
    assert alpha([], [], "ordinal") is None
    assert alpha([0, 1, 2], [1, 2, 3], "ordinal") is None
    assert alpha([0, 0, 1, 1], [2, 2, 2, 2], "nominal") is None
    assert kappa([], [], 5) is None
    assert kappa([1, 1], [1, 1], 5, "quadratic") is None
    assert one_way_icc([], []) is None
    assert one_way_icc([0, 0], [1, 2]) is None
    assert icc([[1, 1], [1, 1]]).three_k is None
    assert icc([[1, 2]]).one is None


def test_wilson_by_hand() -> None:
    """Newcombe, 1998, table I: 81 of 263 lies in 0.2553 to 0.3662, 0 of 20 in 0 to 0.1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert wilson(0, 0) == (0, 1)
