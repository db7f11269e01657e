"""ClassStats: the one sufficient statistic of neural collapse, built in one pass and merged without cancellation."""

import dataclasses
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float, Int, Integer

from ncjax.metrics.arrays import ArrayLike, as_count, as_float, as_labels, dropped_rows, single_or_better
from ncjax.metrics.compensated import rounded, two_sum
from ncjax.metrics.compiled import compiled
from ncjax.metrics.moments import least_exponent, moments_by_class, weighted_gram
from ncjax.metrics.powers_of_two import scaled


@jax.tree_util.register_dataclass
@dataclass(frozen=True, eq=False)
class ClassStats:
    """Counts, means and centred second moments of features by class.

    A pytree of full shape from the start, so it can be the carry of `lax.scan` and the operand of a reduction over
    devices. `merge` is associative up to rounding and `empty` is its exact identity. The second moments are sums of
    squared deviations from the class means, never E|h|^2 - |m|^2, which turns negative at deep collapse; the means keep
    a low-order part for the same reason.

    All moments are in units of `2**exponent`, the second ones in its square. The exponent is 0 where the largest entry
    of the features lies between 6e-8 and 1e12; beyond, squares would leave the range of single precision.

    Attributes:
        counts: [C] number of samples of each class (int32).
        means: [C, d] class means, rounded.
        means_low: [C, d] what rounding took from the means: the mean is `means + means_low`.
        within: [C] sum over the samples of each class of |h - m_c|^2.
        scatter: [d, d] sum over all samples of (h - m_y)(h - m_y)^T, or None where it was not asked for.
        dropped: Number of samples left out because their label was out of range (int32). Under a trace no label can be
            looked at, so look here; elsewhere such a label is an error and this is 0.
        exponent: The unit of the moments is 2 to this power, a multiple of 64 (int32).

    Source: Chan, Golub, LeVeque, "Algorithms for computing the sample variance" (1983), equation 2.1.

    Examples:
        >>> features, labels = jnp.array([[0.0, 1.0], [0.0, 3.0], [5.0, 5.0]]), jnp.array([0, 0, 1])
        >>> stats = ClassStats.from_batch(features, labels, num_classes=2)
        >>> stats.means.tolist(), stats.within.tolist()
        ([[0.0, 2.0], [5.0, 5.0]], [2.0, 0.0])
    """

    # Transformations of pytrees put batched arrays, shapes and shardings in these places: no shape can be promised
    # here.
    counts: Any
    means: Any
    means_low: Any
    within: Any
    scatter: Any
    dropped: Any
    exponent: Any

    @classmethod
    def empty(cls, num_classes: int, dim: int, scatter: bool = True, dtype: Any = jnp.float32) -> "ClassStats":
        """Statistics of no sample: the identity of `merge`.

        Args:
            num_classes: Number of classes C.
            dim: Number of features d.
            scatter: Whether to hold the [d, d] within-class scatter that nc1, vci and the spectra need.
            dtype: Float type of the moments; half precision becomes float32.

        Returns:
            Statistics with all counts zero.

        Examples:
            >>> ClassStats.empty(num_classes=3, dim=2).means.shape
            (3, 2)
        """
        num_classes, dim = as_count("num_classes", num_classes), as_count("dim", dim)
        dtype = single_or_better(dtype)
        zeros = partial(jnp.zeros, dtype=dtype)
        return cls(
            counts=jnp.zeros(num_classes, jnp.int32),
            means=zeros((num_classes, dim)),
            means_low=zeros((num_classes, dim)),
            within=zeros(num_classes),
            scatter=zeros((dim, dim)) if scatter else None,
            dropped=jnp.zeros((), jnp.int32),
            exponent=jnp.array(least_exponent(dtype), jnp.int32),
        )

    @classmethod
    def from_batch(
        cls,
        features: Float[ArrayLike, "n d"],
        labels: Integer[ArrayLike, " n"],
        num_classes: int,
        mask: Bool[ArrayLike, " n"] | None = None,
        scatter: bool = True,
    ) -> "ClassStats":
        """Statistics of one batch.

        Args:
            features: [n, d] floats. Half precision is accumulated in float32; float64 stays float64.
            labels: [n] integers from 0 to C - 1.
            num_classes: Number of classes C.
            mask: [n] booleans; rows where it is false do not count, whatever they hold (NaN too).
            scatter: Whether to accumulate the [d, d] within-class scatter; without it memory is O(C d).

        Returns:
            The statistics.

        Raises:
            ValueError: A shape or type does not fit, or a label is out of range. Under a trace labels cannot be looked
                at: there a row with a label out of range is dropped, and counted in `dropped`.

        Examples:
            >>> stats = ClassStats.from_batch(jnp.ones((4, 2)), jnp.array([0, 0, 1, 1]), num_classes=3)
            >>> stats.counts.tolist()
            [2, 2, 0]
        """
        return _from_batch(features, labels, num_classes, mask, scatter)

    def merge(self, other: "ClassStats") -> "ClassStats":
        """Statistics of the union of two disjoint sets of samples.

        Args:
            other: Statistics of the same shape and type.

        Returns:
            The merged statistics; merging with `empty` changes no bit.

        Raises:
            ValueError: The shapes differ, or only one of the two holds a scatter matrix.

        Examples:
            >>> one = ClassStats.from_batch(jnp.array([[1.0]]), jnp.array([0]), num_classes=1)
            >>> two = ClassStats.from_batch(jnp.array([[3.0]]), jnp.array([0]), num_classes=1)
            >>> one.merge(two).means.tolist(), one.merge(two).within.tolist()
            ([[2.0]], [2.0])
        """
        if self.means.shape != other.means.shape:
            raise ValueError(
                f"statistics to merge must have one shape, got means {self.means.shape} and {other.means.shape}"
            )
        if (self.scatter is None) != (other.scatter is None):
            raise ValueError("statistics to merge must both hold a scatter matrix or both none, got one of each")
        return _merged(self, other)

    @property
    def num_classes(self) -> int:
        """Number of classes C, present or not."""
        return self.means.shape[-2]

    @property
    def dim(self) -> int:
        """Number of features d."""
        return self.means.shape[-1]

    @property
    def variances(self) -> Float[Array, " C"]:
        """[C] population variance of each class, mean of |h - m_c|^2; zero where a class has no sample.

        In the unit of the statistics, `4**exponent`.
        """
        return self.within / jnp.maximum(self.counts, 1).astype(self.within.dtype)


