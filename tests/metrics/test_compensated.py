import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.metrics.compensated import accurate_matmul, two_sum


@pytest.mark.parametrize("compiled", [False, True])
def test_two_sum_is_exact(compiled):
    rng = np.random.default_rng(0)
    a = (rng.normal(size=1000) * 10.0 ** rng.integers(-9, 9, 1000)).astype(np.float32)
    b = (rng.normal(size=1000) * 10.0 ** rng.integers(-9, 9, 1000)).astype(np.float32)
    total, error = (jax.jit(two_sum) if compiled else two_sum)(jnp.asarray(a), jnp.asarray(b))
    np.testing.assert_array_equal(np.float64(total) + np.float64(error), np.float64(a) + np.float64(b))


def test_two_sum_survives_a_product_next_to_it_under_jit():
    # The compiler may contract the product into one of the additions and not into the other.
    rng = np.random.default_rng(1)
    a = (1e4 + rng.normal(size=(100, 256))).astype(np.float32)
    b, c = rng.normal(size=256).astype(np.float32), np.float32(1 / 3)

    @jax.jit
    def subtract(a, b, c):
        total, error = two_sum(a, jnp.broadcast_to(-(b * c), a.shape))
        return total, error, jnp.sum(total, axis=0), jnp.sum(error, axis=0)

    total, error, *_ = subtract(a, b, c)
    np.testing.assert_allclose(
        np.float64(total) + np.float64(error), np.float64(a) - np.asarray(b * c, np.float64)[None], rtol=1e-13
    )


@pytest.mark.parametrize("shape", [(3, 5, 4), (99, 100, 33), (40, 1000, 7), (1, 1, 1)])
def test_accurate_matmul_is_right_where_terms_cancel(shape):
    rows, inner, columns = shape
    rng = np.random.default_rng(2)
    left = rng.normal(size=(rows, inner)).astype(np.float32)
    right = rng.normal(size=(inner, columns))
    # Columns that nearly vanish against the rows.
    right -= (1 - 1e-5) * np.linalg.pinv(left.astype(np.float64)) @ (left @ right)
    high = right.astype(np.float32)
    low = (right - high).astype(np.float32)
    truth = left.astype(np.float64) @ right
    scale = np.abs(left).max(axis=1)[:, None] * np.abs(right).max(axis=0)[None] * np.sqrt(inner)
    error = np.abs(np.float64(jax.jit(accurate_matmul)(left, high, low)) - truth)
    assert (error <= 1e-9 * scale + 2e-7 * np.abs(truth)).all()


def test_accurate_matmul_has_the_derivative_of_a_product():
    rng = np.random.default_rng(3)
    left, high = (jnp.asarray(rng.normal(size=s), jnp.float32) for s in [(3, 4), (4, 5)])
    grads = jax.grad(lambda a, b: jnp.sum(accurate_matmul(a, b, jnp.zeros_like(b)) ** 2), argnums=(0, 1))(left, high)
    truth = jax.grad(lambda a, b: jnp.sum((a @ b) ** 2), argnums=(0, 1))(left, high)
    for grad, right in zip(grads, truth, strict=True):
        np.testing.assert_allclose(grad, right, rtol=1e-4)


def test_accurate_matmul_of_zeros_is_zero():
    zeros = jnp.zeros((3, 3))
    assert (accurate_matmul(zeros, zeros, zeros) == 0).all()
