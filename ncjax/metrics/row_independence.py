"""Check that a function treats the rows of its batch one by one, as geometric complexity takes for granted."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_images
from ncjax.metrics.jacobian import Embedding, check_embedding


def check_row_independence(embed: Embedding, images: Float[ArrayLike, "n ..."], tolerance: float | None = None) -> None:
    """Check that a function is one of each row alone, as geometric complexity takes for granted.

    Three things are tried. The function is called twice. Rows are exchanged for other values while the outputs of the
    others must stay: the rows get random numbers, and each of their binary digits says once who changes and once who
    stays, so that any two rows are on different sides. Last, the rows come in another order and fewer at a time. That
    takes 2 log2(n) + 4 calls.

    Args:
        embed: Function from [n, *shape] to [n, ...].
        images: [n, *shape] floats, at least two rows, not under a trace.
        tolerance: Largest change to accept, relative to the largest output; the square root of the type's precision by
            default.

    Raises:
        ValueError: Rows depend on each other, on their place or on chance, or the arguments do not fit.

    Examples:
        >>> check_row_independence(lambda x: 2 * x, jnp.ones((4, 3)))
        >>> check_row_independence(lambda x: x - x.mean(axis=0, keepdims=True), jnp.eye(4))
        Traceback (most recent call last):
        ...
        ValueError: embed couples the rows of its batch: ...
    """
    images = as_images(images)
    rows = images.shape[0]
    if rows < 2:
        raise ValueError(f"images must have at least 2 rows to tell whether rows are coupled, got {rows}")
    check_embedding(embed, images)
    precision = jnp.finfo(jax.eval_shape(embed, images).dtype).eps
    tolerance = float(precision) ** 0.5 if tolerance is None else tolerance
    truth = _outputs(embed, images)
    if not np.isfinite(truth).all():
        raise ValueError("embed must return finite numbers, or no change could be seen")
    largest = max(np.abs(truth).max(), np.finfo(np.float32).tiny)

    def change(outputs: np.ndarray, expected: np.ndarray) -> float | None:
        found = float(np.abs(outputs - expected).max() / largest)
        # What is not a number has changed as well.
        return None if found <= tolerance else found

    if (found := change(_outputs(embed, images), truth)) is not None:
        raise ValueError(
            f"embed is no function of its input: called again it gave values that differ by {found:.2g} of the largest "
            "output; turn off dropout and whatever else draws random numbers"
        )
    numbers = np.random.default_rng(0).permutation(rows)
    others = 1 + 2 * jnp.roll(images, 1, axis=0)
    for digit in range((rows - 1).bit_length()):
        digits = (numbers >> digit) & 1
        for stays in (digits == 0, digits == 1):
            kept = jnp.asarray(stays).reshape(-1, *(1,) * (images.ndim - 1))
            outputs = _outputs(embed, jnp.where(kept, images, others))
            if (found := change(outputs[stays], truth[stays])) is not None:
                raise ValueError(
                    f"embed couples the rows of its batch: other rows changed a row's output by {found:.2g} of the "
                    "largest output; batch normalisation must use its stored averages"
                )
    half = rows // 2
    for order in (numbers, numbers[:half]):
        if (found := change(_outputs(embed, images[order]), truth[order])) is not None:
            raise ValueError(
                f"embed treats a row by its place in the batch or by the batch's size: in another place an output "
                f"differed by {found:.2g} of the largest; turn off dropout, also with a fixed key"
            )


def _outputs(embed: Embedding, images: Array) -> np.ndarray:
    # Another number of rows may be multiplied by another algorithm: in reduced precision that would look like a change.
    with jax.default_matmul_precision("highest"):
        outputs = np.asarray(embed(images))
    return outputs.astype(np.complex128 if np.iscomplexobj(outputs) else np.float64)