def class_stats(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    mask: Bool[ArrayLike, " n"] | None = None,
    scatter: bool = True,
) -> ClassStats:
    """Statistics of features by class, from which every measure of collapse follows.

    Args:
        features: [n, d] floats. Half precision is accumulated in float32; float64 stays float64.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        mask: [n] booleans; rows where it is false do not count, whatever they hold.
        scatter: Whether to accumulate the [d, d] within-class scatter that nc1, vci and the spectra need.

    Returns:
        The statistics.

    Raises:
        ValueError: As `ClassStats.from_batch`.

    Examples:
        >>> stats = class_stats(jnp.array([[0.0], [2.0], [5.0]]), jnp.array([0, 0, 1]), num_classes=2)
        >>> stats.variances.tolist()
        [1.0, 0.0]
    """
    return ClassStats.from_batch(features, labels, num_classes, mask=mask, scatter=scatter)


def all_reduce(stats: ClassStats, axis_name: str | tuple[str, ...]) -> ClassStats:
    """Merge the statistics that the members of a mapped axis hold, under `shard_map` or `vmap`.

    Every member first agrees on a rounded common mean, then sends its moments about that mean: two sums over the axis,
    O(C d) numbers (and one d x d matrix if there is a scatter). Gathering all statistics and merging them in turn would
    need the scatter matrix once a device.

    Args:
        stats: This member's statistics.
        axis_name: Name of the mapped axis, or several names.

    Returns:
        The statistics of all members together, the same on each.

    Raises:
        NameError: No axis of this name is mapped.

    Examples:
        >>> features, labels = jnp.arange(4.0).reshape(2, 2, 1), jnp.zeros((2, 2), int)
        >>> parts = jax.vmap(lambda h, y: ClassStats.from_batch(h, y, 1))(features, labels)
        >>> jax.vmap(lambda part: all_reduce(part, "batch"), axis_name="batch")(parts).means[:, 0, 0].tolist()
        [1.5, 1.5]
    """
    stats = in_unit(stats, lax.pmax(stats.exponent, axis_name))
    dtype = stats.means.dtype
    own = stats.counts.astype(dtype)
    counts = lax.psum(stats.counts, axis_name)
    total = jnp.maximum(counts, 1).astype(dtype)
    share = (own / total)[:, None]
    common = lax.psum(rounded(stats.means * share), axis_name)
    # Where a class is absent here its mean is a zero that means nothing.
    difference, lost = two_sum(stats.means, -common)
    difference = jnp.where((stats.counts > 0)[:, None], difference + (lost + stats.means_low), 0)
    shift = lax.psum(difference * share, axis_name)
    high, low = two_sum(common, shift)
    deviation = difference - shift
    within = stats.within + own * jnp.sum(deviation**2, axis=-1)
    scatter = None
    if stats.scatter is not None:
        scatter = lax.psum(stats.scatter + weighted_gram(deviation, own), axis_name)
    return ClassStats(
        counts, high, low, lax.psum(within, axis_name), scatter, lax.psum(stats.dropped, axis_name), stats.exponent
    )


