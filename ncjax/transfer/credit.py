"""What a prediction is worth: one if the true class scores best, a share of it where others score as well."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def credit(scores: Float[Array, "n classes"], labels: Int[Array, " n"]) -> Float[Array, " n"]:
    """One where the label's score is the highest, 1/k where k share the highest, else zero; NaN where a score is.

    Counts the scores above the label's. Looking for what equals the maximum would fail where a compiler computes the
    scores twice and rounds them in two ways.

    Args:
        scores: [n, C].
        labels: [n] in 0..C−1.

    Returns:
        [n].

    Examples:
        >>> credit(jnp.array([[3.0, 1.0], [2.0, 2.0], [0.0, 1.0]]), jnp.array([0, 1, 0])).tolist()
        [1.0, 0.5, 0.0]
    """
    own = jnp.take_along_axis(scores, labels[:, None], axis=1)
    others = jnp.arange(scores.shape[1])[None, :] != labels[:, None]
    ahead = jnp.any(others & (scores > own), axis=1)
    level = jnp.sum(others & (scores == own), axis=1)
    shares = jnp.where(ahead, 0, 1 / (1 + level).astype(scores.dtype))
    return jnp.where(jnp.isnan(scores).any(axis=1), jnp.nan, shares)
