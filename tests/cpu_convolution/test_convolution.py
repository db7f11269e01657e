import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from ncjax.cpu_convolution import matmul_convolution

LAYOUT = ("NHWC", "HWIO", "NHWC")


@pytest.mark.parametrize("size", [(7, 5), (8, 8), (1, 1)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
@pytest.mark.parametrize("kernel_size", [1, 3])
@pytest.mark.parametrize("padding", ["SAME", "explicit"])
def test_the_lowerings_agree_in_values_and_gradients(size, strides, kernel_size, padding):
    keys = jax.random.split(jax.random.key(0), 3)
    images = jax.random.normal(keys[0], (2, *size, 3))
    kernel = jax.random.normal(keys[1], (kernel_size, kernel_size, 3, 4))
    pads = "SAME" if padding == "SAME" else [(kernel_size // 2,) * 2] * 2

    def both(conv):
        out, pullback = jax.vjp(lambda x, k: conv(x, k, strides, pads, dimension_numbers=LAYOUT), images, kernel)
        return out, *pullback(jax.random.normal(keys[2], out.shape))

    matmul, native = both(matmul_convolution), both(lax.conv_general_dilated)
    for ours, theirs in zip(matmul, native, strict=True):
        # Sums of at most 27·64 products of standard normals: float32 rounding stays well below 1e-4.
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_grouped_convolution_is_refused_in_one_line():
    with pytest.raises(ValueError, match="neither dilated nor grouped"):
        matmul_convolution(jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 2)), (1, 1), "SAME", feature_group_count=2)


def test_a_kernel_larger_than_the_map_is_refused_in_one_line():
    with pytest.raises(ValueError, match=r"kernel: got a window of \(3, 3\), larger than maps of \(2, 4\)"):
        matmul_convolution(jnp.ones((1, 2, 4, 2)), jnp.ones((3, 3, 2, 2)), (1, 1), "VALID")
