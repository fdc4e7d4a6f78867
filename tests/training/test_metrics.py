"""Metrics against scipy, against published scripts written anew, and where nothing is defined."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray

import training.evaluation.metrics
from training.evaluation.metrics import Agreement, agreement, fit_logistic, krcc

Values = NDArray[np.float64]
SHAPES = [(60, 3.0, 0.1), (200, 8.0, 0.06), (585, 5.0, 0.12)]


def made(seed: int, n: int, noise: float, width: float) -> tuple[Values, Values]:
    """Make predictions on 0 to 1, and scores on 0 to 100 that follow them along an S."""
    rng = np.random.default_rng(seed)
    predicted = rng.beta(2, 2, n)
    return predicted, 20 + 60 / (1 + np.exp(-(predicted - 0.45) / width)) + rng.normal(0, noise, n)


def measured(x: Values, y: Values, **options: int) -> Agreement:
    return agreement(x.tolist(), y.tolist(), **{"resamples": 0, **options})  # type: ignore[arg-type]


def published(x: Values, y: Values, width: float) -> tuple[float, float]:
    """Fit as the scripts in circulation do, from their own definition: correlation and RMSE after the fit."""

    def curve(q: Values, b1: float, b2: float, b3: float, b4: float) -> Values:
        mapped: Values = b2 + (b1 - b2) / (1 + np.exp(-(q - b3) / np.abs(b4)))
        return mapped

    start = [y.max(), y.min(), x.mean(), width]
    found, _ = scipy.optimize.curve_fit(curve, x, y, p0=start, maxfev=1_000_000)
    mapped = curve(x, *found)
    return scipy.stats.pearsonr(y, mapped).statistic, float(np.sqrt(np.mean((y - mapped) ** 2)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", SHAPES)
def test_metrics_equal_scipy_and_the_published_scripts(seed: int, shape: tuple[int, float, float]) -> None:
    x, y = made(seed, *shape)
    found = measured(x, y)
    assert found.srcc.value == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)
    assert found.krcc.value == pytest.approx(scipy.stats.kendalltau(x, y).statistic, abs=1e-12)
    assert found.plcc.value == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-12)
    for width in (0.5, float(np.std(x)) / 4):
        correlation, rmse = published(x, y, width)
        assert found.plcc_fitted.value == pytest.approx(correlation, abs=1e-6)
        assert found.rmse.value == pytest.approx(rmse, rel=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_the_fit_is_the_least_squares_one(seed: int) -> None:
    """A search of another kind, from another start, finds no lower residual and the same metrics."""
    x, y = made(seed, 150, 5.0, 0.08)
    found = measured(x, y)

    def residual(b: Values) -> float:
        return float(((b[1] + (b[0] - b[1]) / (1 + np.exp(-(x - b[2]) / abs(b[3]))) - y) ** 2).mean())

    start = np.array([90.0, 30.0, 0.4, 0.3])
    best = scipy.optimize.minimize(
        residual,
        start,
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 40_000, "maxfev": 40_000},
    )
    assert found.rmse.value == pytest.approx(np.sqrt(best.fun), rel=1e-6)
    assert found.fit is not None
    assert found.fit[:3] == pytest.approx(best.x[:3], rel=1e-3)
    assert abs(found.fit[3]) == pytest.approx(abs(best.x[3]), rel=1e-3)


def test_a_range_that_one_published_start_cannot_fit() -> None:
    """Where predictions lie thousands apart a width of 0.5 makes a step of the curve; the other start finds the S."""
    x, y = made(0, 60, 5.0, 0.06)
    narrow, wide = measured(x, y), measured(x * 1e5, y)
    assert published(x * 1e5, y, float(np.std(x * 1e5)) / 4)[1] == pytest.approx(wide.rmse.value, rel=1e-6)
    assert wide.plcc_fitted.value == pytest.approx(narrow.plcc_fitted.value, abs=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert published(x * 1e5, y, 0.5)[1] > 1.02 * (wide.rmse.value or 0)


def tau_b(x: list[float], y: list[float]) -> float:
    """Kendall's tau-b by counting pairs."""
    pairs = [(np.sign(a - b), np.sign(c - d)) for (a, c), (b, d) in itertools.combinations(zip(x, y, strict=True), 2)]
    agree = sum(p * q for p, q in pairs)
    return float(agree / np.sqrt(sum(p != 0 for p, _ in pairs) * sum(q != 0 for _, q in pairs)))


