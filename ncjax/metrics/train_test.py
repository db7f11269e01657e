"""The report of a train and a test split: each split's own collapse, and both against the train set's class means."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Integer

from ncjax.metrics.arrays import ArrayLike, as_array, as_count, as_float, as_labels
from ncjax.metrics.class_stats import ClassStats, class_stats
from ncjax.metrics.linear_classifier import check_kernel
from ncjax.metrics.nearest_mean import classifier_error, held_out_report, nc4, ncc_error, nearest_class_mean
from ncjax.metrics.report import collapse_report

Split = tuple[ArrayLike, ArrayLike]


def train_test_report(
    features: Float[ArrayLike, "n d"],
    labels: Integer[ArrayLike, " n"],
    num_classes: int,
    *,
    test: Split | None = None,
    kernel: Float[ArrayLike, "d C"] | None = None,
    bias: Float[ArrayLike, "..."] | float | None = None,
    stats: Mapping[str, ClassStats] | None = None,
) -> dict[str, Float[Array, ""]]:
    """Everything that a sweep's table and the command `measure` say about the collapse of given features.

    `test/nc4`, `test/ncc_error`, `test/strong_variance` and `test/weak_variance` compare test samples with the *train*
    set's class means: a test split's own means contain its samples. Those about its own means are called
    `test/nc4_test_means` and `test/ncc_error_test_means`.

    Args:
        features: [n, d] floats of the train split.
        labels: [n] integers from 0 to C - 1.
        num_classes: Number of classes C.
        test: Features [m, d] and labels [m] of the test split.
        kernel: [d, C] kernel of the classifier, as in a Dense layer.
        bias: [C] bias of the classifier; 0.0 says that it has none. Without either, what needs the classifier's
            outputs is left out: `error`, `nc4`.
        stats: Statistics of the splits "train" and "test" with their scatter, where they are known already. Any further
            name is a split of classes of its own, such as classes never trained on, whose own collapse is reported.

    Returns:
        Scalars by name: those of `collapse_report` after "train/" and "test/", `error` of the classifier, and of the
        test split those of `held_out_report`.

    Raises:
        ValueError: A shape or a concrete label does not fit, or there is a bias without a kernel.

    Examples:
        >>> train = jnp.array([[1.0], [3.0], [-1.0], [-3.0]]), jnp.array([0, 0, 1, 1])
        >>> test = jnp.array([[1.0], [-5.0]]), jnp.array([0, 0])
        >>> report = train_test_report(*train, 2, test=test, kernel=jnp.array([[1.0, -1.0]]), bias=0.0)
        >>> float(report["train/cdnv"]), float(report["test/error"])
        (0.0625, 0.5)
        >>> float(report["test/ncc_error"]), float(report["test/ncc_error_test_means"])
        (0.5, 0.0)
    """
    if bias is not None and kernel is None:
        raise ValueError("bias: given without a kernel, expected both or none")
    splits = {"train": _checked(features, labels, num_classes)}
    if test is not None:
        splits["test"] = _checked(*test, num_classes)
    weights = None if kernel is None else as_array("kernel", kernel)
    offset = bias if bias is None or isinstance(bias, float | int) else as_array("bias", bias)
    return dict(_compiled_report(splits, as_count("num_classes", num_classes), weights, offset, dict(stats or {})))


def _checked(features: ArrayLike, labels: ArrayLike, num_classes: int) -> Split:
    """A split whose labels have been looked at, which a compiled program cannot do."""
    rows = as_float("features", features, ndim=2)
    return rows, as_labels(labels, rows.shape[0], num_classes)


@partial(jax.jit, static_argnames="num_classes")
def _compiled_report(
    splits: dict[str, Split],
    num_classes: int,
    kernel: Array | None,
    bias: Array | float | None,
    stats: dict[str, ClassStats],
) -> OrderedDict[str, Array]:
    test = splits.get("test")
    # Here dicts are in alphabetical order.
    known = {
        name: stats.get(name) or class_stats(*splits[name], num_classes) for name in ("train", "test")[: len(splits)]
    }
    known |= stats
    reports = _collapse_reports(known, kernel)
    train = known["train"]
    reports["train"] |= _against_means(train, *splits["train"], kernel, bias)
    if test is not None:
        nearest, _ = nearest_class_mean(train, test[0])
        reports["test"] |= held_out_report(train, *test, nearest=nearest)
        reports["test"] |= _against_means(train, *test, kernel, bias, nearest)
        own = _against_means(known["test"], *test, kernel, bias)
        reports["test"] |= {f"{name}_test_means": own[name] for name in ("nc4", "ncc_error") if name in own}
    return OrderedDict(
        (f"{split}/{name}", value) for split, report in reports.items() for name, value in report.items()
    )


def _against_means(
    stats: ClassStats,
    features: ArrayLike,
    labels: ArrayLike,
    kernel: ArrayLike | None,
    bias: ArrayLike | float | None,
    nearest: Array | None = None,
) -> dict[str, Array]:
    nearest = nearest_class_mean(stats, features)[0] if nearest is None else nearest
    report = {"ncc_error": ncc_error(stats, features, labels, nearest=nearest)}
    if kernel is not None and bias is not None:
        report["nc4"] = nc4(stats, kernel, bias, features, nearest=nearest)
        report["error"] = classifier_error(stats, kernel, bias, features, labels)
    return report


def _collapse_reports(stats: dict[str, ClassStats], kernel: ArrayLike | None) -> dict[str, dict[str, Array]]:
    """The report of each split, by one piece of program: most of the time that a report takes is compiling it."""
    if len(stats) == 1:
        return {name: collapse_report(each, kernel) for name, each in stats.items()}
    most = max(each.num_classes for each in stats.values())
    stacked = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *(_with_absent_classes(each, most) for each in stats.values())
    )
    if kernel is not None:
        kernel = check_kernel(stats["train"], kernel)
        kernel = jnp.pad(kernel, ((0, 0), (0, most - kernel.shape[1])))
    measured = lax.map(lambda each: collapse_report(each, kernel), stacked)
    reports = {name: {key: value[place] for key, value in measured.items()} for place, name in enumerate(stats)}
    # The classifier knows nothing of classes other than its own.
    for split in reports.keys() - {"train", "test"}:
        reports[split] = {
            name: value for name, value in reports[split].items() if name != "nc3" and not name.endswith("_classifier")
        }
    return reports


def _with_absent_classes(stats: ClassStats, num_classes: int) -> ClassStats:
    """The same statistics with further classes that have no sample, which changes no measure."""
    more = num_classes - stats.num_classes
    names = ("counts", "means", "means_low", "within")
    leaves = {name: getattr(stats, name) for name in names}
    return replace(
        stats,
        **{name: jnp.pad(leaf, ((0, more),) + ((0, 0),) * (leaf.ndim - 1)) for name, leaf in leaves.items()},
    )
