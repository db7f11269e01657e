import numpy as np
import pytest
from scipy import stats

from ncjax.claims import partial_spearman, spearman


@pytest.mark.parametrize("ties", [False, True])
def test_agrees_with_scipy(ties: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 15))
    if ties:
        x, y = np.round(x), np.round(y)
    assert spearman(x, y)[0] == pytest.approx(stats.spearmanr(x, y).statistic)


def test_weights_count_runs_as_often_as_repeating_them() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 8))
    weights = rng.multinomial(8, np.full(8, 1 / 8), size=5).astype(float)
    expected = [
        stats.spearmanr(np.repeat(x, row.astype(int)), np.repeat(y, row.astype(int))).statistic for row in weights
    ]
    np.testing.assert_allclose(spearman(x, y, weights), expected)


def test_equal_strata_average_their_correlations() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 14))
    strata = np.repeat([0, 1], 7)
    within = [stats.spearmanr(x[strata == s], y[strata == s]).statistic for s in (0, 1)]
    assert spearman(x, y, strata=strata)[0] == pytest.approx(np.mean(within))


def test_a_shift_between_strata_changes_nothing() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 10))
    strata = np.repeat([0, 1], 5)
    assert spearman(x + 100 * strata, y - 100 * strata, strata=strata) == pytest.approx(spearman(x, y, strata=strata))


def test_no_spread_is_no_correlation() -> None:
    assert spearman(np.ones(5), np.arange(5.0))[0] == 0.0


def test_partial_agrees_with_regression_on_ranks() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=30)
    x, y = given + rng.normal(size=30), given + rng.normal(size=30)
    ranks = [stats.rankdata(values) for values in (x, y, given)]
    line = np.stack([ranks[2], np.ones(30)], axis=1)
    rest = [values - line @ np.linalg.lstsq(line, values, rcond=None)[0] for values in ranks[:2]]
    assert partial_spearman(x, y, given)[0] == pytest.approx(np.corrcoef(*rest)[0, 1])


def test_partial_is_zero_where_the_third_explains_everything() -> None:
    x = np.arange(6.0)
    assert partial_spearman(x, np.array([1.0, 0, 2, 3, 5, 4]), x)[0] == 0.0
