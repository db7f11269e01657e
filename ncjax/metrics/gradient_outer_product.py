"""The average gradient outer product: geometric complexity as a matrix over input directions."""

from collections.abc import Callable
from math import ceil, prod
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, PRNGKeyArray

from ncjax.metrics.arrays import ArrayLike, as_array, as_count, as_float, as_images, single_or_better
from ncjax.metrics.class_means import highest_matmul
from ncjax.metrics.compiled import compiled, compiled_by_content
from ncjax.metrics.jacobian import Embedding, check_embedding, flat_rows, varying_like
from ncjax.metrics.lanczos import largest_eigenpairs

# Images whose derivatives are held at once.
_BLOCK = 128


class TopDirections(NamedTuple):
    """The input directions to which a function responds most.

    Attributes:
        values: [k] eigenvalues of E[J^T J], largest first; their sum over all directions is the geometric complexity.
        vectors: [k, *shape] unit directions in the form of an image, up to their sign.
        residuals: [k] |A v - value v|: the matrix has an eigenvalue at most this far from the value.
    """

    values: Float[Array, " k"]
    vectors: Float[Array, "k ..."]
    residuals: Float[Array, " k"]


def gradient_outer_products(
    embed: Embedding, images: Float[ArrayLike, "n ..."], vectors: Float[ArrayLike, "k ..."]
) -> Float[Array, "k ..."]:
    """Products of the average gradient outer product E[J^T J] with vectors. One JVP and one VJP an image and a vector.

    Args:
        embed: Function from [n, *shape] to [n, d] whose rows do not depend on each other.
        images: [n, *shape] floats over which the mean is taken.
        vectors: [k, *shape] input directions.

    Returns:
        [k, *shape] products, in squared outputs a squared input.

    Raises:
        ValueError: A shape does not fit.

    Source: Beaglehole, Súkeník, Mondelli, Belkin, NeurIPS 2024, https://arxiv.org/abs/2402.13728

    Examples:
        >>> A = jnp.array([[1.0, 0.0], [0.0, 3.0]])
        >>> gradient_outer_products(lambda x: x @ A, jnp.ones((4, 2)), jnp.eye(2)).tolist()
        [[1.0, 0.0], [0.0, 9.0]]
    """
    images = as_images(images)
    check_embedding(embed, images)
    lines = as_array("vectors", vectors)
    if lines.shape[1:] != images.shape[1:]:
        raise ValueError(f"vectors must have shape (k, {', '.join(map(str, images.shape[1:]))}), got {lines.shape}")

    def run(images: Array, lines: Array) -> Array:
        product = _product(embed, images)
        return lax.map(lambda line: product(line.reshape(-1)).reshape(line.shape), lines)

    with jax.default_matmul_precision("highest"):
        return compiled_by_content(run, images, lines)


def top_input_directions(
    embed: Embedding,
    images: Float[ArrayLike, "n ..."],
    key: PRNGKeyArray,
    *,
    num_values: int = 4,
    num_products: int = 32,
) -> TopDirections:
    """Largest eigenvalues and eigenvectors of E[J^T J], by Lanczos. One JVP and one VJP an image and a step.

    The trace of the matrix is the geometric complexity: the values over it say how few input directions make it.

    Args:
        embed: Function from [n, *shape] to [n, d] whose rows do not depend on each other.
        images: [n, *shape] floats over which the mean is taken.
        key: Random key of the starting vector.
        num_values: Number k of directions.
        num_products: Steps of Lanczos; no more are taken than an image has entries. Where a residual is not small
            against its value, more are needed.

    Returns:
        The directions. Of an eigenvalue that occurs several times one is found; a value that the Krylov space does not
        hold is not a number.

    Raises:
        ValueError: An argument does not fit.

    Source: Beaglehole, Súkeník, Mondelli, Belkin, NeurIPS 2024, https://arxiv.org/abs/2402.13728; Lanczos by the
    package matfree

    Examples:
        >>> A = jnp.diag(jnp.array([1.0, 3.0, 2.0]))
        >>> top = top_input_directions(lambda x: x @ A, jnp.ones((4, 3)), jax.random.key(0), num_values=2)
        >>> [f"{float(value):.3f}" for value in top.values]
        ['9.000', '4.000']
    """
    images = as_images(images)
    check_embedding(embed, images)
    size = prod(images.shape[1:])
    steps = min(as_count("num_products", num_products), size)
    if not 1 <= num_values <= steps:
        raise ValueError(f"num_values must be between 1 and the {steps} Lanczos steps, got {num_values}")

    def run(images: Array, key: Array) -> TopDirections:
        start = jax.random.normal(key, (size,), images.dtype)
        values, vectors, residuals = largest_eigenpairs(_product(embed, images), start, num_values, steps)
        return TopDirections(values, vectors.reshape(num_values, *images.shape[1:]), residuals)

    with jax.default_matmul_precision("highest"):
        return compiled_by_content(run, images, key)


