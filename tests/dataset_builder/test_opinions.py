"""Mean opinion scores from single ratings, held to hand-computed figures, and to Netflix' sureal."""

import contextlib
import io
import math
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.opinions import Floats, Indices, Opinions, recover
from schemas.errors import DataError
from schemas.record import OpinionModel

MODELS: tuple[OpinionModel, ...] = get_args(OpinionModel)
Ratings = tuple[Indices, Indices, Floats]

TYPED = """\
1 1 2 1 2 1 1 5
2 2 3 1 3 2 2 5
2 3 3 2 3 . 3 3
3 3 4 3 4 3 2 1
4 3 5 3 4 4 4 1
4 4 5 4 5 4 5 1
5 4 5 4 . 5 4 1
1 2 2 1 3 1 1 4"""
"""Eight items by eight subjects, the last of whom goes by something else than quality; two ratings are missing."""


def of_rows(rows: str) -> Ratings:
    table = np.array([[math.nan if cell == "." else float(cell) for cell in row.split()] for row in rows.splitlines()])
    items, subjects = np.nonzero(~np.isnan(table))
    return items, subjects, table[items, subjects]


def drawn(
    seed: int, items: int = 60, subjects: int = 20, repeats: int = 1, careless: int = 3, missing: float = 0.2
) -> Ratings:
    """Ratings from 1 to 5 with biased and unsteady subjects, the last of them drawing lots, some ratings missing."""
    random = np.random.default_rng(seed)
    quality = random.uniform(1.3, 4.7, (items, 1, 1))
    bias, noise = random.normal(0, 0.4, (1, subjects, 1)), random.uniform(0.3, 0.8, (1, subjects, 1))
    ratings = quality + bias + noise * random.normal(size=(items, subjects, repeats))
    ratings[:, subjects - careless :] = random.uniform(1, 5, (items, careless, repeats))
    kept = random.random(ratings.shape) >= missing
    at, who, _ = np.nonzero(kept)
    return at, who, np.clip(np.rint(ratings), 1, 5)[kept]


def test_plain_mean_by_hand() -> None:
    """Item 0 is rated 1, 2, 3 and item 1 4, 4: t(2) = 4.302653, so that ci95 = 4.302653 / sqrt(3)."""
    found = recover(np.array([0, 0, 0, 1, 1]), np.array([0, 1, 2, 0, 1]), np.array([1.0, 2, 3, 4, 4]), "mos")
    assert found.mos.tolist() == [2, 4]
    assert found.std.tolist() == [1, 0]
    assert found.n.tolist() == [3, 2]
    assert found.ci95 == pytest.approx([2.484138, 0], abs=1e-6)
    assert found.bias.tolist() == [-0.5, 0, 1]
    assert found.inconsistency.tolist() == [0.5, 0, 0]
    assert not found.rejected.any()


def test_interval_of_the_plain_mean_is_students() -> None:
    """The published quantiles of Student's t by degrees of freedom: ci95 in standard errors, with one rating more."""
    published = {1: 12.706, 2: 4.303, 5: 2.571, 10: 2.228, 24: 2.064, 30: 2.042, 100: 1.984}
    for freedom, quantile in published.items():
        n = freedom + 1
        found = recover(np.zeros(n, np.int64), np.arange(n), np.arange(n, dtype=float), "mos")
        assert found.ci95[0] * math.sqrt(n) / found.std[0] == pytest.approx(quantile, abs=5e-4)


