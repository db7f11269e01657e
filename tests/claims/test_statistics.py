import numpy as np
import pytest
from scipy import stats

from ncjax.claims import bootstrap_interval, log_slope, partial_spearman, resampled_weights, spearman
from ncjax.claims.statistics import centred, stratum_weights, weighted


def test_weights_draw_whole_units() -> None:
    weights = resampled_weights(np.array([0, 1, 0, 2, 1]), resamples=50)
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    np.testing.assert_array_equal(weights[:, 1], weights[:, 4])


def test_every_resample_draws_as_many_units_as_there_are() -> None:
    weights = resampled_weights(np.array([0, 0, 1, 2]), resamples=50)
    np.testing.assert_array_equal(weights[:, [0, 2, 3]].sum(axis=1), 3)


def test_equal_seeds_draw_equal_weights() -> None:
    np.testing.assert_array_equal(
        resampled_weights(np.arange(6), 20, seed=3), resampled_weights(np.arange(6), 20, seed=3)
    )


def test_interval_of_a_mean_matches_the_plain_bootstrap() -> None:
    values = np.random.default_rng(0).normal(size=40)
    interval = bootstrap_interval(lambda weights: weights @ values / weights.sum(axis=1), np.arange(40))
    drawn = np.random.default_rng(1).integers(0, 40, size=(10_000, 40))
    expected = np.quantile(values[drawn].mean(axis=1), [0.025, 0.975])
    # An interval's end has a standard error of about 0.003 here; both sides are drawn.
    np.testing.assert_allclose(interval[1:], expected, atol=0.02)


@pytest.mark.parametrize("widen", [False, True])
def test_value_is_the_statistic_of_all_runs(widen: bool) -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 6.0])
    interval = bootstrap_interval(lambda weights: weights @ values / weights.sum(axis=1), np.arange(5), widen=widen)
    assert interval.value == pytest.approx(3.2)


def test_widened_interval_is_wider() -> None:
    values = np.random.default_rng(0).normal(size=6)

    def mean(weights: np.ndarray) -> np.ndarray:
        return weights @ values / weights.sum(axis=1)

    plain, widened = (bootstrap_interval(mean, np.arange(6), widen=widen) for widen in (False, True))
    assert widened.low < plain.low < plain.high < widened.high


def test_widened_intervals_of_means_miss_at_about_the_nominal_rate() -> None:
    rng, sweeps, units = np.random.default_rng(0), 600, np.arange(6)
    missed = 0
    for _ in range(sweeps):
        values = rng.normal(size=6)
        interval = bootstrap_interval(
            lambda weights, values=values: weights @ values / weights.sum(axis=1), units, widen=True, resamples=3000
        )
        missed += not interval.low < 0 < interval.high
    # Measured 7% at 6 units (5% nominal); three binomial standard errors of 600 sweeps are 3.1 points.
    assert 0.05 - 0.031 <= missed / sweeps <= 0.07 + 0.031


def test_ends_that_are_rounding_error_are_zero() -> None:
    interval = bootstrap_interval(lambda weights: np.full(len(weights), 1e-16), np.arange(6))
    assert (interval.low, interval.high) == (0.0, 0.0)


def test_widened_ends_are_where_students_t_has_them() -> None:
    values = np.random.default_rng(0).normal(size=6)

    def mean(weights: np.ndarray) -> np.ndarray:
        return weights @ values / weights.sum(axis=1)

    interval = bootstrap_interval(mean, np.arange(6), widen=True, resamples=2000, seed=3)
    # Hesterberg 2015, section 4.2: the percentile is Φ(−√(n/(n−1)) t), t the 97.5% point with n − 1 degrees of freedom.
    tail = stats.norm.sf(np.sqrt(6 / 5) * 2.5705818356363146)
    expected = np.quantile(mean(resampled_weights(np.arange(6), 2000, seed=3)), [tail, 1 - tail])
    np.testing.assert_allclose(interval[1:], expected, rtol=1e-9)


def test_a_single_unit_cannot_be_widened() -> None:
    interval = bootstrap_interval(lambda weights: 3 * weights[:, 0], np.zeros(2, dtype=np.int64), widen=True)
    assert interval == (3.0, 3.0, 3.0)


