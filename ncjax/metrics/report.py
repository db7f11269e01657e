"""All that can be said about the collapse of given features at once."""

from collections.abc import Mapping
from typing import Literal

from jaxtyping import Array, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_array, single_or_better
from ncjax.metrics.class_means import collapsed_to_a_point, known_distances
from ncjax.metrics.class_stats import ClassStats, class_stats
from ncjax.metrics.collapse import cdnv, nc1, variance_ratio, vci
from ncjax.metrics.compiled import compiled
from ncjax.metrics.nearest_mean import nc4, ncc_error, nearest_class_mean
from ncjax.metrics.simplex import (
    hyperspherical_uniformity,
    nc2_equiangularity,
    nc2_equinorm,
    nc2_etf,
    nc2_maxangle,
    nc3,
)

_NC2 = {
    "nc2_equinorm": nc2_equinorm,
    "nc2_equiangularity": nc2_equiangularity,
    "nc2_maxangle": nc2_maxangle,
    "nc2_etf": nc2_etf,
}


@compiled()
def collapse_report(
    stats: ClassStats,
    kernel: Float[ArrayLike, "d C"] | None = None,
    bias: Float[ArrayLike, "..."] | float | None = None,
    features: Float[ArrayLike, "n d"] | None = None,
    labels: Integer[ArrayLike, " n"] | None = None,
) -> dict[str, Float[Array, ""]]:
    """Every measure of collapse that the inputs allow.

    Args:
        stats: Statistics by class; nc1 and vci need their scatter matrix.
        kernel: [d, C] kernel of the classifier: adds nc3 and the nc2 quantities of the classifier.
        bias: [C] bias of the classifier, for nc4; 0.0 says that it has none. Where neither is said, nc4 is left out:
            without its bias a classifier names other classes.
        features: [n, d] floats: with labels they add ncc_error, with a kernel and a bias nc4.
        labels: [n] integers from 0 to C - 1.

    Returns:
        Scalars by name. `collapsed_to_a_point` is 1 where all class means coincide: what compares with the distance
        between classes is not a number then.

    Raises:
        ValueError: A shape or a concrete label does not fit.

    Examples:
        >>> import jax.numpy as jnp
        >>> features, labels = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> report = collapse_report(class_stats(features, labels, num_classes=2))
        >>> sorted(report)  # doctest: +NORMALIZE_WHITESPACE
        ['cdnv', 'collapsed_to_a_point', 'nc1', 'nc2_equiangularity', 'nc2_equinorm', 'nc2_etf', 'nc2_maxangle',
         'uniformity_inverse', 'uniformity_log', 'variance_ratio', 'vci']
    """
    distances = known_distances(stats)
    report = {
        "collapsed_to_a_point": collapsed_to_a_point(stats),
        "cdnv": cdnv(stats, distances),
        "variance_ratio": variance_ratio(stats),
    }
    if stats.scatter is not None:
        report |= {"nc1": nc1(stats), "vci": vci(stats)}
    report |= {name: measure(stats) for name, measure in _NC2.items()}
    report["uniformity_log"] = hyperspherical_uniformity(stats, energy="log")
    report["uniformity_inverse"] = hyperspherical_uniformity(stats, energy="inverse")
    if kernel is not None:
        report |= {f"{name}_classifier": measure(stats, kernel) for name, measure in _NC2.items()}
        report["nc3"] = nc3(stats, kernel)
    classifies = kernel is not None and bias is not None
    if features is not None and (classifies or labels is not None):
        nearest, _ = nearest_class_mean(stats, features, distances)
        if kernel is not None and bias is not None:
            report["nc4"] = nc4(stats, kernel, bias, features, nearest=nearest)
        if labels is not None:
            report["ncc_error"] = ncc_error(stats, features, labels, nearest=nearest)
    return report


@compiled("num_classes", "pooling", "scatter")
def collapse_report_by_layer(
    taps: Mapping[str, Float[ArrayLike, "n ..."]],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    pooling: Literal["mean", "flatten"] = "mean",
    scatter: bool = False,
) -> dict[str, dict[str, Float[Array, ""]]]:
    """Collapse of every stage of a network, for cascades from the last layer to the first.

    Args:
        taps: [n, ..., d] activations by name; maps have their positions between the first and the last axis.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        pooling: "mean" averages over positions, "flatten" makes every position a feature.
        scatter: Whether to spend O(d^2) memory a stage for nc1 and vci.

    Returns:
        A report for each name.

    Raises:
        ValueError: A shape or a concrete label does not fit, or there is no such pooling.

    Examples:
        >>> import jax.numpy as jnp
        >>> taps = {"block1": jnp.arange(16.0).reshape(4, 2, 2), "embedding": jnp.array([[1.0], [3.0], [-1.0], [-3.0]])}
        >>> report = collapse_report_by_layer(taps, jnp.array([0, 0, 1, 1]), num_classes=2)
        >>> float(report["embedding"]["cdnv"])
        0.0625
    """
    if pooling not in ("mean", "flatten"):
        raise ValueError(f'pooling must be "mean" or "flatten", got {pooling!r}')
    report = {}
    for name, tap in taps.items():
        activations = as_array(f"taps[{name!r}]", tap)
        if activations.ndim < 2:
            raise ValueError(f"taps[{name!r}] must have shape (n, ..., d), got {activations.shape}")
        rows = (activations.shape[0], -1)
        if pooling == "mean" and activations.ndim > 2:
            # A mean in half precision over thousands of positions would round away what is measured.
            wide = activations.astype(single_or_better(activations.dtype))
            activations = wide.mean(axis=tuple(range(1, activations.ndim - 1)))
        report[name] = collapse_report(class_stats(activations.reshape(rows), labels, num_classes, scatter=scatter))
    return report
