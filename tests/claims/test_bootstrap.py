import numpy as np
import pytest
from scipy import stats

from ncjax.claims import bootstrap_interval, resampled_weights


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
