"""Check that a function treats the rows of its batch one by one, as geometric complexity takes for granted."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ncjax.metrics.arrays import ArrayLike
from ncjax.metrics.jacobian import Embedding, check_embedding, check_images


def check_row_independence(embed: Embedding, images: Float[ArrayLike, "n ..."], tolerance: float | None = None) -> None:
    """Check that a function's rows do not depend on each other, as geometric complexity takes for granted.

    Half of the rows are exchanged for other values; the outputs of the other half must stay.

    Args:
        embed: Function from [n, *shape] to [n, ...].
        images: [n, *shape] floats, at least two rows, not under a trace.
        tolerance: Largest change to accept, relative to the largest output; the square root of the type's precision by
            default.

    Raises:
        ValueError: Rows depend on each other, or the arguments do not fit.

    Example:
        >>> check_row_independence(lambda x: 2 * x, jnp.ones((4, 3)))
        >>> check_row_independence(lambda x: x - x.mean(axis=0, keepdims=True), jnp.eye(4))
        Traceback (most recent call last):
        ...
        ValueError: embed couples the rows of its batch: ...
    """
    images = check_images(images)
    rows = images.shape[0]
    if rows < 2:
        raise ValueError(f"images must have at least 2 rows to tell whether rows are coupled, got {rows}")
    check_embedding(embed, images)
    kept = jnp.arange(rows) % 2 == 0
    others = 1 + 2 * jnp.roll(images, 1, axis=0)
    changed = jnp.where(kept.reshape(-1, *(1,) * (images.ndim - 1)), images, others)
    before, after = (np.asarray(embed(x), np.float64)[::2] for x in (images, changed))
    precision = jnp.finfo(jax.eval_shape(embed, images).dtype).eps
    tolerance = float(precision) ** 0.5 if tolerance is None else tolerance
    change = np.abs(after - before).max() / max(np.abs(before).max(), np.finfo(np.float32).tiny)
    if not change <= tolerance:
        raise ValueError(
            f"embed couples the rows of its batch: other rows changed a row's output by {change:.2g} of the "
            "largest output; batch normalisation must use its stored averages"
        )
