import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference

SHAPES = [(40, 6), (6, 40), (200, 64)]
# The decomposition's backward error is some eps |A|_2 in each value, so k eps |log p| in an entropy of k shares.
PROMISE = 1e-5


def features_of(shape, decay, seed=0, offset=0.0):
    """Features whose directions fall off as i^-decay."""
    n, d = shape
    rng = np.random.default_rng(seed)
    values = np.arange(1, min(n, d) + 1.0) ** -decay
    left, right = (np.linalg.qr(rng.normal(size=(rows, len(values))))[0] for rows in (n, d))
    return (offset + 3 * left * values @ right.T).astype(np.float32)


def slope(features):
    """Weighted least squares by its normal equations in double precision."""
    values = np.linalg.svd(features.astype(np.float64) - features.mean(axis=0, dtype=np.float64), compute_uv=False)
    i = np.arange(1, len(values) + 1)
    kept = (i >= 5) & (i <= 50)
    x = np.stack([np.log(i[kept]), np.ones(kept.sum())], axis=1)
    weights = np.diag(1 / i[kept])
    return -np.linalg.solve(x.T @ weights @ x, x.T @ weights @ np.log(values[kept] ** 2))[0]


def truth(features, num_classes):
    return reference.ranks(features, num_classes) | {"spectrum_slope": slope(features)}


# Of more rows than columns: centring leaves no value of zero, whose logarithm would be that of rounding.
@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[2]])
@pytest.mark.parametrize("decay", [0.0, 0.7, 2.0])
def test_every_rank_is_its_definition(shape, decay):
    features = features_of(shape, decay)
    expected = truth(features, 4)
    found = metrics.rank_report(features, num_classes=4)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        # The smallest of the fitted values is 50^-2 of the largest, and has so much more relative error.
        rel = PROMISE * (2500 if name == "spectrum_slope" else 1)
        assert float(found[name]) == pytest.approx(value, rel=rel, abs=PROMISE), name


def test_more_columns_than_rows():
    expected = truth(features_of((6, 40), 0.7), 3)
    found = metrics.rank_report(features_of((6, 40), 0.7), num_classes=3)
    for name in ("rankme", "stable_rank", "participation_ratio", "top_variance"):
        assert float(found[name]) == pytest.approx(expected[name], rel=PROMISE), name


def test_a_common_offset_takes_no_digit_from_the_centred_ranks():
    plain, far = features_of((200, 64), 1.0), features_of((200, 64), 1.0).astype(np.float64) + 1e3
    rounded = far.astype(np.float32)
    expected = truth(rounded, 4)
    found = metrics.rank_report(rounded, num_classes=4)
    for name in ("effective_rank", "stable_rank", "participation_ratio", "top_variance"):
        assert float(found[name]) == pytest.approx(expected[name], rel=10 * PROMISE), name
    # The data themselves lose digits by the offset, but only so many.
    assert float(found["stable_rank"]) == pytest.approx(truth(plain, 4)["stable_rank"], rel=1e-3)


@pytest.mark.parametrize("scale", [2.0**-100, 2.0**90])
def test_ranks_have_no_unit(scale):
    features = features_of((40, 6), 0.7)
    expected = metrics.rank_report(features, num_classes=3)
    found = metrics.rank_report((features * scale).astype(np.float32), num_classes=3)
    for name, value in expected.items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-5, nan_ok=True), name


def test_ranks_lie_between_one_and_the_number_of_directions():
    for decay in (0.0, 0.5, 5.0):
        values = metrics.singular_values(features_of((200, 64), decay))
        for rank in (metrics.effective_rank, metrics.stable_rank, metrics.participation_ratio):
            assert 1 - 1e-5 <= float(rank(values)) <= 64 * (1 + 1e-5)


def test_collapse_leaves_the_directions_of_the_class_means():
    labels = np.arange(120) % 4
    means = reference.simplex_etf(4, 16)
    features = (means[labels] + 1e-4 * np.random.default_rng(0).normal(size=(120, 16))).astype(np.float32)
    found = metrics.rank_report(features, num_classes=4)
    assert float(found["top_variance"]) == pytest.approx(1, abs=1e-5)
    assert float(found["participation_ratio"]) == pytest.approx(3, rel=1e-4)


@pytest.mark.parametrize("features", [np.ones((9, 3), np.float32), np.full((9, 3), np.nan, np.float32)])
def test_features_that_do_not_vary_or_are_no_numbers_have_no_rank(features):
    found = metrics.rank_report(features, num_classes=3)
    for name in ("effective_rank", "stable_rank", "participation_ratio", "spectrum_slope", "top_variance"):
        assert np.isnan(float(found[name])), name


def test_double_precision_keeps_its_digits(x64):
    features = features_of((200, 64), 0.7).astype(np.float64)
    expected = truth(features, 4)
    for name, value in metrics.rank_report(features, num_classes=4).items():
        assert float(value) == pytest.approx(expected[name], rel=1e-10), name


@pytest.mark.parametrize("function", [metrics.effective_rank, metrics.spectrum_slope])
def test_what_is_no_spectrum_is_refused(unchecked, function):
    with pytest.raises(ValueError, match=r"values must have shape \(k,\) with k > 0, got \(2, 2\)"):
        function(jnp.ones((2, 2)))
