import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics
from tests import reference

RNG = np.random.default_rng(0)
KERNELS = RNG.normal(size=(6, 9)).astype(np.float32), RNG.normal(size=(9, 7)).astype(np.float32) / 3
LABELS = np.arange(150) % 3
IMAGES = (RNG.normal(size=(3, 6))[LABELS] + 0.5 * RNG.normal(size=(150, 6))).astype(np.float32)
# Jacobians, means and quotients of single precision, in sums of some hundred terms.
PROMISE = 1e-5


def network(images):
    return jnp.tanh(images @ KERNELS[0]) @ KERNELS[1]


def truth(images, labels, num_classes):
    """By the definition in double precision, from whole Jacobians."""
    first, second = (kernel.astype(np.float64) for kernel in KERNELS)
    hidden = np.tanh(images.astype(np.float64) @ first)
    features = hidden @ second
    jacobians = np.einsum("he,nh,xh->nex", second, 1 - hidden**2, first)
    table = np.zeros((num_classes, num_classes))
    for i, j in itertools.permutations(range(num_classes), 2):
        line = features[labels == j].mean(axis=0) - features[labels == i].mean(axis=0)
        line /= np.linalg.norm(line)
        table[i, j] = (np.einsum("e,nex->nx", line, jacobians[labels == i]) ** 2).sum(axis=1).mean()
    return features, table


def measured(images=IMAGES, labels=LABELS, num_classes=3):
    stats = metrics.class_stats(network(images), labels, num_classes)
    return stats, metrics.directional_complexity(network, images, labels, stats)


def test_it_is_the_definition():
    _, expected = truth(IMAGES, LABELS, 3)
    np.testing.assert_allclose(measured()[1], expected, rtol=PROMISE, atol=0)


def test_blocks_that_are_not_full_change_nothing():
    # 150 images are two blocks of 75; 130 are filled up to two of 65, and 131 to two of 66.
    for count in (130, 131):
        _, expected = truth(IMAGES[:count], LABELS[:count], 3)
        np.testing.assert_allclose(measured(IMAGES[:count], LABELS[:count])[1], expected, rtol=PROMISE, atol=0)


def test_all_lines_together_are_at_most_the_complexity():
    estimate = metrics.geometric_complexity(network, IMAGES, method="exact")
    by_class = metrics.class_mean_complexity(estimate.per_sample, LABELS, 3)
    stats, complexity = measured()
    assert (np.asarray(complexity) <= np.asarray(by_class)[:, None]).all()
    directional = metrics.directional_geometric_collapse(stats, complexity)
    assert float(directional) <= 2 * float(metrics.geometric_collapse_tight(stats, by_class))


def test_absent_classes_and_those_without_an_image():
    features = network(IMAGES)
    stats = metrics.class_stats(features, LABELS, 5)
    few = LABELS < 2
    complexity = np.asarray(metrics.directional_complexity(network, IMAGES[few], LABELS[few], stats))
    _, expected = truth(IMAGES, LABELS, 3)
    np.testing.assert_allclose(complexity[:2, :3], expected[:2], rtol=PROMISE, atol=0)
    assert np.isnan(complexity[2:]).all()
    assert (complexity[:2, 3:] == 0).all()
    squares = np.asarray(metrics.squared_distances(stats))
    known = [expected[i, j] / squares[i, j] for i, j in itertools.permutations(range(3), 2) if i < 2]
    value = metrics.directional_geometric_collapse(stats, complexity)
    assert float(value) == pytest.approx(np.mean(known), rel=PROMISE)


def test_the_first_class_may_be_absent():
    _, expected = truth(IMAGES, LABELS, 3)
    complexity = np.asarray(measured(IMAGES, LABELS + 1, 4)[1])
    np.testing.assert_allclose(complexity[1:, 1:], expected, rtol=PROMISE, atol=0)


