"""Geometric complexity as a penalty for training."""

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from ncjax.metrics.arrays import ArrayLike, as_images
from ncjax.metrics.compiled import compiled_by_content
from ncjax.metrics.jacobian import Embedding, check_embedding, row_squares


def complexity_penalty(
    embed: Embedding,
    images: Float[ArrayLike, "n ..."],
    key: PRNGKeyArray,
    num_probes: int = 1,
    precision: str = "highest",
) -> Float[Array, ""]:
    """Unbiased, differentiable estimate of the geometric complexity of a batch, for a training objective.

    Args:
        embed: Function from [n, *shape] to [n, d] whose rows do not depend on each other.
        images: [n, *shape] floats.
        key: Random key of this step.
        num_probes: Rademacher probes a sample.
        precision: Matrix-multiplication precision.

    Returns:
        A scalar. Its gradient costs about three backward passes a probe.

    Raises:
        ValueError: An argument does not fit.

    Source: Hoffman, Roberts, Yaida, "Robust learning with Jacobian regularization", 2019,
    https://arxiv.org/abs/1908.02729 (twice theirs)

    Examples:
        >>> import jax
        >>> penalty = lambda scale: complexity_penalty(lambda x: scale * x, jnp.ones((4, 1)), jax.random.key(0))
        >>> float(penalty(3.0)), float(jax.grad(penalty)(3.0))
        (9.0, 6.0)
    """
    images = as_images(images)
    check_embedding(embed, images)
    if num_probes < 1:
        raise ValueError(f"num_probes must be at least 1, got {num_probes}")

    def penalty(images: Array, key: Array) -> Array:
        index = jnp.arange(images.shape[0])
        squares = row_squares(embed, images, index, key, "probes", num_probes, "rademacher", num_probes, precision)
        return jnp.mean(squares)

    return compiled_by_content(penalty, images, key)
