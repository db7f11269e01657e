import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from ncjax.metrics import softmax_code
from tests import reference, reference_classes


def stats_of(rows, num_classes=None):
    rows = np.asarray(rows, np.float32)
    return metrics.class_stats(rows, np.arange(len(rows)), num_classes or len(rows), scatter=False)


def centred(rows):
    rows = np.asarray(rows, np.float32).astype(np.float64)
    return rows - rows.mean(axis=0)


def rows_of(num_classes, dim, kind):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(num_classes, dim))
    if kind == "close":
        rows = np.repeat(rows[::4], 4, axis=0)[:num_classes] + 0.1 * rng.normal(size=rows.shape)
    return rows


@pytest.mark.parametrize(("num_classes", "dim"), [(2, 1), (5, 20), (10, 4), (40, 12), (60, 90), (200, 8)])
@pytest.mark.parametrize("kind", ["random", "close"])
def test_distances_are_those_of_quadratic_programs(num_classes, dim, kind):
    rows = rows_of(num_classes, dim, kind)
    expected = reference_classes.hull_distances(centred(rows))
    found = metrics.one_versus_rest(stats_of(rows))
    # Directions are known to eps, and so are points of the hull: over the distance that is the relative error.
    rounding = 1e-6 + 1e-6 / expected
    reached = np.asarray(found.distances - found.lower) <= 1.01e-4 * np.asarray(found.distances) + 1e-6
    assert (np.asarray(found.lower) <= expected * (1 + rounding)).all()
    assert (np.asarray(found.distances) >= expected * (1 - rounding)).all()
    # The gap between a feasible point and the optimum is no more than that of the bounds.
    assert (np.asarray(found.distances) <= (expected + 1e-4 * expected) * (1 + rounding))[reached].all()
    assert reached.all() or (num_classes, kind) == (200, "close")
    assert float(found.margin) == float(found.distances.min())


def test_a_simplex_and_the_axes_have_their_known_distances():
    simplex = metrics.one_versus_rest(stats_of(reference.simplex_etf(7, 9)))
    np.testing.assert_allclose(simplex.distances, 7 / 6, rtol=1e-6)
    axes = np.concatenate([np.eye(5), -np.eye(5)])
    turned = axes @ np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))[0]
    np.testing.assert_allclose(metrics.one_versus_rest(stats_of(turned)).distances, 1, rtol=2e-4)
    # Of C points on a circle the neighbours' chord is 1 - cos(2 pi/C) away.
    angles = 2 * np.pi * np.arange(30) / 30
    circle = metrics.one_versus_rest(stats_of(np.stack([np.cos(angles), np.sin(angles)], axis=1)))
    np.testing.assert_allclose(circle.distances, 1 - np.cos(2 * np.pi / 30), rtol=2e-4)


def test_blocks_of_classes_are_all_classes_at_once(monkeypatch):
    rows = rows_of(40, 12, "random")
    whole = metrics.one_versus_rest(stats_of(rows), tolerance=1e-5)
    monkeypatch.setattr(softmax_code, "_WEIGHTS", 7 * 40)
    jax.clear_caches()
    parts = metrics.one_versus_rest(stats_of(rows), tolerance=1e-5)
    np.testing.assert_allclose(parts.distances, whole.distances, rtol=2e-5)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_distances_have_no_unit_and_leave_absent_classes_out(scale):
    rows = rows_of(10, 4, "random")
    expected = metrics.one_versus_rest(stats_of(rows), tolerance=1e-5)
    found = metrics.one_versus_rest(stats_of(scale * rows, num_classes=12), tolerance=1e-5)
    np.testing.assert_allclose(found.distances[:10], expected.distances, rtol=1e-5)
    assert np.isnan(found.distances[10:]).all()
    assert float(found.margin) == pytest.approx(float(expected.margin), rel=1e-5)


def test_the_classifier_takes_the_place_of_the_means():
    kernel = np.random.default_rng(1).normal(size=(6, 20)).astype(np.float32)
    expected = reference_classes.hull_distances(kernel.T.astype(np.float64))
    found = metrics.one_versus_rest(stats_of(rows_of(20, 6, "random")), kernel=kernel)
    np.testing.assert_allclose(found.distances, expected, rtol=2e-4)


def test_few_steps_say_by_their_bounds_that_they_are_few():
    rows = rows_of(40, 12, "close")
    expected = reference_classes.hull_distances(centred(rows))
    found = metrics.one_versus_rest(stats_of(rows), num_steps=3)
    assert (np.asarray(found.lower) <= expected * (1 + 1e-5)).all()
    assert (np.asarray(found.distances) >= expected * (1 - 1e-5)).all()
    assert (np.asarray(found.distances) > 1.1 * expected).any()


def test_runs_side_by_side_and_double_precision(x64):
    rows = np.stack([rows_of(10, 4, kind) for kind in ("random", "close")])
    found = jax.vmap(lambda h: metrics.one_versus_rest(metrics.class_stats(h, np.arange(10), 10), tolerance=1e-9))(rows)
    for one, run in zip(found.distances, rows, strict=True):
        np.testing.assert_allclose(one, reference_classes.hull_distances(run - run.mean(axis=0)), rtol=1e-7)


def test_what_has_no_direction_has_no_distance(unchecked):
    same = stats_of(np.ones((4, 3)))
    assert np.isnan(metrics.one_versus_rest(same).margin)
    one = stats_of(np.ones((1, 3)))
    assert np.isnan(metrics.one_versus_rest(one).margin)
    twins = metrics.one_versus_rest(stats_of([[1, 0], [1, 0], [-2, 0.5]]))
    assert float(twins.margin) < 1e-3
    with pytest.raises(ValueError, match=r"kernel must have shape \(d, C\) = \(3, 4\), got \(4, 3\): transpose it"):
        metrics.one_versus_rest(same, kernel=jnp.ones((4, 3)))
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        metrics.one_versus_rest(same, num_steps=0)


@pytest.mark.slow
def test_no_array_of_all_pairs_is_held():
    stats = jax.eval_shape(lambda: metrics.ClassStats.empty(30_000, 64, scatter=False))
    compiled = jax.jit(metrics.one_versus_rest).lower(stats).compile()
    memory = compiled.memory_analysis()
    assert memory is not None
    # One array of all pairs would take 3,433 MiB; blocks of weights take 16 each.
    assert memory.temp_size_in_bytes < 400 * 2**20
