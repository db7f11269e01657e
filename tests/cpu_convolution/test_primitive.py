"""The primitive against XLA's convolution: values, derivatives of every kind, batches of images and of kernels."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import AxisType, PartitionSpec

from ncjax.cpu_convolution import blocked
from tests.cpu_convolution.cases import assert_close, assert_derivatives_agree, native, operands, ours


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


@pytest.mark.parametrize("case", ["same", "strided", "shortcut", "small"])
def test_gradients_are_summed_over_devices_for_a_kernel_that_all_share(case, monkeypatch):
    monkeypatch.setattr(blocked, "dense_pays", lambda *_: case == "small")
    x, kernel = operands(case)
    x = x[: len(x) // 2 * 2]

    def gradients(convolve, x, kernel):
        return jax.grad(lambda x, kernel: jnp.sum(jnp.sin(convolve(x, kernel))), (0, 1))(x, kernel)

    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    images, shared = PartitionSpec("batch"), PartitionSpec()
    spread = jax.shard_map(
        lambda x, kernel: gradients(ours(case), x, kernel),
        mesh=mesh,
        in_specs=(images, shared),
        out_specs=(images, shared),
    )
    assert_close(jax.jit(spread)(x, kernel), gradients(native(case), x, kernel))