FROZEN: dict[OpinionModel, dict[str, list[float]]] = {
    "mos": {"mos": [1.75, 2.5, 2.71429, 2.875, 3.5, 4.0, 4.0, 1.875]},
    "bt500": {
        "mos": [1.28571, 2.14286, 2.66667, 3.14286, 3.85714, 4.42857, 4.5, 1.57143],
        "ci95": [0.36147, 0.5112, 0.4132, 0.5112, 0.5112, 0.39597, 0.43826, 0.58285],
        "rejected": [0, 0, 0, 0, 0, 0, 0, 1],
    },
    "p913": {
        "mos": [1.74043, 2.49043, 2.69315, 2.86543, 3.49043, 3.99043, 4.08673, 1.86543],
        "ci95": [0.99503, 0.7982, 0.35751, 0.52705, 0.68685, 0.79645, 0.96768, 0.75046],
        "bias": [-0.15179, -0.15179, 0.72321, -0.52679, 0.68367, -0.07143, -0.15179, -0.27679],
        "rejected": [0] * 8,
    },
    "p910": {
        "mos": [1.17188, 2.17187, 2.17188, 3.17187, 4.17187, 4.17188, 5.17187, 1.17188],
        "ci95": [0.93285, 0.74756, 0.34799, 0.48795, 0.65099, 0.74252, 0.90303, 0.69151],
        "bias": [-0.17187, -0.17187, 0.70313, -0.54687, 0.82812, -0.17187, -0.17187, -0.29687],
        "inconsistency": [0.0, 0.70711, 0.33072, 0.48412, 0.53452, 0.0, 0.70711, 3.01817],
    },
}
"""What sureal 0.9.0 makes of TYPED."""


@pytest.mark.parametrize("model", MODELS)
def test_typed_rows_as_sureal_has_them(model: OpinionModel) -> None:
    found = recover(*of_rows(TYPED), model)
    for field, values in FROZEN[model].items():
        assert np.asarray(getattr(found, field), float) == pytest.approx(values, abs=1e-3), field
    assert found.n.tolist() == ([7, 7, 6, 7, 7, 7, 6, 7] if model == "bt500" else [8, 8, 7, 8, 8, 8, 7, 8])


def by_sureal(items: Indices, subjects: Indices, ratings: Floats, model: OpinionModel) -> dict[str, Any]:
    import sureal

    names = {"mos": "MosModel", "bt500": "BT500Model", "p913": "P913124Model", "p910": "P910AnnexEModel"}
    clips: list[dict[str, Any]] = []
    for item in range(items.max() + 1):
        opinions: dict[str, list[float]] = {}
        for who, rating in zip(subjects[items == item], ratings[items == item], strict=True):
            opinions.setdefault(f"{who:04d}", []).append(float(rating))
        clips.append({"content_id": 0, "asset_id": item, "os": opinions, "path": str(item)})
    shown = [{"content_id": 0, "content_name": "c", "path": "none"}]
    reader = sureal.dataset_reader.RawDatasetReader(SimpleNamespace(ref_videos=shown, dis_videos=clips))
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        result: dict[str, Any] = getattr(sureal, names[model])(reader).run_modeling()
    return result


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("draw", [{"seed": 1}, {"seed": 2, "repeats": 2}, {"seed": 26, "missing": 0.4, "careless": 5}])
@pytest.mark.filterwarnings("ignore")  # what sureal warns of is not ours
def test_drawn_ratings_as_sureal_has_them(model: OpinionModel, draw: dict[str, Any]) -> None:
    ratings = drawn(**draw)
    theirs, ours = by_sureal(*ratings, model), recover(*ratings, model)
    assert ours.mos == pytest.approx(theirs["quality_scores"], abs=1e-3)
    if model == "mos":
        assert ours.std == pytest.approx(theirs["quality_ambiguity"], abs=1e-3)
    else:
        assert ours.ci95 == pytest.approx(theirs["quality_scores_ci95"][0], abs=1e-3)
    if model in {"bt500", "p913"}:
        assert ours.rejected.tolist() == theirs["observer_rejected"]
        assert ours.rejected.any()
    if model in {"p913", "p910"}:
        assert ours.bias == pytest.approx(theirs["observer_bias"], abs=1e-3)
    if model == "p910":
        assert ours.inconsistency == pytest.approx(theirs["observer_inconsistency"], abs=1e-3)


