"""The primitive against XLA's convolution: values, derivatives of every kind, batches of images and of kernels."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, PartitionSpec

from tests.models.convolutions.cases import assert_close, assert_derivatives_agree, native, operands, ours


@pytest.mark.parametrize("case", ["strided", "shortcut"])
def test_all_derivatives_are_those_of_the_native_convolution(case):
    assert_derivatives_agree(case)


@pytest.mark.parametrize("case", ["uneven", "strided"])
@pytest.mark.parametrize(("image_axis", "kernel_axis"), [(0, None), (1, 2), (None, 0)])
def test_batches_of_images_and_of_kernels(case, image_axis, kernel_axis):
    x, kernel = operands(case)
    if image_axis is not None:
        x = jnp.stack([x, x + 1, 2 * x], image_axis)
    if kernel_axis is not None:
        kernel = jnp.stack([kernel, kernel - 1, 3 * kernel], kernel_axis)

    def batched(convolve):
        def gradients(x, kernel):
            out, pull = jax.vjp(convolve, x, kernel)
            return out, pull(jnp.sin(out))

        return jax.jit(jax.vmap(gradients, (image_axis, kernel_axis)))(x, kernel)

    assert_close(batched(ours(case)), batched(native(case)))


def test_gradients_are_summed_over_devices_for_a_kernel_that_all_share():
    x, kernel = operands("same")
    x = x[:4]

    def gradient(x, kernel):
        return jax.grad(lambda kernel: jnp.sum(jnp.sin(ours("same")(x, kernel))))(kernel)

    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    spread = jax.shard_map(
        gradient, mesh=mesh, in_specs=(PartitionSpec("batch"), PartitionSpec()), out_specs=PartitionSpec()
    )
    assert_close(jax.jit(spread)(x, kernel), gradient(x, kernel))
