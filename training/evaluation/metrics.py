"""How predictions agree with opinion scores: rank and linear correlation, a logistic fit, bootstrap intervals.

SRCC, KRCC (tau-b) and PLCC are taken on the predictions as they are; `plcc_fitted` and `rmse` after the four-parameter
logistic that maps them to the scale of the scores. That function is the one of the VQEG's FRTV phase I test (final
report, 2000) as the field writes it since Seshadrinathan et al., "Study of subjective and objective quality assessment
of video", IEEE TIP 19(6), 2010: q' = b2 + (b1 - b2) / (1 + exp(-(q - b3) / |b4|)).

It is fitted by least squares (Levenberg-Marquardt, scipy's curve_fit) from the two starts that published scripts use,
which differ in b4: 0.5 (VSFA, VIDEVAL and what follows them) and a quarter of the predictions' standard deviation
(pyiqa); b1 and b2 start at the highest and lowest score, b3 at the mean prediction. Of the two the lower residual
counts: from 0.5 alone a fit to predictions on another range can end where the curve is a step. Where neither ends
within MOST_CALLS evaluations, what needs the fit is undefined, and the reason says so.

An undefined metric is None with its reason, never a number and never an error.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit, minimize
from scipy.special import expit
from scipy.stats import kendalltau

from dataset_builder.correlation import plcc, srcc
from dataset_builder.progress import Tracker, untracked

Values = NDArray[np.float64]

LEAST = 5
"""Fewer pairs than this decide nothing: the logistic has four parameters."""
MOST_CALLS = 10_000
"""Evaluations of the logistic that one fit is given; published scripts allow 1e8, which is as good as no end."""
RESAMPLES = 1000
LEVEL = 0.95
MOST_UNDEFINED = 0.05
"""Share of resamples on which a metric may be undefined for its interval still to be given."""
NAMES = ("srcc", "krcc", "plcc", "plcc_fitted", "rmse")


class Measured(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One metric with its interval; `why` says why the value, or only the interval, is None.

    `undefined` counts the resamples that the interval leaves out, since the metric is not defined on them.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    undefined: int = 0
    why: str = ""


class Agreement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Metrics over `n` pairs; `rmse` is in units of the scores. `fit` holds b1 to b4, None without a fit.

    `notes` say what a reader of the numbers must know. Intervals are percentiles of `resamples` bootstrap resamples.
    """

    n: int
    srcc: Measured
    krcc: Measured
    plcc: Measured
    plcc_fitted: Measured
    rmse: Measured
    fit: list[float] | None
    resamples: int
    seed: int
    level: float
    notes: list[str]

    def metrics(self) -> dict[str, Measured]:
        """Give the metrics by name."""
        return {name: getattr(self, name) for name in NAMES}


@dataclass(frozen=True)
class _Fitted:
    """Parameters of the logistic, and what is left of the scores: the sum of squared residuals."""

    parameters: tuple[float, ...]
    residual: float


def krcc(predicted: Sequence[float], truth: Sequence[float]) -> float | None:
    """Kendall's rank correlation tau-b, which allows for ties; None where it is not defined."""
    if len(predicted) != len(truth):
        raise ValueError(f"{len(predicted)} predictions for {len(truth)} scores")
    if len(predicted) < 2 or np.ptp(predicted) == 0 or np.ptp(truth) == 0:
        return None
    # Only the value is used. An exact p-value would cost far more; of two pairs there is no asymptotic one.
    how = "asymptotic" if len(predicted) > 2 else "exact"
    return float(kendalltau(predicted, truth, method=how).statistic)


def logistic(x: Values, top: float, bottom: float, middle: float, width: float) -> Values:
    """Map predictions to the scale of scores: bottom + (top - bottom) / (1 + exp(-(x - middle) / |width|))."""
    with np.errstate(over="ignore"):
        steep = (x - middle) / max(abs(width), float(np.finfo(np.float64).tiny))
    mapped: Values = bottom + (top - bottom) * expit(steep)
    return mapped


def fit_logistic(predicted: Sequence[float], truth: Sequence[float]) -> tuple[float, ...] | None:
    """Give (b1, b2, b3, b4) of the least squares fit, None where there is none or too little to fit to."""
    found = _fit(np.asarray(predicted, np.float64), np.asarray(truth, np.float64))
    return found.parameters if isinstance(found, _Fitted) else None


def agreement(
    predicted: Sequence[float],
    truth: Sequence[float],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    track: Tracker = untracked,
) -> Agreement:
    """Measure how predictions agree with scores, pair by pair.

    Intervals are percentiles of resamples of the pairs, drawn by `seed`; on each the logistic is fitted anew. (BCa
    would need one more fit for every pair left out.) Raises ValueError for lists of unlike length, and for what is no
    finite number.
    """
    x, y = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    if len(x) != len(y):
        raise ValueError(f"{len(x)} predictions for {len(y)} scores")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("predictions and scores are finite numbers")
    fitted = _fit(x, y)
    start = fitted.parameters if isinstance(fitted, _Fitted) else None
    values = _values(x, y, start)
    drawn = resamples if len(x) >= LEAST else 0
    draws = _draws(x, y, start, resamples=drawn, seed=seed, track=track)
    undefined = _undefined(x, y)
    measured = {}
    for name in NAMES:
        needs_fit = name in {"plcc_fitted", "rmse"}
        why = undefined or (fitted if needs_fit and isinstance(fitted, str) else "")
        if values[name] is None and not why:
            why = "the fitted curve is flat over the predictions"
        measured[name] = _with_interval(values[name], why, draws[name], drawn)
    notes = []
    if start is not None and (start[0] < start[1]):
        notes.append("the fitted curve falls: higher predictions go with lower scores, which plcc_fitted hides")
    return Agreement(
        n=len(x),
        **measured,
        fit=list(start) if start is not None else None,
        resamples=resamples,
        seed=seed,
        level=LEVEL,
        notes=notes,
    )


