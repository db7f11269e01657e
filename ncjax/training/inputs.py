"""A data set as the arrays that compiled runs take as arguments."""

from dataclasses import dataclass
from typing import Any, no_type_check

import jax
import numpy as np
from jaxtyping import Int32

from ncjax import metrics
from ncjax.data import Dataset, Split, normalize

_POINCARE_SAMPLES = 10_000


@no_type_check  # JAX rebuilds registered classes around things that are not arrays (specs, shapes, sentinels)
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RunInputs:
    """Arrays that every run reads and none changes. They are arguments, never constants of a compiled program.

    Attributes:
        train_images: uint8 [n, h, w, c], or None where they are streamed from the host; test_images likewise.
        train_labels: int32 [n]; test_labels likewise.
        train_sample: int32 [k], the train images on which geometric complexity is measured; test_sample likewise.
        train_sample_images: these images, uint8 [k, h, w, c].
        target_images: images of classes never trained on, or None.
        target_labels: their labels, or None.
        target_sample: those of them on which geometric complexity is measured, or None.
        target_index: their samples by class, for episodes, or None.
        mean: float32 [c], of pixels scaled to [0, 1].
        std: float32 [c], likewise.
        train_fine_labels: int32 [n], what lies below coarse labels (the labels themselves where they are not coarse),
            or None where nobody asks for them; test_fine_labels likewise.
        poincare_constant: a lower bound for the classes' images, or None where nobody asks for it.
    """

    train_images: Any
    train_labels: Any
    train_sample: Any
    train_sample_images: Any
    test_images: Any
    test_labels: Any
    test_sample: Any
    target_images: Any
    target_labels: Any
    target_sample: Any
    target_index: Any
    mean: Any
    std: Any
    train_fine_labels: Any = None
    test_fine_labels: Any = None
    poincare_constant: Any = None


def run_inputs(
    dataset: Dataset,
    complexity_samples: int,
    stream_train: bool = False,
    fine_labels: bool = False,
    poincare: bool = False,
    target_index: Any = None,
) -> RunInputs:
    """Puts a data set on the default device.

    Args:
        dataset: from ``ncjax.data.load``.
        complexity_samples: images of each split on which geometric complexity is measured; all, if the split has fewer.
        stream_train: whether to leave the train images on the host, to be streamed; the rest is on the device anyway.
        fine_labels: whether to bring along the fine labels.
        poincare: whether to bring along the lower bound of the Poincaré constant: the largest over classes, from at
            most 10,000 train images.
        target_index: the target's samples by class, of ``ncjax.transfer.class_index``; without it no episode is drawn.

    Returns:
        The arrays.

    Raises:
        ValueError: if ``complexity_samples`` is less than the number of classes: each class needs at least one.

    Examples:
        >>> from ncjax import data
        >>> inputs = run_inputs(data.load(data.DataSpec("digits")), complexity_samples=100)
        >>> inputs.train_images.shape, inputs.train_sample.shape, inputs.target_images is None
        ((1297, 8, 8, 1), (100,), True)
    """
    check_complexity_samples(dataset, complexity_samples)
    target = dataset.target
    train_sample = balanced_sample(dataset.train.labels, complexity_samples)
    return RunInputs(
        train_images=None if stream_train else jax.device_put(dataset.train.images),
        train_labels=jax.device_put(dataset.train.labels),
        train_sample=jax.device_put(train_sample),
        train_sample_images=jax.device_put(dataset.train.images[train_sample]),
        test_images=jax.device_put(dataset.test.images),
        test_labels=jax.device_put(dataset.test.labels),
        test_sample=jax.device_put(balanced_sample(dataset.test.labels, complexity_samples)),
        target_images=None if target is None else jax.device_put(target.images),
        target_labels=None if target is None else jax.device_put(target.labels),
        target_sample=None if target is None else jax.device_put(balanced_sample(target.labels, complexity_samples)),
        target_index=jax.device_put(target_index),
        mean=jax.device_put(dataset.mean),
        std=jax.device_put(dataset.std),
        train_fine_labels=_fine_labels(dataset.train) if fine_labels else None,
        test_fine_labels=_fine_labels(dataset.test) if fine_labels else None,
        poincare_constant=_poincare_constant(dataset) if poincare else None,
    )


def check_complexity_samples(dataset: Dataset, complexity_samples: int) -> None:
    """Makes sure that each class can have an image on which geometric complexity is measured.

    Args:
        dataset: to train on.
        complexity_samples: images of each split.

    Raises:
        ValueError: if there are fewer than classes.
    """
    if complexity_samples < (num_classes := dataset.train.num_classes):
        raise ValueError(
            f"config.measure.complexity_samples: got {complexity_samples}, expected at least one for each of the "
            f"{num_classes} classes"
        )


def _fine_labels(split: Split) -> Any:
    return jax.device_put(split.labels if split.fine_labels is None else split.fine_labels)


def _poincare_constant(dataset: Dataset) -> Any:
    chosen = balanced_sample(dataset.train.labels, _POINCARE_SAMPLES)
    images = normalize(jax.device_put(dataset.train.images[chosen]), dataset.mean, dataset.std)
    labels = jax.device_put(dataset.train.labels[chosen])
    return metrics.poincare_lower_bound(images, labels, dataset.train.num_classes).max()


def balanced_sample(labels: Int32[np.ndarray, " n"], size: int) -> Int32[np.ndarray, " k"]:
    """Chooses samples at random, evenly over classes: one of every class, then a second of every class, and so on.

    At random, since data sets are not in random order within a class, and a standard error speaks of random samples.

    Args:
        labels: of the split.
        size: how many to choose; all, if there are fewer. A smaller choice lies inside a larger one.

    Returns:
        Indices of the chosen samples, ascending.

    Examples:
        >>> labels = np.array([0, 0, 0, 1, 1, 2], np.int32)
        >>> sorted(labels[balanced_sample(labels, 5)].tolist())
        [0, 0, 1, 1, 2]
    """
    shuffled = np.random.default_rng(0).permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    sorted_labels = labels[by_class]
    rank_in_class = np.arange(len(labels)) - np.searchsorted(sorted_labels, sorted_labels)
    order = by_class[np.lexsort((sorted_labels, rank_in_class))]
    return np.sort(order[:size]).astype(np.int32)
