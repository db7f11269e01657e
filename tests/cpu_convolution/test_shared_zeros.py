"""Input gradients of many cotangents that share their zeros, against XLA's convolution one cotangent at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from ncjax import metrics, models
from ncjax.cpu_convolution import shared_zeros
from tests.cpu_convolution.cases import CASES, assert_close, geometry, native, operands, ours


@pytest.fixture
def small(monkeypatch):
    """Shares zeros among few thin cotangents, in lists of several steps, the blocks of tiles not full."""
    monkeypatch.setattr("ncjax.cpu_convolution.primitive.sharing_pays", lambda *_: True)
    monkeypatch.setattr(shared_zeros, "_FEW_INPUTS", 4)
    monkeypatch.setattr(shared_zeros, "_MANY_INPUTS", 16)
    monkeypatch.setattr(shared_zeros, "_OUTPUTS", 16)
    monkeypatch.setattr(shared_zeros, "_PRODUCTS", 5)


def masked(case, share, directions=3):
    """Cotangents [d, n, oh, ow, features] that share their zeros, and the convolution's operands."""
    x, kernel = operands(case)
    shape = (len(x), *geometry(case).out_size, kernel.shape[-1])
    live = jax.random.bernoulli(jax.random.key(2), share, (1, *shape))
    return jax.random.normal(jax.random.key(3), (directions, *shape)) * live, x, kernel


def rows(convolve, cotangents, x, kernel):
    # Compiled anew each time: the sizes that a test sets are read while tracing.
    @jax.jit
    def pull_all(cotangents, x, kernel):
        _, pull = jax.vjp(lambda x: convolve(x, kernel), x)
        return jax.vmap(lambda row: pull(row)[0])(cotangents)

    return pull_all(cotangents, x, kernel)


@pytest.mark.slow
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


@pytest.mark.parametrize("pixel", [(0, 0), (1, 1), (3, 3)])
def test_what_is_not_finite_reaches_its_pixels_and_stays_in_its_image_and_row(small, pixel):
    cotangents, x, kernel = masked("same", 0.5)
    cotangents = cotangents.at[0, 1, *pixel, 0].set(jnp.nan)
    found, native_found = (
        np.isnan(rows(convolve, cotangents, x, kernel)) for convolve in (ours("same"), native("same"))
    )
    assert found[native_found].all()
    assert found[0, 1].any()
    found[0, 1] = False
    assert not found.any()


def test_a_kernel_that_is_not_finite_shows_even_where_nothing_is_live(small):
    cotangents, x, kernel = masked("same", 0.0)
    assert np.isnan(rows(ours("same"), cotangents, x, kernel.at[0, 0, 0, 0].set(jnp.inf))).all()


@pytest.mark.parametrize("case", ["same", "strided"])
def test_every_device_has_the_rows_of_its_own_images(small, case):
    cotangents, x, kernel = masked(case, 0.5)
    cotangents, x = cotangents[:, :2], x[:2]
    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    images, of_rows = PartitionSpec("batch"), PartitionSpec(None, "batch")

    def local(cotangents, x, kernel):
        _, pull = jax.vjp(lambda x: ours(case)(x, kernel), x)
        return jax.vmap(lambda row: pull(row)[0])(cotangents)

    spread = jax.shard_map(local, mesh=mesh, in_specs=(of_rows, images, PartitionSpec()), out_specs=of_rows)
    assert_close(jax.jit(spread)(cotangents, x, kernel), rows(native(case), cotangents, x, kernel))


@pytest.mark.parametrize(("directions", "features", "shared"), [(256, 64, True), (255, 64, False), (256, 63, False)])
def test_enough_thick_rows_take_this_way_and_others_do_not(directions, features, shared):
    x, kernel = jnp.ones((1, 2, 2, 3)), jnp.ones((3, 3, 3, features))
    convolve = models.convolution("matmul")
    _, pull = jax.vjp(lambda x: convolve(x, kernel, (1, 1), "SAME"), x)
    program = jax.make_jaxpr(jax.vmap(lambda row: pull(row)[0]))(jnp.ones((directions, 1, 2, 2, features)))
    assert ("convolution_input_gradients" in str(program)) == shared


def test_exact_complexity_takes_all_rows_of_an_image_at_once():
    kernel = jnp.ones((3, 3, 64, 64))
    convolve = models.convolution("matmul")

    def complexity(images):
        return metrics.geometric_complexity(lambda x: convolve(x, kernel, (1, 1), "SAME"), images).mean

    program = str(jax.make_jaxpr(complexity)(jnp.ones((3, 2, 2, 64))))
    assert "f32[1,2,2,64,256] = convolution_input_gradients" in program


def test_products_that_are_zero_are_left_out():
    live = jnp.zeros((4, 8), bool).at[1, 3].set(True).at[2, :6].set(True)
    around = np.array([[0, 1], [1, 2], [3, 4]])
    where, taps, counts = shared_zeros._live_lists(live, around, step=4)
    assert counts.tolist() == [1, 7, 0]
    assert where[1, :7].tolist() == [11, 16, 17, 18, 19, 20, 21]
    assert taps[1].tolist() == [3, 8, 9, 10, 11, 12, 13, *[16] * 13]
