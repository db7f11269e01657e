"""Input gradients of many cotangents that share their zeros, against XLA's convolution one cotangent at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.models.convolutions import shared_zeros
from tests.models.convolutions.cases import CASES, assert_close, geometry, native, operands, ours


@pytest.fixture
def small(monkeypatch):
    """Shares zeros among few thin cotangents, in lists of several steps."""
    monkeypatch.setattr(shared_zeros, "sharing_pays", lambda *_: True)
    monkeypatch.setattr("ncjax.models.convolutions.primitive.sharing_pays", lambda *_: True)
    monkeypatch.setattr(shared_zeros, "_FEW_INPUTS", 4)


def masked(case, share, directions=3):
    """Cotangents [d, n, oh, ow, features] that share their zeros, and the convolution's operands."""
    x, kernel = operands(case)
    shape = (len(x), *geometry(case).out_size, kernel.shape[-1])
    live = jax.random.bernoulli(jax.random.key(2), share, (1, *shape))
    return jax.random.normal(jax.random.key(3), (directions, *shape)) * live, x, kernel


def rows(convolve, cotangents, x, kernel):
    _, pull = jax.vjp(lambda x: convolve(x, kernel), x)
    return jax.vmap(lambda row: pull(row)[0])(cotangents)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0], ids=["nothing is live", "some", "all"])
def test_rows_of_a_jacobian_are_those_of_the_native_convolution(small, case, share):
    given = masked(case, share)
    assert_close(rows(ours(case), *given), rows(native(case), *given))


@pytest.mark.parametrize("outputs", [1, 8, 1000], ids=["one pixel", "some pixels", "the whole map"])
def test_tiles_of_any_size_give_the_same(small, monkeypatch, outputs):
    monkeypatch.setattr(shared_zeros, "_OUTPUTS", outputs)
    given = masked("strided", 0.5)
    assert_close(rows(ours("strided"), *given), rows(native("strided"), *given))


def test_the_squared_norm_of_a_jacobian_has_the_native_gradient_in_the_kernel(small):
    cotangents, x, kernel = masked("same", 0.5)

    def gradients(convolve):
        def norm(cotangents, kernel):
            return jnp.sum(rows(convolve, cotangents, x, kernel) ** 2)

        return jax.jit(jax.grad(norm, (0, 1)))(cotangents, kernel), jax.jvp(
            lambda kernel: rows(convolve, cotangents, x, kernel), (kernel,), (jnp.cos(kernel),)
        )[1]

    assert_close(gradients(ours("same")), gradients(native("same")))


@pytest.mark.parametrize("kernel_axis", [None, 0], ids=["one kernel", "a kernel each"])
def test_several_networks_or_sets_of_images_at_once(small, kernel_axis):
    cotangents, x, kernel = masked("uneven", 0.5)
    several = jnp.stack([x, 2 * x]), jnp.stack([cotangents, cotangents[::-1]], 1)
    kernels = kernel if kernel_axis is None else jnp.stack([kernel, 3 * kernel])

    def batched(convolve):
        return jax.vmap(lambda x, rows_, kernel: rows(convolve, rows_, x, kernel), (0, 1, kernel_axis))(
            *several, kernels
        )

    assert_close(batched(ours("uneven")), batched(native("uneven")))


def test_what_is_not_finite_stays_in_its_image_and_reaches_what_it_should(small):
    cotangents, x, kernel = masked("same", 0.5)
    cotangents = cotangents.at[0, 1, 0, 0, 0].set(jnp.nan)
    found = rows(ours("same"), cotangents, x, kernel)
    # A 3 × 3 kernel takes the first pixel to the first two rows and columns, for this row of the Jacobian alone.
    expected = np.zeros(found.shape, bool)
    expected[0, 1, :2, :2] = True
    np.testing.assert_array_equal(np.isnan(found), expected)


def test_products_that_are_zero_are_left_out():
    live = jnp.zeros((4, 8), bool).at[1, 3].set(True).at[2, :6].set(True)
    around = np.array([[0, 1], [1, 2], [3, 4]])
    where, taps, counts = shared_zeros._live_lists(live, around, step=4)
    assert counts.tolist() == [1, 7, 0]
    assert where[1, :7].tolist() == [11, 16, 17, 18, 19, 20, 21]
    assert taps[1].tolist() == [3, 8, 9, 10, 11, 12, 13, *[16] * 9]
