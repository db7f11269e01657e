"""The primitive against XLA's convolution: values, derivatives of every kind, batches of images and of kernels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from ncjax.models.convolutions import blocked as module

# Images, height, width, channels, features, kernel, padding: same, odd and valid; thin and thick channels.
CASES = {
    "same": ((5, 4, 4, 16), (3, 3, 16, 3), ((1, 1), (1, 1))),
    "uneven": ((5, 6, 5, 2), (3, 2, 2, 4), ((1, 0), (0, 1))),
    "valid": ((5, 5, 5, 1), (2, 2, 1, 3), ((0, 0), (0, 0))),
}


def ours(pads):
    return lambda x, kernel: module.blocked_convolution(x, kernel, pads)


def native(pads):
    return lambda x, kernel: lax.conv_general_dilated(
        x, kernel, (1, 1), pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def derivatives(convolve, x, kernel):
    """Value, gradients, a directional derivative, and both kinds of second derivatives."""

    def objective(x, kernel):
        return jnp.sum(jnp.sin(convolve(x, kernel)))

    gradient = jax.grad(objective, argnums=(0, 1))
    directions = (jnp.cos(x), jnp.cos(kernel))
    return {
        "value": convolve(x, kernel),
        "gradient": gradient(x, kernel),
        "directional": jax.jvp(convolve, (x, kernel), directions)[1],
        "forward over reverse": jax.jvp(gradient, (x, kernel), directions)[1],
        "reverse over reverse": jax.grad(lambda x, k: jnp.sum(jax.grad(objective)(x, k) ** 2), (0, 1))(x, kernel),
    }


def assert_close(left, right):
    # Sums of a few hundred terms near one: float32 rounding stays below 1e-4.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-4), left, right)


@pytest.mark.parametrize(
    ("case", "block"), [("same", 2), ("uneven", 5), ("valid", 3)], ids=["rest of one", "one block", "rest of two"]
)
def test_all_derivatives_are_those_of_the_native_convolution(case, block, monkeypatch):
    monkeypatch.setattr(module, "_block", lambda *_: block)
    image_shape, kernel_shape, pads = CASES[case]
    x = jax.random.normal(jax.random.key(0), image_shape)
    kernel = jax.random.normal(jax.random.key(1), kernel_shape) / np.sqrt(np.prod(kernel_shape[:3]))
    made = [
        jax.jit(lambda x, k, c=convolve: derivatives(c, x, k))(x, kernel) for convolve in (ours(pads), native(pads))
    ]
    assert_close(*made)


def test_all_derivatives_of_very_small_maps_by_a_dense_kernel(monkeypatch):
    monkeypatch.setattr(module, "dense_pays", lambda *_: True)
    image_shape, kernel_shape, pads = (5, 2, 3, 2), (2, 3, 2, 4), ((1, 0), (1, 1))
    x = jax.random.normal(jax.random.key(0), image_shape)
    kernel = jax.random.normal(jax.random.key(1), kernel_shape) / np.sqrt(np.prod(kernel_shape[:3]))
    made = [
        jax.jit(lambda x, k, c=convolve: derivatives(c, x, k))(x, kernel) for convolve in (ours(pads), native(pads))
    ]
    assert_close(*made)


@pytest.mark.parametrize(("image_axis", "kernel_axis"), [(0, None), (1, 2), (None, 0)])
def test_batches_of_images_and_of_kernels(image_axis, kernel_axis):
    image_shape, kernel_shape, pads = CASES["uneven"]
    x = jax.random.normal(jax.random.key(0), image_shape)
    kernel = jax.random.normal(jax.random.key(1), kernel_shape)
    if image_axis is not None:
        x = jnp.stack([x, x + 1, 2 * x], image_axis)
    if kernel_axis is not None:
        kernel = jnp.stack([kernel, kernel - 1, 3 * kernel], kernel_axis)

    def batched(convolve):
        def gradients(x, kernel):
            out, pull = jax.vjp(convolve, x, kernel)
            return out, pull(jnp.sin(out))

        return jax.jit(jax.vmap(gradients, (image_axis, kernel_axis)))(x, kernel)

    assert_close(batched(ours(pads)), batched(native(pads)))


def test_gradients_are_summed_over_devices_for_a_kernel_that_all_share():
    image_shape, kernel_shape, pads = CASES["same"]
    x = jax.random.normal(jax.random.key(0), (4, *image_shape[1:]))
    kernel = jax.random.normal(jax.random.key(1), kernel_shape)

    def gradient(x, kernel):
        return jax.grad(lambda kernel: jnp.sum(jnp.sin(ours(pads)(x, kernel))))(kernel)

    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    spread = jax.shard_map(
        gradient, mesh=mesh, in_specs=(PartitionSpec("batch"), PartitionSpec()), out_specs=PartitionSpec()
    )
    assert_close(jax.jit(spread)(x, kernel), gradient(x, kernel))
