import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference, reference_classes

RNG = np.random.default_rng(0)
# Bases are orthonormal to some eps times the root of the dimension: so far off is each sine and each cosine.
PROMISE = 3e-6


def matrices(dim, angles, first, second):
    """Two matrices whose column spaces have given angles."""
    basis = np.linalg.qr(RNG.normal(size=(dim, dim)))[0]
    count = len(angles)
    one, other = basis[:, :count], basis[:, count : 2 * count]
    turned = one * np.cos(angles) + other * np.sin(angles)
    return one @ RNG.normal(size=(count, first)), turned @ RNG.normal(size=(count, second))


@pytest.mark.parametrize(("dim", "p", "q"), [(40, 7, 7), (40, 9, 4), (200, 3, 20), (6, 6, 2), (5, 9, 2)])
def test_angles_of_random_matrices_are_the_definition(dim, p, q):
    first, second = RNG.normal(size=(dim, p)).astype(np.float32), RNG.normal(size=(dim, q)).astype(np.float32)
    expected = reference_classes.principal_angles(first.astype(np.float64), second.astype(np.float64))
    found = metrics.principal_angles(first, second)
    np.testing.assert_allclose(found, expected, atol=30 * PROMISE if p >= dim else PROMISE)
    np.testing.assert_allclose(metrics.principal_angles(second, first), found, atol=PROMISE)


def test_small_angles_and_right_ones_keep_their_digits():
    angles = np.array([0.0, 1e-4, 1e-2, 0.5, 1.5, np.pi / 2])
    first, second = matrices(60, angles, 6, 6)
    # Of an orthonormal basis, so that single precision can hold the angles.
    first, second = (np.linalg.qr(part)[0].astype(np.float32) for part in (first, second))
    np.testing.assert_allclose(metrics.principal_angles(first, second), angles, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_angles_have_no_unit_and_no_basis(scale):
    first, second = (part.astype(np.float32) for part in matrices(30, np.linspace(0.1, 1.5, 5), 5, 5))
    expected = metrics.principal_angles(first, second)
    mixed = (first @ np.linalg.qr(RNG.normal(size=(5, 5)))[0]).astype(np.float32)
    found = metrics.principal_angles((scale * mixed).astype(np.float32), (scale * second).astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_columns_beyond_the_rank_have_no_angle():
    first, second = (part.astype(np.float32) for part in matrices(30, np.array([0.2, 0.7]), 4, 3))
    found = np.asarray(metrics.principal_angles(first, second))
    np.testing.assert_allclose(found[:2], [0.2, 0.7], atol=1e-5)
    assert np.isnan(found[2:]).all()
    # A plane in one that holds it, and a basis that spans all.
    np.testing.assert_allclose(metrics.principal_angles(first, np.eye(30, dtype=np.float32))[:2], 0, atol=1e-5)


def sample(num_classes=5, dim=20):
    features, labels = reference.collapsed_features(np.random.default_rng(1), num_classes, dim, 9, offset=3.0)
    return metrics.class_stats(features, labels, num_classes + 1), reference.Moments(features, labels)


def test_weights_in_the_span_of_the_means_have_angles_of_zero():
    stats, moments = sample()
    kernel = (moments.centred.T @ RNG.normal(size=(5, 7))).astype(np.float32)
    angles = np.asarray(metrics.weight_angles(stats, kernel))
    np.testing.assert_allclose(angles[:4], 0, atol=1e-5)
    assert np.isnan(angles[4:]).all()


@pytest.mark.parametrize("directions", [None, 2, 4])
def test_weight_angles_are_those_of_the_leading_singular_vectors(directions):
    stats, moments = sample()
    kernel = RNG.normal(size=(20, 12)).astype(np.float32)
    left = np.linalg.svd(kernel.astype(np.float64))[0][:, : directions or 5]
    span = np.linalg.svd(moments.centred)[2][:4].T
    expected = reference_classes.principal_angles(left, span)
    found = np.asarray(metrics.weight_angles(stats, kernel, directions=directions))
    np.testing.assert_allclose(found[: len(expected)], expected, atol=1e-5)
    assert np.isnan(found[len(expected) :]).all()


def test_weight_angles_under_vmap_and_where_there_is_none(unchecked):
    stats, _ = sample()
    kernels = RNG.normal(size=(3, 20, 12)).astype(np.float32)
    one_by_one = np.stack([metrics.weight_angles(stats, kernel) for kernel in kernels])
    np.testing.assert_allclose(jax.vmap(lambda w: metrics.weight_angles(stats, w))(kernels), one_by_one, atol=1e-6)
    same = metrics.class_stats(jnp.ones((4, 3)), jnp.array([0, 0, 1, 1]), 2)
    assert np.isnan(metrics.weight_angles(same, jnp.eye(3))).all()
    spoiled = metrics.weight_angles(stats, jnp.full((20, 12), jnp.nan))
    assert np.isnan(spoiled).all()
    with pytest.raises(ValueError, match=r"kernel must have 20 rows to fit the statistics, got shape \(12, 20\): tran"):
        metrics.weight_angles(stats, kernels[0].T)
    with pytest.raises(ValueError, match="second must have the 20 rows of first, got 12"):
        metrics.principal_angles(kernels[0], kernels[0].T)