def in_unit(stats: ClassStats, exponent: Int[Array, ""] | int) -> ClassStats:
    """The same statistics in another unit.

    Args:
        stats: Statistics by class.
        exponent: The unit of the result is 2 to this power; 0 gives the unit of the features.

    Returns:
        The statistics; what leaves the range of their type becomes zero or infinite.

    Examples:
        >>> stats = ClassStats.from_batch(jnp.array([[2.0**50], [-(2.0**50)]]), jnp.array([0, 0]), num_classes=1)
        >>> int(stats.exponent), float(stats.within[0]), float(in_unit(stats, 0).within[0]) == 2.0**101
        (64, 7.450580596923828e-09, True)
    """
    change = stats.exponent - exponent
    once = partial(scaled, exponent=change)
    return dataclasses.replace(
        stats,
        means=once(stats.means),
        means_low=once(stats.means_low),
        within=once(once(stats.within)),
        scatter=None if stats.scatter is None else once(once(stats.scatter)),
        exponent=jnp.asarray(exponent, jnp.int32),
    )


@compiled("num_classes", "scatter")
def _from_batch(
    features: ArrayLike, labels: ArrayLike, num_classes: int, mask: ArrayLike | None, scatter: bool
) -> ClassStats:
    features = as_float("features", features, ndim=2)
    rows = features.shape[0]
    own = as_labels(labels, rows, num_classes, mask)
    dropped = jnp.sum(dropped_rows(labels, num_classes, mask), dtype=jnp.int32)
    if rows == 0:
        return dataclasses.replace(
            ClassStats.empty(num_classes, features.shape[1], scatter, features.dtype), dropped=dropped
        )
    return ClassStats(**moments_by_class(features, own, num_classes, scatter), dropped=dropped)


@jax.jit
def _merged(ours: ClassStats, theirs: ClassStats) -> ClassStats:
    exponent = jnp.maximum(ours.exponent, theirs.exponent)
    ours, theirs = in_unit(ours, exponent), in_unit(theirs, exponent)
    dtype = ours.means.dtype
    n, m = ours.counts.astype(dtype), theirs.counts.astype(dtype)
    share = m / jnp.maximum(n + m, 1)
    difference, lost = two_sum(theirs.means, -ours.means)
    difference = difference + (lost + (theirs.means_low - ours.means_low))
    high, error = two_sum(ours.means, difference * share[:, None])
    high, low = two_sum(high, error + ours.means_low)
    weight = n * share
    scatter = None
    if ours.scatter is not None:
        scatter = ours.scatter + theirs.scatter + weighted_gram(difference, weight)
    # A class that only one side has keeps that side's mean to the last bit.
    only_ours, only_theirs = (theirs.counts == 0)[:, None], (ours.counts == 0)[:, None]
    pick = lambda merged, a, b: jnp.where(only_ours, a, jnp.where(only_theirs, b, merged))  # noqa: E731
    return ClassStats(
        counts=ours.counts + theirs.counts,
        means=pick(high, ours.means, theirs.means),
        means_low=pick(low, ours.means_low, theirs.means_low),
        within=ours.within + theirs.within + weight * jnp.sum(difference**2, axis=-1),
        scatter=scatter,
        dropped=ours.dropped + theirs.dropped,
        exponent=exponent,
    )