def test_collapse_and_bound_are_their_formulas():
    stats, complexity = measured()
    features, table = truth(IMAGES, LABELS, 3)
    m = reference.Moments(features, LABELS)
    shares = np.array([[table[i, j] / m.squared_distance(i, j) if i != j else 0 for j in range(3)] for i in range(3)])
    value = metrics.directional_geometric_collapse(stats, complexity)
    assert float(value) == pytest.approx(shares.sum() / 6, rel=PROMISE)
    constants = np.array([0.1, 0.02, 3.0], np.float32)
    ratios = 4 * constants[:, None] * shares
    expected = np.minimum((ratios / (1 + ratios)).sum(axis=1), 1).mean()
    value = metrics.directional_complexity_bound(stats, complexity, constants)
    assert float(value) == pytest.approx(expected, rel=PROMISE)


def test_wide_embeddings_of_few_classes_and_narrow_ones_of_many():
    rng = np.random.default_rng(1)
    labels = np.arange(60) % 6
    images = rng.normal(size=(60, 4)).astype(np.float32)
    matrix = rng.normal(size=(4, 2)).astype(np.float32)
    stats = metrics.class_stats(images @ matrix, labels, 6)
    complexity = np.asarray(metrics.directional_complexity(lambda x: x @ matrix, images, labels, stats))
    means = np.stack([(images @ matrix)[labels == c].mean(axis=0) for c in range(6)])
    for i, j in itertools.permutations(range(6), 2):
        line = (means[j] - means[i]) / np.linalg.norm(means[j] - means[i])
        assert complexity[i, j] == pytest.approx(((matrix @ line) ** 2).sum(), rel=1e-3)


@pytest.mark.parametrize("spread", [0.05, 0.3, 1.0, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_chain_and_the_bound_hold_for_gaussian_inputs(spread, seed):
    # Their Poincaré constant is known: the largest eigenvalue of the covariance, here spread^2.
    rng = np.random.default_rng(seed)
    labels = np.arange(6000) % 3
    images = (rng.normal(size=(3, 6))[labels] + spread * rng.normal(size=(6000, 6))).astype(np.float32)
    features = network(images)
    stats = metrics.class_stats(features, labels, 3)
    complexity = metrics.directional_complexity(network, images, labels, stats)
    through = spread**2 * float(metrics.directional_geometric_collapse(stats, complexity))
    # Both sides are means over 2,000 images a class: five standard errors of a variance.
    assert float(metrics.directional_cdnv(features, labels, 3)) <= through * (1 + 5 * (2 / 2000) ** 0.5)
    bound = float(metrics.directional_complexity_bound(stats, complexity, spread**2))
    error = float(metrics.ncc_error(stats, features, labels))
    assert error <= bound * (1 + 5 * (2 / 2000) ** 0.5)
    assert bound <= 1


def test_means_that_coincide_leave_no_bound_but_one():
    features = jnp.array([[1.0], [-1.0], [1.0], [-1.0], [5.0], [7.0]])
    stats = metrics.class_stats(features, np.array([0, 0, 1, 1, 2, 2]), 3)
    complexity = 1 - jnp.eye(3)
    assert float(metrics.directional_complexity_bound(stats, complexity, 1e-6)) == pytest.approx(2 / 3, rel=1e-4)
    assert float(metrics.directional_geometric_collapse(stats, complexity)) == np.inf


def test_it_vmaps_over_networks():
    stats, complexity = measured()
    scales = jnp.array([1.0, 2.0])

    def of(scale):
        own = metrics.class_stats(scale * network(jnp.asarray(IMAGES)), LABELS, 3)
        return metrics.directional_complexity(lambda x: scale * network(x), IMAGES, LABELS, own)

    both = jax.jit(jax.vmap(of))(scales)
    np.testing.assert_allclose(both[1], 4 * np.asarray(complexity), rtol=PROMISE)
    assert stats.num_classes == 3


def test_what_does_not_fit_is_named(unchecked):
    stats, complexity = measured()
    with pytest.raises(ValueError, match=r"stats must be of the embedding's 6 outputs, got statistics of 7"):
        metrics.directional_complexity(lambda x: x, IMAGES, LABELS, stats)
    with pytest.raises(ValueError, match=r"complexity must have shape \(3, 3\), got \(2, 3\)"):
        metrics.directional_geometric_collapse(stats, complexity[:2])
