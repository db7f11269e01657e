"""Complexity along the lines between class means, and what follows from it for the error of the nearest mean."""

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_array, as_images, as_labels
from ncjax.metrics.class_means import between_only, centred_means, distinct_pairs, squared_distances
from ncjax.metrics.class_stats import ClassStats
from ncjax.metrics.compiled import compiled, compiled_by_content
from ncjax.metrics.geometric_collapse import squares_in_unit
from ncjax.metrics.gradient_outer_product import in_blocks
from ncjax.metrics.jacobian import Embedding, check_embedding, flat_rows, varying_like

# Numbers in the gradients of one block of images, and images in a block.
_GRADIENTS, _BLOCK = 2**24, 128


def directional_complexity(
    embed: Embedding, images: Float[ArrayLike, "n ..."], labels: Integer[ArrayLike, " n"], stats: ClassStats
) -> Float[Array, "C C"]:
    """Mean over each class i of |J^T u|^2, u the unit vector from m_i to m_j: what complexity lies along each line.

    All lines lie in the span of the differences of the class means: min(C - 1, d) vector-Jacobian products an image,
    where the exact complexity takes min(d, D). Besides, O(C^2 D) an image for C classes and D inputs.

    Args:
        embed: Function from [n, *shape] to [n, d] whose rows do not depend on each other.
        images: [n, *shape] floats over which the means are taken, perhaps a sample of those of `stats`.
        labels: [n] integers from 0 to C - 1.
        stats: Statistics of the embedding by class.

    Returns:
        [C, C] complexities, in squared outputs a squared input: at [i, j] that of class i towards j. Not a number where
        class i has no image; 0 on the diagonal and where a class has no sample in the statistics.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Source: derived; see `directional_geometric_collapse`

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> images, labels = jnp.array([[0.0, 0.0], [1.0, 0.0]]), jnp.array([0, 1])
        >>> double = lambda x: x @ jnp.diag(jnp.array([2.0, 5.0]))
        >>> directional_complexity(double, images, labels, class_stats(double(images), labels, 2)).round(4).tolist()
        [[0.0, 4.0], [4.0, 0.0]]
    """
    images = as_images(images)
    dim = check_embedding(embed, images)
    if dim != stats.means.shape[1]:
        raise ValueError(f"stats must be of the embedding's {dim} outputs, got statistics of {stats.means.shape[1]}")
    num_classes = stats.num_classes
    own = as_labels(labels, images.shape[0], num_classes)

    def run(images: Array, own: Array, stats: ClassStats) -> Array:
        high, low = centred_means(stats)
        means = high + low
        basis = _basis(means)
        size = images.size // images.shape[0]
        block = min(_BLOCK, max(1, _GRADIENTS // (max(num_classes, basis.shape[1]) * size)))
        function = flat_rows(embed)
        lengths = jnp.sqrt(jnp.where(distinct_pairs(stats), squared_distances(stats), jnp.inf))

        def add(total: Array, part: tuple[Array, Array, Array]) -> tuple[Array, None]:
            pixels, label, counted = part
            outputs, pull = jax.vjp(function, pixels)
            lines = jnp.broadcast_to(basis.T[:, None, :], (basis.shape[1], *outputs.shape)).astype(outputs.dtype)
            gradients = jax.vmap(lambda line: pull(varying_like(line, outputs))[0].reshape(len(pixels), -1))(lines)
            mine = jnp.minimum(label, num_classes - 1)
            # Unit vectors from the own mean to each of the others, by their coordinates in the basis.
            units = ((high[None, :] - high[mine][:, None]) + (low[None, :] - low[mine][:, None])) / lengths[mine][
                ..., None
            ]
            along = jnp.einsum("bcr,rbx->bcx", units @ basis, gradients)
            squares = jnp.where(counted[:, None], jnp.sum(along**2, axis=-1), 0)
            return total + jax.ops.segment_sum(squares, label, num_classes), None

        pixels, counted = in_blocks(images, block)
        marked = in_blocks(own, block)[0]
        total = varying_like(jnp.zeros((num_classes, num_classes), means.dtype), images)
        sums = lax.scan(add, total, (pixels, marked, counted))[0]
        counts = jax.ops.segment_sum(jnp.ones_like(own, means.dtype), own, num_classes)
        return sums / jnp.where(counts > 0, counts, jnp.nan)[:, None]

    with jax.default_matmul_precision("highest"):
        return compiled_by_content(run, images, own, stats)


@compiled()
def directional_geometric_collapse(stats: ClassStats, complexity: Float[ArrayLike, "C C"]) -> Float[Array, ""]:
    """Mean over i != j of E_i|J^T u|^2 / |m_j - m_i|^2, u the unit vector from m_i to m_j.

    Derivation. Where c is a Poincaré constant of the input distribution of class i, Var_i(g) <= c E_i|grad g|^2 for any
    scalar g. With g = u.f, u fixed, this says u^T S_i u <= c E_i|J^T u|^2. Divided by the squared distance and averaged
    over pairs: directional CDNV <= c * this. It is at most twice the tight geometric collapse, as |J^T u| <= |J|_F.

    Args:
        stats: Statistics of the embedding by class.
        complexity: [C, C] as `directional_complexity` gives it; a class whose row is not a number takes no part.

    Returns:
        A scalar in inverse squared input units; not a number with fewer than two classes, or where all class means
        coincide.

    Raises:
        ValueError: `complexity` does not fit the statistics.

    Source: derived as above; Munn, Dherin, Gonzalvo, NeurIPS 2024, https://arxiv.org/abs/2405.15706, for all directions

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [2.0]]), jnp.array([0, 1]), num_classes=2)
        >>> float(directional_geometric_collapse(stats, jnp.array([[0.0, 3.0], [5.0, 0.0]])))
        1.0
    """
    shares, pairs = _shares(stats, complexity)
    return between_only(stats, jnp.mean(shares, where=pairs))


@compiled()
def directional_complexity_bound(
    stats: ClassStats, complexity: Float[ArrayLike, "C C"], poincare_constant: Float[ArrayLike, "..."] | float | int
) -> Float[Array, ""]:
    """Bound on the error of the nearest class mean through complexity along the lines between means; at most 1.

    Derivation. A sample h of class i is nearer to m_j than to m_i where S = |h - m_j|^2 - |h - m_i|^2 <= 0. With
    D = m_j - m_i, E S = |D|^2 and Var S = 4 D^T S_i D <= 4 |D|^2 c_i E_i|J^T u|^2 (see
    `directional_geometric_collapse`). Cantelli's inequality gives P(S <= 0) <= Var S/(Var S + (E S)^2) = 4r/(4r + 1)
    with r = c_i E_i|J^T u|^2/|D|^2. The sum over j, at most 1, bounds the error on class i; classes weigh the same.

    It takes the class means and the complexities as those of the distribution, and holds where the constants are
    Poincaré constants: `poincare_lower_bound` gives less, and makes an estimate of the bound.

    Args:
        stats: Statistics of the embedding by class.
        complexity: [C, C] as `directional_complexity` gives it; a class whose row is not a number takes no part.
        poincare_constant: c of all classes, or [C] of each, in squared input units.

    Returns:
        A share of the samples; not a number with fewer than two classes, or where all class means coincide.

    Raises:
        ValueError: `complexity` does not fit the statistics.

    Source: derived as above

    Examples:
        >>> from ncjax.metrics import class_stats
        >>> stats = class_stats(jnp.array([[0.0], [2.0]]), jnp.array([0, 1]), num_classes=2)
        >>> f"{float(directional_complexity_bound(stats, jnp.array([[0.0, 1.0], [1.0, 0.0]]), 0.25)):.2f}"
        '0.20'
    """
    shares, pairs = _shares(stats, complexity)
    constants = jnp.broadcast_to(jnp.asarray(poincare_constant, shares.dtype), (stats.num_classes,))
    ratios = 4 * constants[:, None] * shares
    # r/(r + 1) as 1 - 1/(r + 1) is 1 where r is infinite: where two means coincide.
    errors = jnp.where(ratios < 1, ratios / (1 + ratios), 1 - 1 / (1 + ratios))
    by_class = jnp.minimum(jnp.sum(jnp.where(pairs, errors, 0), axis=1), 1)
    return between_only(stats, jnp.mean(by_class, where=pairs.any(axis=1)))


def _basis(means: Float[Array, "C d"]) -> Float[Array, "d r"]:
    """Orthonormal columns whose span holds all differences of the means."""
    differences = (means - means[:1])[1:]
    return jnp.linalg.qr(differences.T)[0]


def _shares(stats: ClassStats, complexity: ArrayLike) -> tuple[Float[Array, "C C"], Bool[Array, "C C"]]:
    """Complexity over squared distance by ordered pair, and the pairs that are known."""
    matrix = as_array("complexity", complexity)
    if matrix.shape != (stats.num_classes,) * 2:
        raise ValueError(f"complexity must have shape ({stats.num_classes}, {stats.num_classes}), got {matrix.shape}")
    pairs = distinct_pairs(stats) & ~jnp.isnan(matrix).all(axis=1)[:, None]
    squares = jnp.where(pairs, squared_distances(stats), 1)
    return squares_in_unit(stats, jnp.where(pairs, matrix, 0)) / squares, pairs
