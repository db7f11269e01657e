from functools import partial

import jax
import numpy as np
import pytest

from ncjax import metrics
from tests import reference


def frame_stats(count: int, dim: int) -> metrics.ClassStats:
    return metrics.class_stats(3 * reference.simplex_etf(count, dim).astype(np.float32) + 5, np.arange(count), count)


@pytest.mark.parametrize(("count", "dim"), [(2, 1), (3, 2), (10, 9), (10, 40)])
@pytest.mark.parametrize("name", ["nc2_equinorm", "nc2_equiangularity", "nc2_maxangle", "nc2_etf"])
def test_a_simplex_frame_is_at_distance_zero(name, count, dim):
    assert float(getattr(metrics, name)(frame_stats(count, dim))) < 3e-6


def test_a_classifier_equal_to_the_means_is_self_dual():
    count = 5
    stats = frame_stats(count, 7)
    assert float(metrics.nc3(stats, 2 * reference.simplex_etf(count, 7).T.astype(np.float32))) < 1e-10


@pytest.mark.parametrize("count", [2, 5])
def test_uniformity_of_a_simplex_frame_is_the_known_one(count):
    stats = frame_stats(count, 6)
    distance = np.sqrt(2 * count / (count - 1))
    np.testing.assert_allclose(
        float(metrics.hyperspherical_uniformity(stats, energy="log")), -np.log(distance), rtol=1e-5
    )
    np.testing.assert_allclose(
        float(metrics.hyperspherical_uniformity(stats, energy="inverse")), 1 / distance, rtol=1e-5
    )


def test_two_classes_by_hand():
    # Kernel columns (3, 0) and (0, 4): lengths 3 and 4, cosine 0.
    stats = metrics.class_stats(np.array([[1.0, 0.0], [-1.0, 0.0]], np.float32), np.array([0, 1]), 2)
    kernel = np.array([[3.0, 0.0], [0.0, 4.0]], np.float32)
    np.testing.assert_allclose(float(metrics.nc2_equinorm(stats, kernel)), 0.5 / 3.5, rtol=1e-6)
    np.testing.assert_allclose(float(metrics.nc2_equiangularity(stats, kernel)), 0, atol=1e-7)
    np.testing.assert_allclose(float(metrics.nc2_maxangle(stats, kernel)), 1, rtol=1e-6)
    # W/|W| - M/|M|: columns (0.6, 0) - (r, 0) and (0, 0.8) - (-r, 0), r = 1/sqrt 2.
    r = np.sqrt(0.5)
    np.testing.assert_allclose(float(metrics.nc3(stats, kernel)), (0.6 - r) ** 2 + 0.64 + 0.5, rtol=1e-6)


@pytest.mark.usefixtures("unchecked")
def test_a_transposed_kernel_is_named():
    with pytest.raises(ValueError, match=r"kernel must have shape \(d, C\) = \(7, 5\), got \(5, 7\): transpose it"):
        metrics.nc3(frame_stats(5, 7), np.zeros((5, 7), np.float32))


@pytest.mark.usefixtures("unchecked")
def test_an_unknown_energy_is_named():
    with pytest.raises(ValueError, match="energy must be"):
        metrics.hyperspherical_uniformity(frame_stats(3, 3), energy="riesz")  # type: ignore[arg-type]


MEASURES = {
    **{name: getattr(metrics, name) for name in ("nc2_equinorm", "nc2_equiangularity", "nc2_maxangle", "nc2_etf")},
    "uniformity_log": metrics.hyperspherical_uniformity,
    "uniformity_inverse": partial(metrics.hyperspherical_uniformity, energy="inverse"),
}


def by_features(measure, labels, kernel):
    return lambda h: measure(metrics.class_stats(h, labels, kernel.shape[1]))


def by_kernel(measure, labels, features, num_classes):
    stats = metrics.class_stats(features, labels, num_classes)
    return lambda w: measure(stats, w)


def functions(features, labels, kernel):
    """Each measure as a function of the features or of the kernel, with a point to take it at."""
    for name, measure in MEASURES.items():
        yield name, by_features(measure, labels, kernel), features
        yield f"{name} of kernel", by_kernel(measure, labels, features, kernel.shape[1]), kernel
    stats = metrics.class_stats(features, labels, kernel.shape[1])
    yield "nc3", lambda h: metrics.nc3(metrics.class_stats(h, labels, kernel.shape[1]), kernel), features
    yield "nc3 of kernel", lambda w: metrics.nc3(stats, w), kernel


@pytest.mark.slow
def test_gradients_with_an_absent_class_are_those_of_finite_differences(x64):
    rng = np.random.default_rng(0)
    labels = np.array([0, 1, 3, 4] * 3)
    features, kernel = rng.normal(size=(12, 6)), rng.normal(size=(6, 5))
    for name, function, point in functions(features, labels, kernel):
        direction = rng.normal(size=point.shape)
        along = jax.jit(lambda t, f=function, x=point, e=direction: f(x + t * e))
        slope = (along(1e-5) - along(-1e-5)) / 2e-5
        np.testing.assert_allclose(float(jax.grad(along)(0.0)), float(slope), rtol=1e-6, atol=1e-9, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 5])
def test_gradients_exactly_at_a_frame_are_finite(count):
    # Columns of ones and minus ones, or axes, keep every cosine exact.
    frame = np.eye(count, dtype=np.float32)
    labels = np.repeat(np.arange(count), 2)
    for name, function, point in functions(frame[labels], labels, frame - np.float32(1 / count)):
        assert np.isfinite(jax.jit(jax.grad(function))(point)).all(), name
