"""The law of data separation: collapse by a common factor from one layer to the next."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_float
from ncjax.metrics.compiled import compiled

# Through two points there is always a line.
_FEWEST = 3


class SeparationLaw(NamedTuple):
    """A straight line through the logarithm of a measure of collapse, by depth.

    Attributes:
        slope: Change of the natural logarithm a layer; each layer multiplies the measure by exp(slope).
        r_squared: Share of the logarithm's variance over layers that the line explains, 1 where the law is exact.
    """

    slope: Float[Array, ""]
    r_squared: Float[Array, ""]


@compiled()
def separation_law(values: Float[ArrayLike, " L"]) -> SeparationLaw:
    """Least-squares line through log D against the number of the layer, D a measure of collapse by layer. O(L).

    The paper's D is tr(S_W S_B^+) with classes weighing as their samples: C times `nc1(stats, weighting="shares")`, and
    C times `nc1(stats)` where classes are of one size. A common factor changes nothing.

    Args:
        values: [L] the measure after each layer, from input to output; layers where it is not above zero, or not a
            number, take no part, and keep their place.

    Returns:
        The line; not numbers with fewer than three layers. Of layers that are all alike the slope is 0 and the share
        not a number.

    Raises:
        ValueError: The shape does not fit.

    Source: He, Su, "A law of data separation in deep learning", PNAS 2023, https://arxiv.org/abs/2210.17020

    Examples:
        >>> law = separation_law(jnp.array([8.0, 4.0, 2.0, 1.0]))
        >>> f"{float(jnp.exp(law.slope)):.3f} {float(law.r_squared):.3f}"
        '0.500 1.000'
    """
    array = as_float("values", values, ndim=1)
    used = (array > 0) & jnp.isfinite(array)
    logs = jnp.log(jnp.where(used, array, 1))
    count = jnp.sum(used).astype(array.dtype)

    def centred(x: Array) -> Array:
        return jnp.where(used, x - jnp.sum(jnp.where(used, x, 0)) / count, 0)

    depth, height = centred(jnp.arange(array.shape[0]).astype(array.dtype)), centred(logs)
    slope = jnp.sum(depth * height) / jnp.sum(depth**2)
    share = slope * jnp.sum(depth * height) / jnp.sum(height**2)
    enough = count >= _FEWEST
    return SeparationLaw(jnp.where(enough, slope, jnp.nan), jnp.where(enough, share, jnp.nan))