def planted(seed: int, subjects: int) -> tuple[Ratings, Floats, Floats, Floats]:
    """400 items rated by everyone, never rounded; and their quality, the subjects' biases and inconsistencies."""
    random = np.random.default_rng(seed)
    quality, bias, noise = (
        random.uniform(1, 5, 400),
        random.normal(0, 0.5, subjects),
        random.uniform(0.3, 1.5, subjects),
    )
    at, who = (axis.ravel() for axis in np.indices((400, subjects)))
    ratings = quality[at] + bias[who] + noise[who] * random.normal(size=at.size)
    return (at, who, ratings), quality + bias.mean(), bias - bias.mean(), noise


def test_planted_bias_and_inconsistency_are_recovered() -> None:
    ratings, quality, bias, noise = planted(5, 24)
    found = recover(*ratings, "p910")
    assert found.bias == pytest.approx(bias, abs=0.15)
    assert found.inconsistency == pytest.approx(noise, rel=0.15)
    assert not found.collapsed.any()
    plain = recover(*ratings, "mos").mos
    assert np.abs(found.mos - quality).mean() < 0.8 * np.abs(plain - quality).mean()


def test_a_subject_that_decides_alone_is_marked() -> None:
    """Twelve subjects are few: the likelihood has no bound, and the steadiest one is followed to the end."""
    ratings, _, _, noise = planted(7, 12)
    found = recover(*ratings, "p910")
    assert found.collapsed.tolist() == (noise == noise.min()).tolist()
    decides = ratings[1] == noise.argmin()
    assert found.mos == pytest.approx((ratings[2] - found.bias[ratings[1]])[decides], abs=1e-3)
    assert not recover(*ratings, "p913").collapsed.any()


def same(left: Opinions, right: Opinions, **expected: Floats) -> None:
    for field in ("mos", "std", "n", "ci95", "bias", "inconsistency", "rejected"):
        wanted = np.asarray(expected.get(field, getattr(right, field)), float)
        assert np.asarray(getattr(left, field), float) == pytest.approx(wanted, abs=1e-6, nan_ok=True), field


@pytest.mark.parametrize("model", MODELS)
def test_order_of_ratings_changes_nothing(model: OpinionModel) -> None:
    items, subjects, ratings = drawn(11)
    order = np.random.default_rng(0).permutation(len(ratings))
    same(recover(items[order], subjects[order], ratings[order], model), recover(items, subjects, ratings, model))


@pytest.mark.parametrize("model", MODELS)
def test_scale_of_ratings_carries_over(model: OpinionModel) -> None:
    """Ratings from 0 to 100 instead of 1 to 5: the same opinions, 25 times as wide."""
    items, subjects, ratings = drawn(12)
    small, large = recover(items, subjects, ratings, model), recover(items, subjects, 25 * (ratings - 1), model)
    wide = {field: 25 * getattr(small, field) for field in ("std", "ci95", "bias", "inconsistency")}
    same(large, small, mos=25 * (small.mos - 1), **wide)


@pytest.mark.parametrize("model", ["p913", "p910"])
def test_a_severer_subject_does_not_move_items_apart(model: OpinionModel) -> None:
    """One of 20 subjects rates everything 2 lower, on all items: the order and the distances of items stay."""
    items, subjects, ratings = drawn(13, careless=0, missing=0)
    before = recover(items, subjects, ratings, model)
    after = recover(items, subjects, ratings - 2.0 * (subjects == 4), model)
    assert after.mos == pytest.approx(before.mos - 0.1, abs=1e-6)
    assert after.bias - before.bias == pytest.approx(np.where(np.arange(20) == 4, -1.9, 0.1), abs=1e-6)
    assert after.inconsistency == pytest.approx(before.inconsistency, abs=1e-6)


def test_unanimous_items_make_nobody_an_outlier() -> None:
    """Two of twelve items are rated 5 by all: nobody is above or below the others there, and nobody is rejected."""
    items, subjects, ratings = drawn(14, items=12, careless=0, missing=0)
    ratings[items < 2] = 5.0
    ratings[items == 2] = 0.1  # whose mean is not exactly 0.1
    found = recover(items, subjects, ratings, "bt500")
    assert not found.rejected.any()
    assert found.mos[:3] == pytest.approx([5, 5, 0.1])


