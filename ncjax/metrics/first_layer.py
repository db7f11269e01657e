"""The first-layer inequality: what flatness in the first layer's weights says about the slope in the input."""

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_float, as_images
from ncjax.metrics.compiled import compiled_by_content
from ncjax.metrics.jacobian import check_embedding, flat_rows

# Outputs whose gradients with respect to the kernel are held at once.
_OUTPUTS = 16


class FirstLayerInequality(NamedTuple):
    """Both sides of the inequality, a sample each.

    Attributes:
        input_slope: [n] |df/dx|_F^2, whose mean is the geometric complexity.
        bound: [n] |W|^2 / |x|^2 |df/dW|_F^2, with the largest singular value of the kernel for |W|.
    """

    input_slope: Float[Array, " n"]
    bound: Float[Array, " n"]


def first_layer_inequality(
    network: Callable[[Array, Array], Array], kernel: Float[ArrayLike, "D w"], images: Float[ArrayLike, "n ..."]
) -> FirstLayerInequality:
    """Both sides of |df/dx|^2 <= |W|^2/|x|^2 |df/dW|^2, for a network whose first layer is dense.

    Derivation. With z = W^T x + b and s = df/dz, the chain rule gives df/dx = W s and df/dW = x s^T for each output, so
    |df/dx| <= |W| |s| and |df/dW| = |x| |s|; the sum over outputs gives the Frobenius norms. Where the kernel's
    gradient is small along the learning path, so is the geometric complexity.

    One vector-Jacobian product an output and a sample, twice.

    Args:
        network: Function of `(kernel, images)` that returns [m, d] for [m, *shape] images, rows independent, in which
            images enter only as `images.reshape(m, -1) @ kernel`. This is not checked: a convolution, a skip connection
            around the first layer or a scaling in front of it break the inequality.
        kernel: [D, w] kernel of the first layer.
        images: [n, *shape] floats, D to an image.

    Returns:
        Both sides. The bound is infinite or not a number for an image of zeros.

    Raises:
        ValueError: A shape does not fit.

    Source: derived after Dherin et al., "Why neural networks find simple solutions", 2022,
    https://arxiv.org/abs/2209.13083

    Examples:
        >>> sides = first_layer_inequality(lambda kernel, x: jnp.tanh(x @ kernel), jnp.eye(2), jnp.ones((1, 2)))
        >>> [f"{float(side[0]):.4f}" for side in sides]
        ['0.3528', '0.3528']
    """
    images = as_images(images)
    weights = as_float("kernel", kernel, ndim=2)
    size = prod(images.shape[1:])
    if weights.shape[0] != size:
        raise ValueError(f"kernel must have {size} rows, one for each entry of an image, got shape {weights.shape}")
    outputs = check_embedding(lambda x: network(weights, x), images, "network")

    # The kernel is an argument: what a compiled function closes over becomes a constant to the compiler.
    def both(weights: Array, images: Array) -> tuple[Array, Array]:
        spectral = jnp.linalg.norm(weights, ord=2)

        def sides(image: Array) -> tuple[Array, Array]:
            def outputs_of(kernel: Array, x: Array) -> Array:
                return flat_rows(lambda rows: network(kernel, rows))(x[None])[0]

            primal, pull = jax.vjp(outputs_of, weights, image)

            def squares(line: Array) -> tuple[Array, Array]:
                along_kernel, along_image = pull(line)
                return jnp.sum(along_image**2), jnp.sum(along_kernel**2)

            slopes = lax.map(squares, jnp.eye(outputs, dtype=primal.dtype), batch_size=min(outputs, _OUTPUTS))
            input_slope, kernel_slope = (jnp.sum(part) for part in slopes)
            return input_slope, spectral**2 / jnp.sum(image**2) * kernel_slope

        return lax.map(sides, images)

    with jax.default_matmul_precision("highest"):
        return FirstLayerInequality(*compiled_by_content(both, weights, images))
