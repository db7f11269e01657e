"""Convolutions to compare with XLA's: kernels, strides and pads of all kinds, thin and thick channels."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ncjax.cpu_convolution.geometry import Geometry
from ncjax.cpu_convolution.primitive import bilinear_convolution

# Images, kernels, strides, pads.
CASES = {
    "same": ((5, 4, 4, 16), (3, 3, 16, 3), (1, 1), ((1, 1), (1, 1))),
    "uneven": ((5, 6, 5, 2), (3, 2, 2, 4), (1, 1), ((1, 0), (0, 1))),
    "valid": ((5, 5, 5, 1), (2, 2, 1, 3), (1, 1), ((0, 0), (0, 0))),
    "small": ((5, 2, 3, 2), (2, 3, 2, 4), (1, 1), ((1, 0), (1, 1))),
    "strided": ((2, 7, 6, 3), (3, 3, 3, 5), (2, 2), ((1, 1), (1, 1))),
    "shortcut": ((2, 5, 6, 4), (1, 1, 4, 2), (2, 3), ((0, 0), (0, 0))),
}


def geometry(case):
    image_shape, kernel_shape, strides, pads = CASES[case]
    return Geometry(image_shape[1:3], kernel_shape[:2], strides, pads)


def operands(case):
    """Images, and a kernel that gives outputs near one."""
    image_shape, kernel_shape, _, _ = CASES[case]
    kernel = jax.random.normal(jax.random.key(1), kernel_shape) / np.sqrt(np.prod(kernel_shape[:3]))
    return jax.random.normal(jax.random.key(0), image_shape), kernel


def ours(case):
    return lambda x, kernel: bilinear_convolution(x, kernel, geometry(case))


def native(case):
    _, _, strides, pads = CASES[case]
    return lambda x, kernel: lax.conv_general_dilated(
        x, kernel, strides, pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
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


def assert_derivatives_agree(case):
    made = [
        jax.jit(lambda x, kernel, c=convolve: derivatives(c, x, kernel))(*operands(case))
        for convolve in (ours(case), native(case))
    ]
    assert_close(*made)


def assert_close(left, right):
    # Sums of a few hundred terms near one: float32 rounding stays below 1e-4.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-4), left, right)