def test_nobody_is_rejected_where_everybody_would_be() -> None:
    """Two subjects, each far above and far below the other: kurtosis is 1, and reach sqrt(20) sigma is never met."""
    items, subjects, ratings = of_rows("1 5\n5 1\n1 5\n5 1")
    assert not recover(items, subjects, ratings, "bt500").rejected.any()
    assert recover(items, subjects, ratings, "bt500").mos.tolist() == [3, 3, 3, 3]


@pytest.mark.parametrize("model", MODELS)
def test_one_rater(model: OpinionModel) -> None:
    found = recover(np.array([0, 1, 2]), np.zeros(3, np.int64), np.array([2.0, 5, 3]), model)
    assert found.mos == pytest.approx([2, 5, 3])
    assert (found.bias.tolist(), found.inconsistency.tolist()) == (pytest.approx([0]), pytest.approx([0]))
    assert found.n.tolist() == [1, 1, 1]
    assert np.isnan([found.std, found.ci95]).all()


@pytest.mark.parametrize("model", ["mos", "bt500", "p913"])
def test_one_item(model: OpinionModel) -> None:
    found = recover(np.zeros(4, np.int64), np.arange(4), np.array([2.0, 3, 3, 4]), model)
    assert found.mos == pytest.approx([3])
    assert found.n.tolist() == [4]
    assert found.bias.tolist() == [-1, 0, 0, 1]


def test_p910_needs_more_than_one_rating_of_a_subject() -> None:
    with pytest.raises(DataError, match="4 subjects gave one rating only.*another model"):
        recover(np.zeros(4, np.int64), np.arange(4), np.array([2.0, 3, 3, 4]), "p910")


@pytest.mark.parametrize("model", MODELS)
def test_a_constant_rater_counts_little_in_p910_alone(model: OpinionModel) -> None:
    items, subjects, ratings = drawn(15, careless=0, missing=0)
    ratings[subjects == 7] = 3.0
    found = recover(items, subjects, ratings, model)
    assert np.isfinite([found.mos, found.std, found.ci95]).all()
    assert np.isfinite([found.bias, found.inconsistency]).all()
    if model == "p910":
        assert found.inconsistency.argmax() == 7


def test_items_and_subjects_without_ratings_are_undefined() -> None:
    found = recover(np.array([0, 0, 2, 2]), np.array([0, 2, 0, 2]), np.array([1.0, 2, 4, 5]), "p910")
    assert found.n.tolist() == [2, 0, 2]
    assert np.isnan([found.mos[1], found.std[1], found.ci95[1], found.bias[1], found.inconsistency[1]]).all()
    assert found.mos[[0, 2]] == pytest.approx([1.5, 4.5])


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(1, 5)), min_size=1, max_size=60))
def test_any_ratings_give_a_mean_within_them(rows: list[tuple[int, int, int]]) -> None:
    items, subjects, ratings = (np.array(column) for column in zip(*rows, strict=True))
    for model in ("mos", "bt500"):
        found = recover(items, subjects, ratings.astype(float), model)  # type: ignore[arg-type]
        rated = found.n > 0
        assert found.n.sum() == len(rows) - np.isin(subjects, np.flatnonzero(found.rejected)).sum()
        assert ((found.mos[rated] >= 1 - 1e-9) & (found.mos[rated] <= 5 + 1e-9)).all()
        assert (found.std[found.n > 1] <= 4).all()


@pytest.mark.parametrize(
    ("items", "ratings", "words"),
    [([], [], "no ratings"), ([0, 0], [3, math.nan], "rating 2 is nan"), ([0, -1], [3, 4], "below 0")],
)
def test_unusable_ratings_are_refused(items: list[int], ratings: list[float], words: str) -> None:
    with pytest.raises(DataError, match=words):
        recover(np.array(items, np.int64), np.arange(len(items)), np.array(ratings, np.float64), "mos")


def test_arrays_of_unlike_length_are_a_defect_of_the_caller() -> None:
    with pytest.raises(ValueError, match="one length each"):
        recover(np.array([0, 1]), np.array([0]), np.array([1.0]), "mos")