GROUPS = np.array([0, 1, 0, 1, 1])
WEIGHTS = np.array([[1.0, 2.0, 3.0, 0.0, 4.0], [0.0, 1.0, 0.0, 1.0, 3.0]])


def test_runs_without_strata_are_all_together_once() -> None:
    weights, together = weighted(3, None, None)
    np.testing.assert_array_equal(weights, [[1, 1, 1]])
    np.testing.assert_array_equal(together, np.ones((3, 3)))


def test_the_weight_of_a_stratum_is_the_sum_of_its_runs_and_never_zero() -> None:
    _, together = weighted(5, WEIGHTS, GROUPS)
    np.testing.assert_array_equal(stratum_weights(WEIGHTS, together), [[4, 6, 4, 6, 6], [1, 5, 1, 5, 5]])


def test_values_are_centred_on_the_weighted_mean_of_their_stratum() -> None:
    values = np.array([1.0, 2.0, 5.0, 7.0, 11.0])
    weights, together = weighted(5, WEIGHTS[:1], GROUPS)
    means = [np.average(values[s == GROUPS], weights=WEIGHTS[0, s == GROUPS]) for s in (0, 1)]
    np.testing.assert_allclose(centred(values[None], weights, together)[0], values - np.array(means)[GROUPS])


@pytest.mark.parametrize("ties", [False, True])
def test_ranks_agree_with_scipy(ties: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 15))
    if ties:
        x, y = np.round(x), np.round(y)
    assert spearman(x, y)[0] == pytest.approx(stats.spearmanr(x, y).statistic)


def test_correlations_count_runs_as_often_as_repeating_them() -> None:
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


def test_partial_correlation_agrees_with_regression_on_ranks() -> None:
    rng = np.random.default_rng(0)
    given = rng.normal(size=30)
    x, y = given + rng.normal(size=30), given + rng.normal(size=30)
    ranks = [stats.rankdata(values) for values in (x, y, given)]
    line = np.stack([ranks[2], np.ones(30)], axis=1)
    rest = [values - line @ np.linalg.lstsq(line, values, rcond=None)[0] for values in ranks[:2]]
    assert partial_spearman(x, y, given)[0] == pytest.approx(np.corrcoef(*rest)[0, 1])


def test_partial_correlation_is_zero_where_the_third_explains_everything() -> None:
    x = np.arange(6.0)
    assert partial_spearman(x, np.array([1.0, 0, 2, 3, 5, 4]), x)[0] == 0.0


RNG = np.random.default_rng(0)
X, Y = np.exp(RNG.normal(size=(2, 12)))


def test_a_slope_agrees_with_least_squares_on_logarithms() -> None:
    assert log_slope(X, Y)[0] == pytest.approx(np.polyfit(np.log(X), np.log(Y), 1)[0])


def test_slopes_count_runs_as_often_as_repeating_them() -> None:
    weights = RNG.multinomial(12, np.full(12, 1 / 12), size=4).astype(float)
    repeated = [np.repeat(np.log([X, Y]), row.astype(int), axis=1) for row in weights]
    expected = [np.polyfit(x, y, 1)[0] for x, y in repeated]
    np.testing.assert_allclose(log_slope(X, Y, weights), expected)


def test_strata_have_one_slope_and_levels_of_their_own() -> None:
    strata = np.arange(12) % 3
    design = np.concatenate([np.log(X)[:, None], np.eye(3)[strata]], axis=1)
    expected = np.linalg.lstsq(design, np.log(Y), rcond=None)[0][0]
    assert log_slope(X, Y, strata=strata)[0] == pytest.approx(expected)


def test_no_spread_has_no_slope() -> None:
    assert log_slope(np.ones(4), Y[:4])[0] == 0.0
    assert log_slope(X[:2], Y[:2], strata=np.arange(2))[0] == 0.0


def test_a_spread_of_a_millionth_still_has_a_slope() -> None:
    x = 1 + 1e-5 * np.arange(4)
    assert log_slope(x, x**2)[0] == pytest.approx(2)