def _undefined(x: Values, y: Values) -> str:
    if len(x) < 2:
        return f"{len(x)} pairs: a correlation needs 2"
    if np.ptp(x) == 0:
        return "all predictions are the same"
    return "all scores are the same" if np.ptp(y) == 0 else ""


def _fit(x: Values, y: Values) -> _Fitted | str:
    """Fit the logistic, or say why there is no fit."""
    if reason := _undefined(x, y):
        return reason
    if len(x) < LEAST:
        return f"{len(x)} pairs: a fit of four parameters needs {LEAST}"
    ends = (float(y.max()), float(y.min()), float(x.mean()))
    starts = [(*ends, 0.5), (*ends, float(x.std()) / 4)]
    found = [fit for each in starts if (fit := _fit_from(x, y, each))]
    return min(found, key=lambda fit: fit.residual) if found else "the logistic fit does not converge"


def _fit_from(x: Values, y: Values, start: tuple[float, ...]) -> _Fitted | None:
    with warnings.catch_warnings():
        # It warns where it cannot tell the parameters' covariance, which nobody asks for.
        warnings.simplefilter("ignore", OptimizeWarning)
        try:
            parameters, _ = curve_fit(logistic, x, y, p0=start, maxfev=MOST_CALLS)
        except RuntimeError:
            return None
    mapped = logistic(x, *parameters)
    if not np.isfinite(mapped).all():
        return None
    return _Fitted(tuple(map(float, parameters)), float(((mapped - y) ** 2).sum()))


def _values(x: Values, y: Values, parameters: tuple[float, ...] | None) -> dict[str, float | None]:
    pairs: tuple[Sequence[float], Sequence[float]] = (x, y)  # type: ignore[assignment]  # arrays are read as such
    found: dict[str, float | None] = dict.fromkeys(NAMES)
    plain: dict[str, Callable[[Sequence[float], Sequence[float]], float | None]] = {
        "srcc": srcc,
        "krcc": krcc,
        "plcc": plcc,
    }
    for name, of in plain.items():
        found[name] = of(*pairs)
    if parameters is not None:
        mapped = logistic(x, *parameters)
        found["plcc_fitted"] = plcc(mapped, y)  # type: ignore[arg-type]  # as above
        found["rmse"] = float(np.sqrt(((mapped - y) ** 2).mean()))
    return found


def _draws(
    x: Values, y: Values, start: tuple[float, ...] | None, *, resamples: int, seed: int, track: Tracker
) -> dict[str, list[float]]:
    draws: dict[str, list[float]] = {name: [] for name in NAMES}
    if not resamples or _undefined(x, y):
        return draws
    rng = np.random.default_rng(seed)
    advance = track("resample", resamples)
    for _ in range(resamples):
        drawn = rng.integers(0, len(x), len(x))
        values = _values(x[drawn], y[drawn], None)
        if start is not None and not _undefined(x[drawn], y[drawn]):
            values["plcc_fitted"], values["rmse"] = _refitted(x[drawn], y[drawn], start)
        for name, value in values.items():
            if value is not None:
                draws[name].append(value)
        advance()
    return draws


def _refitted(x: Values, y: Values, start: tuple[float, ...]) -> tuple[float, float]:
    """Give correlation and RMSE after the least squares fit, searched for from the parameters `start`.

    For given b3 and b4 the best b1 and b2 are a linear regression, so the fit is where in (b3, b4) the S-curve
    correlates best with the scores. Two parameters are found in a tenth of the time of four, and scores that are all
    but linear in the predictions, where the four drift off without end, are no special case.
    """
    z, centred = (x - x.mean()) / x.std(), y - y.mean()
    scores = centred @ centred

    def unexplained(at: Values) -> float:
        curve = expit(at[0] + math.exp(min(at[1], 50.0)) * z)
        curve -= curve.mean()
        varies = curve @ curve
        return 1.0 - float((curve @ centred) ** 2 / (varies * scores)) if varies > 0 else 1.0

    # Beyond these ends the curve is a step, a line or an exponential, whatever the parameters.
    width = max(abs(start[3]), 1e-12)
    shift = min(max((x.mean() - start[2]) / width, -6.0), 6.0)
    steep = math.log(min(max(x.std() / width, 0.05), 50.0))
    simplex = [[shift, steep], [shift + 0.5, steep], [shift, steep + 0.5]]
    options = {"initial_simplex": simplex, "xatol": 0.05, "fatol": 1e-6, "maxfev": 200}
    left = float(minimize(unexplained, simplex[0], method="Nelder-Mead", options=options).fun)
    return math.sqrt(max(0.0, 1 - left)), math.sqrt(max(0.0, left)) * float(y.std())


def _with_interval(value: float | None, why: str, draws: list[float], resamples: int) -> Measured:
    if value is None:
        return Measured(value=None, why=why)
    if not resamples:
        return Measured(value=value, why=f"no interval: it needs {LEAST} pairs and resamples")
    undefined = resamples - len(draws)
    if undefined > MOST_UNDEFINED * resamples:
        why = f"no interval: undefined on {undefined} of {resamples} resamples"
        return Measured(value=value, undefined=undefined, why=why)
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Measured(value=value, low=float(low), high=float(high), undefined=undefined)
