import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr

from dataset_builder.correlation import average_ranks, plcc, srcc


@pytest.mark.parametrize("seed", range(5))
def test_equal_to_scipy_with_and_without_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=200), rng.normal(size=200)
    for a, b in ((x, y + x), (x.round(1), y.round()), (x.round() > 0, y)):
        assert srcc(a.tolist(), b.tolist()) == pytest.approx(spearmanr(a, b)[0], abs=1e-9)
        assert plcc(a.tolist(), b.tolist()) == pytest.approx(pearsonr(a.astype(float), b)[0], abs=1e-9)
        np.testing.assert_array_equal(average_ranks(a.tolist()), rankdata(a))


@pytest.mark.parametrize(("x", "y"), [([1.0, 1.0, 1.0], [1.0, 2.0, 3.0]), ([1.0], [2.0]), ([], [])])
def test_undefined_is_none_not_nan(x: list[float], y: list[float]) -> None:
    assert srcc(x, y) is None
    assert plcc(x, y) is None


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 predictions for 3 scores"):
        plcc([1.0, 2.0], [1.0, 2.0, 3.0])
