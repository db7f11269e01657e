"""Errors of the library's own estimators against those of all their choices, enumerated."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.measurement.estimator_errors import estimator_errors

COUNT, INPUTS, OUTPUTS = 1500, 6, 4
SIZES = (1, 3, 5)
RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(COUNT, 2, 3)), jnp.float32)
FIRST, SECOND = (jnp.asarray(RNG.normal(size=shape), jnp.float32) for shape in ((INPUTS, 5), (5, OUTPUTS)))


def embed(images):
    return jnp.tanh(images.reshape(-1, INPUTS) @ FIRST) @ SECOND


@pytest.fixture(scope="module")
def row():
    return jax.jit(lambda images: estimator_errors(embed, images, jax.random.key(0), SIZES))(IMAGES)


@pytest.fixture(scope="module")
def jacobians():
    """By the chain rule in float64, [n, d, D]."""
    first, second = np.asarray(FIRST, np.float64), np.asarray(SECOND, np.float64)
    slopes = 1 - np.tanh(np.asarray(IMAGES, np.float64).reshape(-1, INPUTS) @ first) ** 2
    return np.einsum("ij,nj,jk->nki", first, slopes, second)


def choices(jacobians, name: str, size: int) -> np.ndarray:
    """[choices, n] every value that an estimator may give, each as likely as the others."""
    if name == "probes":
        signs = np.array(list(itertools.product((-1, 1), repeat=OUTPUTS)), np.float64)
        single = np.square(np.einsum("sd,ndi->sni", signs, jacobians)).sum(axis=2)
        return np.array([single[list(chosen)].mean(axis=0) for chosen in itertools.product(range(16), repeat=size)])
    squares = np.square(jacobians).sum(axis=2 if name == "outputs" else 1)
    total = squares.shape[1]
    combinations = itertools.combinations(range(total), size)
    return np.array([total * squares[:, list(chosen)].mean(axis=1) for chosen in combinations])


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", ["outputs", "inputs", "probes"])
def test_the_error_is_that_of_all_choices(row, jacobians, name, size):
    exact = np.square(jacobians).sum(axis=(1, 2))
    squared_errors = (choices(jacobians, name, size) - exact[None, :]) ** 2
    expected = squared_errors.mean(axis=0).sum()
    # Of the sum of the images' squared errors in one draw; half of it in a root.
    spread = np.sqrt(squared_errors.var(axis=0).sum()) / expected / 2
    assert spread < 0.05
    found = float(row[f"{name}_{size}/relative_error"])
    np.testing.assert_allclose(found, np.sqrt(expected) / COUNT / exact.mean(), rtol=4 * spread)


@pytest.mark.parametrize(
    "name", ["outputs_1", "outputs_3", "inputs_1", "inputs_5", "probes_1", "probes_3", "examples_1"]
)
def test_a_draw_lies_within_its_error_of_the_exact_value(row, jacobians, name):
    exact = np.square(jacobians).sum(axis=(1, 2)).mean()
    np.testing.assert_allclose(row["exact/geometric_complexity"], exact, rtol=1e-5)
    error = abs(float(row[f"{name}/geometric_complexity"]) - exact) / exact
    assert 0 < error < 4 * float(row[f"{name}/relative_error"])


def test_the_error_of_few_examples_is_that_of_drawing_without_replacement(row, jacobians):
    squares = np.square(jacobians).sum(axis=(1, 2))
    chosen = COUNT // OUTPUTS
    rng = np.random.default_rng(1)
    means = [rng.permutation(squares)[:chosen].mean() for _ in range(4000)]
    np.testing.assert_allclose(row["examples_1/relative_error"], np.std(means) / squares.mean(), rtol=0.05)


def test_products_are_those_that_were_spent(row):
    assert float(row["exact/products"]) == COUNT * OUTPUTS
    assert float(row["inputs_5/products"]) == COUNT * 5
    assert float(row["examples_3/products"]) == COUNT * 3


def test_an_estimator_that_would_be_exact_is_left_out(row):
    assert {name for name in row if "_5/" in name} == {
        f"inputs_5/{column}" for column in ("geometric_complexity", "relative_error", "products")
    }
