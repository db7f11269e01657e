import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models
from ncjax.models.blocks import max_pool_2x2


@pytest.mark.parametrize("shape", [(2, 4, 6, 3), (1, 5, 7, 2)])
def test_pooling_takes_the_largest_of_each_square_and_drops_what_is_odd(shape: tuple[int, ...]) -> None:
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    height, width = shape[1] // 2, shape[2] // 2
    squares = maps[:, : 2 * height, : 2 * width].reshape(shape[0], height, 2, width, 2, shape[3])
    np.testing.assert_array_equal(max_pool_2x2(jnp.asarray(maps)), squares.max(axis=(2, 4)))


def test_the_gradient_goes_to_one_of_four_also_where_they_are_equal() -> None:
    maps = jnp.concatenate([jnp.zeros((1, 2, 2, 1)), jnp.array([0.0, 1.0, 3.0, 3.0]).reshape(1, 2, 2, 1)], axis=3)
    gradient = jax.grad(lambda maps: max_pool_2x2(maps).sum())(maps)
    assert gradient[0, :, :, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert gradient[0, :, :, 1].tolist() == [[0.0, 0.0], [1.0, 0.0]]


@pytest.mark.parametrize("place", range(4))
def test_a_square_with_one_entry_that_is_not_a_number_has_no_maximum(place: int) -> None:
    maps = jnp.zeros(4).at[place].set(jnp.nan).reshape(1, 2, 2, 1)
    assert np.isnan(max_pool_2x2(maps)).all()


@pytest.mark.structure
def test_gradients_are_finite_where_the_compiler_rounds_a_map_in_two_ways() -> None:
    # XLA without its optimizer does: with jnp.max all gradients below the last pooling were 0/0 at the second step.
    model = models.build(models.ModelSpec("convnet4", widths=(16, 32, 64, 64), lowering="matmul"), num_classes=10)
    images = jax.random.normal(jax.random.key(0), (32, 28, 28, 1))
    variables = models.initialise(model, jax.random.key(2), (28, 28, 1))
    params = variables["params"]

    @jax.jit
    def step(params: dict) -> dict:
        gradient = jax.grad(lambda params: jnp.sum(model.apply({**variables, "params": params}, images)[0] ** 2))(
            params
        )
        return jax.tree.map(lambda value, slope: value - 1e-4 * slope, params, gradient)

    for _ in range(2):
        params = step(params)
    assert all(bool(jnp.isfinite(leaf).all()) for leaf in jax.tree.leaves(params))