def test_ties_share_their_ranks() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 6, 80).astype(float), rng.integers(1, 6, 80).astype(float)
    x[:40] = y[:40]
    found = measured(x, y)
    assert found.krcc.value == pytest.approx(tau_b(x.tolist(), y.tolist()), abs=1e-12)
    assert found.srcc.value == pytest.approx(scipy.stats.spearmanr(x, y).statistic, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "y", "why"),
    [
        ([], [], "0 pairs"),
        ([0.5], [3.0], "1 pairs"),
        ([0.5] * 8, [1.0, 2, 3, 4, 5, 1, 2, 3], "all predictions are the same"),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [3.0] * 6, "all scores are the same"),
    ],
)
def test_what_is_not_defined_is_told(x: list[float], y: list[float], why: str) -> None:
    found = agreement(x, y, resamples=20)
    assert found.n == len(x)
    for metric in found.metrics().values():
        assert metric.value is None
        assert metric.low is None
        assert why in metric.why
    assert found.fit is None


def test_few_pairs_have_correlations_and_no_fit() -> None:
    found = agreement([0.1, 0.3, 0.2, 0.9], [1.0, 2.0, 3.0, 4.0], resamples=50)
    assert found.srcc.value == pytest.approx(0.8)
    assert "needs 5" in found.srcc.why
    assert found.srcc.low is None
    for metric in (found.plcc_fitted, found.rmse):
        assert metric.value is None
        assert "needs 5" in metric.why


def test_a_fit_that_does_not_converge_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.evaluation.metrics, "MOST_CALLS", 3)
    x, y = made(1, 60, 5.0, 0.1)
    found = measured(x, y)
    assert found.plcc.value is not None
    assert found.rmse.value is None
    assert found.plcc_fitted.why == "the logistic fit does not converge"
    assert fit_logistic(x.tolist(), y.tolist()) is None


def test_a_model_that_runs_against_the_scores_is_not_flattered_in_silence() -> None:
    x, y = made(2, 200, 5.0, 0.1)
    found = measured(-x, y)
    assert (found.plcc.value or 0) < -0.8
    assert (found.plcc_fitted.value or 0) > 0.8
    assert "falls" in found.notes[0]
    assert measured(x, y).notes == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_no_number_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        agreement([0.1, bad], [1.0, 2.0])
    with pytest.raises(ValueError, match="2 predictions for 1 scores"):
        agreement([0.1, 0.2], [1.0])
    with pytest.raises(ValueError, match="2 predictions for 1 scores"):
        krcc([0.1, 0.2], [1.0])


def test_intervals_are_percentiles_of_seeded_resamples() -> None:
    x, y = made(3, 120, 6.0, 0.08)
    found = measured(x, y, resamples=200, seed=7)
    rng = np.random.default_rng(7)
    drawn = [rng.integers(0, 120, 120) for _ in range(200)]
    for name, of in (("plcc", scipy.stats.pearsonr), ("srcc", scipy.stats.spearmanr), ("krcc", scipy.stats.kendalltau)):
        metric = found.metrics()[name]
        ends = np.quantile([of(x[d], y[d]).statistic for d in drawn], [0.025, 0.975])
        assert (metric.low, metric.high) == pytest.approx(ends, abs=1e-12)
    fitted = [published(x[d], y[d], float(np.std(x)) / 4) for d in drawn]
    for name, values in (("plcc_fitted", [c for c, _ in fitted]), ("rmse", [r for _, r in fitted])):
        metric = found.metrics()[name]
        assert (metric.low, metric.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), rel=1e-4)
    assert measured(x, y, resamples=200, seed=7) == found
    assert measured(x, y, resamples=200, seed=8).srcc.low != found.srcc.low


def test_resamples_on_which_a_metric_is_undefined_are_counted() -> None:
    """Of six predictions five are the same, so a third of all resamples are constant."""
    found = agreement([0.1] * 5 + [0.9], [1.0, 2, 3, 2, 1, 5], resamples=400)
    assert found.srcc.value is not None
    assert found.srcc.low is None
    assert found.srcc.undefined == pytest.approx(400 * (5 / 6) ** 6, rel=0.25)
    assert f"undefined on {found.srcc.undefined} of 400" in found.srcc.why


def test_two_pairs_have_a_rank_correlation() -> None:
    assert (krcc([0.1, 0.2], [1.0, 2.0]), krcc([0.1, 0.2], [2.0, 1.0]), krcc([0.1, 0.1], [2.0, 1.0])) == (1, -1, None)
    found = agreement([0.1, 0.2], [1.0, 2.0])
    assert (found.krcc.value, found.krcc.low) == (1, None)
