"""Ranks and spectra of features: how many directions they use, and how evenly."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.metrics.arrays import ArrayLike, as_array, as_count, as_float, single_or_better
from ncjax.metrics.compiled import compiled

# RankMe adds this to each share before the logarithm, so that a share of zero has one.
_RANKME_EPSILON = 1e-7


@compiled("centred")
def singular_values(features: Float[ArrayLike, "n d"], centred: bool = True) -> Float[Array, " k"]:
    """Singular values of a matrix of features, falling. O(n d min(n, d)).

    They are taken of the features and not of their covariance: squares would leave single precision half of its digits,
    and the small ones decide on a rank.

    Args:
        features: [n, d] floats.
        centred: Whether to take the mean over the rows off first.

    Returns:
        [min(n, d)] values in the unit of the features; not numbers where a feature is none.

    Raises:
        ValueError: The shape does not fit.

    Examples:
        >>> singular_values(jnp.array([[3.0, 0.0], [0.0, 4.0]]), centred=False).tolist()
        [4.0, 3.0]
    """
    rows = as_float("features", features, ndim=2)
    rows = rows.astype(single_or_better(rows.dtype))
    if centred:
        # From a row of its own: a common offset is gone before anything is added up.
        rows = rows - rows[:1]
        rows = rows - jnp.mean(rows, axis=0, keepdims=True)
    return jnp.linalg.svd(rows, compute_uv=False)


@compiled()
def effective_rank(values: Float[ArrayLike, " k"]) -> Float[Array, ""]:
    """Exponential of the entropy of the singular values' shares of their sum: from 1 to the number of values.

    Of features that are not centred this is RankMe, but for the 1e-7 that `rank_report` adds as RankMe does.

    Args:
        values: [k] singular values.

    Returns:
        A number of directions; not a number where all values are zero.

    Raises:
        ValueError: The shape does not fit.

    Source: Roy, Vetterli, "The effective rank", EUSIPCO 2007; RankMe: Garrido, Balestriero, Najman, LeCun, 2023,
    https://arxiv.org/abs/2210.02885

    Examples:
        >>> f"{float(effective_rank(jnp.array([2.0, 2.0, 0.0]))):.4f}"
        '2.0000'
    """
    shares = _shares(values)
    logs = jnp.log(jnp.where(shares > 0, shares, 1))
    return jnp.exp(-jnp.sum(shares * logs))


@compiled()
def stable_rank(values: Float[ArrayLike, " k"]) -> Float[Array, ""]:
    """Sum of the squared singular values over the largest of them: |A|_F^2/|A|_2^2, from 1 to their number.

    Args:
        values: [k] singular values.

    Returns:
        A number of directions; not a number where all values are zero.

    Raises:
        ValueError: The shape does not fit.

    Source: Rudelson, Vershynin, 2007, https://arxiv.org/abs/math/0503442

    Examples:
        >>> float(stable_rank(jnp.array([2.0, 1.0])))
        1.25
    """
    return jnp.sum(_of_largest(values) ** 2)


@compiled()
def participation_ratio(values: Float[ArrayLike, " k"]) -> Float[Array, ""]:
    """(sum of s^2)^2 / sum of s^4 over the singular values s: the number of directions that share the variance.

    Args:
        values: [k] singular values of centred features.

    Returns:
        A number of directions from 1 to k; not a number where all values are zero.

    Raises:
        ValueError: The shape does not fit.

    Source: Gao et al., "A theory of multineuronal dimensionality", 2017, https://doi.org/10.1101/214262

    Examples:
        >>> float(participation_ratio(jnp.array([2.0, 2.0, 0.0])))
        2.0
    """
    squares = _of_largest(values) ** 2
    return jnp.sum(squares) ** 2 / jnp.sum(squares**2)


@compiled("directions")
def top_variance(values: Float[ArrayLike, " k"], directions: int) -> Float[Array, ""]:
    """Share of the variance in the directions of the largest singular values: 1 at full collapse for C - 1 of them.

    Args:
        values: [k] singular values of centred features, falling.
        directions: How many of them, C - 1 for C classes.

    Returns:
        A share; not a number where all values are zero.

    Raises:
        ValueError: The shape does not fit.

    Examples:
        >>> float(top_variance(jnp.array([2.0, 1.0, 1.0]), directions=1)).__round__(4)
        0.6667
    """
    squares = _of_largest(values) ** 2
    return jnp.sum(squares[: as_count("directions", directions)]) / jnp.sum(squares)


@compiled("first", "last")
def spectrum_slope(values: Float[ArrayLike, " k"], first: int = 5, last: int = 50) -> Float[Array, ""]:
    """Exponent a of a power law i^-a through the eigenvalues of the covariance, which are squared singular values.

    A straight line through log eigenvalue against log i, with weights 1/i as its authors take them.

    Args:
        values: [k] singular values of centred features, falling.
        first: The first i, counted from 1, that takes part.
        last: The last one; values that are zero take no part.

    Returns:
        The exponent; not a number with fewer than two values.

    Raises:
        ValueError: The shape does not fit.

    Source: α-ReQ: Agrawal, Mondal, Ghosh, Richards, NeurIPS 2022, after Stringer et al. 2019,
    https://doi.org/10.1038/s41586-019-1346-5

    Examples:
        >>> f"{float(spectrum_slope(jnp.arange(1.0, 61.0) ** -0.75)):.3f}"
        '1.500'
    """
    numbers = jnp.arange(1, jnp.shape(values)[0] + 1)
    scaled = _of_largest(values)
    used = (numbers >= first) & (numbers <= last) & (scaled > 0)
    x = jnp.log(numbers.astype(scaled.dtype))
    y = 2 * jnp.log(jnp.where(used, scaled, 1))
    weights = jnp.where(used, 1 / numbers.astype(scaled.dtype), 0)
    total = jnp.sum(weights)
    x_off = x - jnp.sum(weights * x) / total
    slope = jnp.sum(weights * x_off * y) / jnp.sum(weights * x_off**2)
    return jnp.where(jnp.sum(used) >= 2, -slope, jnp.nan)


@compiled("num_classes")
def rank_report(features: Float[ArrayLike, "n d"], num_classes: int) -> dict[str, Float[Array, ""]]:
    """Every rank of a matrix of features. O(n d min(n, d)), two decompositions.

    Args:
        features: [n, d] floats.
        num_classes: Number of classes C.

    Returns:
        `rankme`, of the features as they are; and of the centred features `effective_rank`, `stable_rank`,
        `participation_ratio`, `spectrum_slope` and `top_variance`, the share of the first C - 1 directions.

    Raises:
        ValueError: The shape does not fit.

    Source: RankMe: Garrido, Balestriero, Najman, LeCun, 2023, https://arxiv.org/abs/2210.02885; the others as their
    functions say

    Examples:
        >>> report = rank_report(jnp.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), num_classes=2)
        >>> {name: round(float(value), 3) for name, value in report.items() if name != "spectrum_slope"}
        {'rankme': 2.0, 'effective_rank': 2.0, 'stable_rank': 2.0, 'participation_ratio': 2.0, 'top_variance': 0.5}
    """
    centred, plain = singular_values(features), _shares(singular_values(features, centred=False)) + _RANKME_EPSILON
    return {
        "rankme": jnp.exp(-jnp.sum(plain * jnp.log(plain))),
        "effective_rank": effective_rank(centred),
        "stable_rank": stable_rank(centred),
        "participation_ratio": participation_ratio(centred),
        "spectrum_slope": spectrum_slope(centred),
        "top_variance": top_variance(centred, max(1, num_classes - 1)),
    }


def _of_largest(values: ArrayLike) -> Array:
    """Values over the largest of them, so that no square leaves the range; not numbers where all are zero."""
    array = as_array("values", values)
    if array.ndim != 1 or array.shape[0] == 0:
        raise ValueError(f"values must have shape (k,) with k > 0, got {array.shape}")
    return array / jnp.max(array)


def _shares(values: ArrayLike) -> Array:
    scaled = _of_largest(values)
    return scaled / jnp.sum(scaled)
