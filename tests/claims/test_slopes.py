import numpy as np
import pytest

from ncjax.claims import log_slope

RNG = np.random.default_rng(0)
X, Y = np.exp(RNG.normal(size=(2, 12)))


def test_agrees_with_least_squares_on_logarithms() -> None:
    assert log_slope(X, Y)[0] == pytest.approx(np.polyfit(np.log(X), np.log(Y), 1)[0])


def test_weights_count_runs_as_often_as_repeating_them() -> None:
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
