import jax
import numpy as np
import pytest
from scipy import stats

from ncjax import metrics
from tests import reference, reference_classes

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("layers", [3, 5, 40])
@pytest.mark.parametrize("noise", [0.0, 0.1, 3.0])
def test_the_line_is_that_of_least_squares(layers, noise):
    values = np.exp(-0.7 * np.arange(layers) + noise * RNG.normal(size=layers)).astype(np.float32)
    line = stats.linregress(np.arange(layers), np.log(values.astype(np.float64)))
    found = metrics.separation_law(values)
    # Logarithms of up to 30 in size round by 2e-6.
    assert float(found.slope) == pytest.approx(line.slope, rel=1e-5, abs=1e-6)
    assert float(found.r_squared) == pytest.approx(line.rvalue**2, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_a_common_factor_changes_nothing(scale):
    values = np.exp(RNG.normal(size=8))
    one, other = (metrics.separation_law((factor * values).astype(np.float32)) for factor in (1.0, scale))
    np.testing.assert_allclose(other, one, rtol=1e-4)


def test_layers_without_a_value_keep_their_place():
    values = np.array([16.0, np.nan, 4.0, 0.0, 1.0, np.inf], np.float32)
    found = metrics.separation_law(values)
    assert float(found.slope) == pytest.approx(-np.log(2), rel=1e-6)
    assert float(found.r_squared) == pytest.approx(1, rel=1e-6)


def test_few_layers_have_no_law_and_equal_ones_no_share(unchecked):
    assert np.isnan(metrics.separation_law(np.array([2.0, 1.0], np.float32))).all()
    assert np.isnan(metrics.separation_law(np.array([], np.float32))).all()
    flat = metrics.separation_law(np.full(4, 3.0, np.float32))
    assert float(flat.slope) == 0
    assert np.isnan(flat.r_squared)
    with pytest.raises(ValueError, match=r"values must have 1 axes, got shape \(2, 2\)"):
        metrics.separation_law(np.ones((2, 2), np.float32))


def test_runs_side_by_side():
    values = np.exp(RNG.normal(size=(3, 6))).astype(np.float32)
    both = jax.vmap(metrics.separation_law)(values)
    for place, row in enumerate(values):
        np.testing.assert_allclose([part[place] for part in both], metrics.separation_law(row), rtol=1e-5)


def test_the_law_of_features_whose_spread_halves_by_layer():
    fuzziness = []
    for layer in range(5):
        features, labels = reference.collapsed_features(
            np.random.default_rng(0), 6, 20, 40, std=0.5**layer, imbalance=True
        )
        fuzziness.append(metrics.nc1(metrics.class_stats(features, labels, 6), weighting="shares"))
        expected = reference_classes.nc1_by_shares(reference.Moments(features, labels))
        assert float(fuzziness[-1]) == pytest.approx(expected, rel=1e-4)
    law = metrics.separation_law(np.array(fuzziness))
    # Deep down the means are those of the construction; at the top samples blur them.
    assert float(law.slope) == pytest.approx(-2 * np.log(2), rel=0.1)
    assert float(law.r_squared) > 0.99
