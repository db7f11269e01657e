"""Views of a data set: pure functions from splits to splits."""

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from ncjax.data.dataset import Split


def concatenate(*splits: Split) -> Split:
    """All images of several splits of the same classes, in the order given.

    Args:
        *splits: at least one split; all with the same class names and image shape.

    Returns:
        One split with the images of all.

    Raises:
        ValueError: if class names differ or no split is given.

    Examples:
        >>> one = Split(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1], np.int32), ("cat", "dog"))
        >>> len(concatenate(one, one))
        4
    """
    if len({(split.class_names, split.fine_class_names) for split in splits}) != 1:
        raise ValueError("splits must be at least one and have the same class names")
    images = np.concatenate([split.images for split in splits])
    labels = np.concatenate([split.labels for split in splits])
    fine = [split.fine_labels for split in splits if split.fine_labels is not None]
    return dataclasses.replace(
        splits[0], images=images, labels=labels, fine_labels=np.concatenate(fine) if fine else None
    )


def select_classes(split: Split, class_names: Sequence[str]) -> Split:
    """The images of some classes, labelled anew in the order of `class_names`.

    Args:
        split: any split.
        class_names: names of classes that the split has, each once.

    Returns:
        A split of these classes alone; images keep their order.

    Raises:
        ValueError: if the split lacks a class.

    Examples:
        >>> pets = Split(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 2], np.int32), ("cat", "dog", "eel"))
        >>> select_classes(pets, ("eel", "cat")).labels
        array([1, 0], dtype=int32)
    """
    lacking = [name for name in class_names if name not in split.class_names]
    if lacking:
        shown = ", ".join(map(repr, lacking[:5])) + (", ..." if len(lacking) > 5 else "")
        have = ", ".join(split.class_names[:10]) + (", ..." if split.num_classes > 10 else "")
        raise ValueError(f"class_names must be classes of the data set ({have}); it lacks {shown}")
    new_label = np.full(split.num_classes, -1, np.int32)
    new_label[[split.class_names.index(name) for name in class_names]] = np.arange(len(class_names))
    labels = new_label[split.labels]
    chosen = split.take(np.flatnonzero(labels >= 0))
    return dataclasses.replace(chosen, labels=new_label[chosen.labels], class_names=tuple(class_names))


def class_subset(split: Split, per_class: int, seed: int) -> Split:
    """A random subset with the same number of images of every class, nested and keyed.

    With the same seed the subset of a smaller number lies inside that of a larger one, and a class's images do not
    depend on which other classes there are.

    Args:
        split: any split.
        per_class: images a class, at least 1.
        seed: the key of the choice, a whole number from 0.

    Returns:
        A split of `per_class` times the number of classes; images keep their order.

    Raises:
        ValueError: if a class has fewer images.

    Examples:
        >>> split = Split(np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 0, 1, 1], np.int32), ("cat", "dog"))
        >>> class_subset(split, per_class=1, seed=0).labels
        array([0, 1], dtype=int32)
    """
    chosen = []
    for label, name in enumerate(split.class_names):
        members = np.flatnonzero(split.labels == label)
        if per_class > len(members):
            raise ValueError(f"per_class must be at most {len(members)}, as class {name!r} has; got {per_class}")
        chosen.append(_shuffled(members, name, seed)[:per_class])
    return split.take(np.sort(np.concatenate(chosen)))


def sample_subset(split: Split, samples: int, seed: int) -> Split:
    """A random subset of a given size, as balanced by class as can be, nested and keyed.

    With the same seed the subset of a smaller number lies inside that of a larger one. Classes take turns in an order
    drawn by the seed, so class sizes differ by one at most, as long as no class runs out of images.

    Args:
        split: any split.
        samples: images in all, at least 1.
        seed: the key of the choice, a whole number from 0.

    Returns:
        A split of `samples` images, which keep their order.

    Raises:
        ValueError: if there are fewer images.

    Examples:
        >>> split = Split(np.zeros((5, 8, 8, 1), np.uint8), np.array([0, 0, 0, 0, 1], np.int32), ("cat", "dog"))
        >>> sample_subset(split, samples=3, seed=0).labels
        array([0, 0, 1], dtype=int32)
    """
    if not 1 <= samples <= len(split):
        raise ValueError(f"samples must be from 1 to {len(split)}, the number of images; got {samples}")
    turn = np.random.default_rng([seed, split.num_classes]).permutation(split.num_classes)
    rank = np.empty(len(split), np.int64)
    for label, name in enumerate(split.class_names):
        members = np.flatnonzero(split.labels == label)
        rank[_shuffled(members, name, seed)] = np.arange(len(members))
    order = np.lexsort((turn[split.labels], rank))
    return split.take(np.sort(order[:samples]))


def _shuffled(members: Int64[np.ndarray, " k"], class_name: str, seed: int) -> Int64[np.ndarray, " k"]:
    """A class's images in the order in which subsets take them; it does not depend on the other classes."""
    return np.random.default_rng([seed, zlib.crc32(class_name.encode())]).permutation(members)


def split_by_class(
    train: Split,
    test: Split,
    source_classes: Sequence[str] = (),
    validation_classes: Sequence[str] = (),
    target_classes: Sequence[str] = (),
) -> dict[str, Split]:
    """Splits by class for few-shot transfer: some classes to train on, others never seen in training.

    Train and test keep the source classes; validation and target hold every image of theirs, from train and test.

    Args:
        train: train images of all classes.
        test: test images of the same classes.
        source_classes: classes to train on; empty: all that no other list names.
        validation_classes: classes to choose by; empty: no such split.
        target_classes: classes to report on; empty: no such split.

    Returns:
        The splits by name: `train`, `test` and, where asked for, `validation` and `target`.

    Raises:
        ValueError: if the data set lacks a class, or no class is left to train on.

    Examples:
        >>> pets = Split(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 2], np.int32), ("cat", "dog", "eel"))
        >>> splits = split_by_class(pets, pets, target_classes=("dog",))
        >>> splits["train"].class_names, len(splits["target"])
        (('cat', 'eel'), 2)
    """
    others = {*validation_classes, *target_classes}
    source = tuple(source_classes) or tuple(name for name in train.class_names if name not in others)
    if not source:
        raise ValueError("validation_classes and target_classes must leave a class to train on; they name all")
    splits = {"train": select_classes(train, source), "test": select_classes(test, source)}
    for name, class_names in (("validation", validation_classes), ("target", target_classes)):
        if class_names:
            splits[name] = concatenate(select_classes(train, class_names), select_classes(test, class_names))
    return splits