def gradient_outer_product(embed: Embedding, images: Float[ArrayLike, "n ..."]) -> Float[Array, "D D"]:
    """The average gradient outer product E[J^T J] as a matrix. One VJP an image and an output, and O(n d D^2).

    For few input entries, as at a layer inside a network: there `images` are the activations that go into the layer,
    and `embed` is the rest of the network, from them to its outputs. `gradient_outer_products` needs no matrix.

    Args:
        embed: Function from [n, *shape] to [n, d] whose rows do not depend on each other.
        images: [n, *shape] floats over which the mean is taken.

    Returns:
        [D, D] matrix, D the entries of a row, in squared outputs a squared input. Its trace is the geometric
        complexity.

    Raises:
        ValueError: A shape does not fit.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin, "Mechanism for feature learning in neural networks and
    backpropagation-free machine learning models", Science 2024, https://arxiv.org/abs/2212.13881

    Examples:
        >>> first, second = jnp.array([[1.0, 0.0], [0.0, 3.0]]), jnp.array([[2.0], [1.0]])
        >>> hidden = jax.nn.relu(jnp.ones((4, 2)) @ first)
        >>> gradient_outer_product(lambda h: h @ second, hidden).tolist()
        [[4.0, 2.0], [2.0, 1.0]]
    """
    images = as_images(images)
    outputs = check_embedding(embed, images)
    size = prod(images.shape[1:])

    def run(images: Array) -> Array:
        function = flat_rows(embed)

        def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
            part, counted = block
            values, pull = jax.vjp(function, part)

            def add_output(total: Array, number: Array) -> tuple[Array, None]:
                line = jnp.where(counted[:, None], jax.nn.one_hot(number, outputs, dtype=values.dtype)[None, :], 0)
                rows = pull(varying_like(line, values))[0].reshape(len(part), size).astype(total.dtype)
                return total + jnp.matmul(rows.T, rows), None

            return lax.scan(add_output, total, jnp.arange(outputs))[0], None

        start = varying_like(jnp.zeros((size, size), single_or_better(images.dtype)), images)
        return lax.scan(add, start, in_blocks(images, _BLOCK))[0] / images.shape[0]

    with jax.default_matmul_precision("highest"):
        return compiled_by_content(run, images)


@compiled("centred")
def neural_feature_correlation(
    product: Float[ArrayLike, "D D"], kernel: Float[ArrayLike, "D m"], centred: bool = False
) -> Float[Array, ""]:
    """Correlation of a layer's average gradient outer product with W W^T, W its kernel. O(D^2 m).

    The neural feature ansatz says that training makes the two proportional: then this is 1. Of a last layer that is
    linear it is 1 always, as the two are the same there.

    Args:
        product: [D, D] `gradient_outer_product` of the rest of the network at the activations that go into the layer.
        kernel: [D, m] kernel of the layer, as in a Dense layer; W^T W in the paper, whose weights are [m, D].
        centred: Whether to take the mean over entries off both matrices: Pearson's correlation of their entries, as in
            the first paper. Without it is the cosine <A, B>/(|A| |B|), as in the second.

    Returns:
        From 0 to 1, with `centred` from -1; not a number where a matrix is zero.

    Raises:
        ValueError: The shapes do not fit.

    Source: Radhakrishnan, Beaglehole, Pandit, Belkin, Science 2024, https://arxiv.org/abs/2212.13881; Beaglehole,
    Mitliagkas, Agarwala, 2024, https://arxiv.org/abs/2402.05271

    Examples:
        >>> kernel = jnp.array([[2.0], [1.0]])
        >>> f"{float(neural_feature_correlation(3 * kernel @ kernel.T, kernel)):.4f}"
        '1.0000'
    """
    gradients, weights = as_float("product", product, ndim=2), as_float("kernel", kernel, ndim=2)
    if gradients.shape != (weights.shape[0],) * 2:
        raise ValueError(f"product must be square with the {weights.shape[0]} rows of kernel, got {gradients.shape}")
    weights = weights / jnp.max(jnp.abs(weights))
    pair = [gradients / jnp.max(jnp.abs(gradients)), highest_matmul(weights, weights.T)]
    if centred:
        pair = [matrix - jnp.mean(matrix) for matrix in pair]
    units = [matrix / jnp.linalg.norm(matrix) for matrix in pair]
    # Half a squared distance is 1 - cos, and keeps its digits where that is small.
    return 1 - jnp.sum((units[0] - units[1]) ** 2) / 2


def in_blocks(images: Array, most: int) -> tuple[Array, Array]:
    """Images as [blocks, rows, *shape] and which of the rows are theirs: the last block is filled up.

    Args:
        images: [n, *shape].
        most: Rows of a block, at most.

    Returns:
        The blocks, and [blocks, rows] booleans.
    """
    count = ceil(images.shape[0] / most)
    rows = ceil(images.shape[0] / count)
    index = jnp.arange(count * rows).reshape(count, rows)
    return images[jnp.minimum(index, images.shape[0] - 1)], index < images.shape[0]


def _product(embed: Embedding, images: Array) -> Callable[[Array], Array]:
    blocks = in_blocks(images, _BLOCK)
    function = flat_rows(embed)

    def product(line: Array) -> Array:
        def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
            part, counted = block
            tangents = jnp.broadcast_to(line.reshape(part.shape[1:]), part.shape)
            along = jax.jvp(function, (part,), (varying_like(tangents, part),))[1]
            back = jax.vjp(function, part)[1](jnp.where(counted[:, None], along, 0))[0]
            return total + jnp.sum(back, axis=0).reshape(-1), None

        total = varying_like(jnp.zeros(line.shape, line.dtype), images)
        return lax.scan(add, total, blocks)[0] / images.shape[0]

    return product
