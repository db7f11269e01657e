"""Other labels for the same images: coarse classes, label noise, random labels; and classes of unequal size."""

import dataclasses
import unicodedata
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from ncjax.data.class_names import read_facts
from ncjax.data.dataset import Split


def coarse_groups(dataset: str, coarse: str, class_names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The classes of each group of a grouping that a data set has by name.

    Glyphs have `script` (Latin, Greek, ...; digits are a group) and `case` (small letters, capitals, others).

    Args:
        dataset: name of the data set.
        coarse: name of the grouping.
        class_names: classes of the data set that are in use; the others are left out.

    Returns:
        Class names by group; groups without a class are left out.

    Raises:
        ValueError: if the data set has no such grouping.

    Examples:
        >>> coarse_groups("cifar10", "animals_objects", ("cat", "ship", "dog"))
        {'animal': ('cat', 'dog'), 'object': ('ship',)}
    """
    known: Mapping[str, Mapping[str, object]] = {
        "glyphs": {"case": {}, "script": {}},
        **read_facts("coarse_labels"),
    }
    groupings = known.get(dataset, {})
    if coarse not in groupings:
        has = f"one of {', '.join(sorted(groupings))}" if groupings else "empty: it has no groups of classes"
        raise ValueError(f"coarse of {dataset!r} must be {has}; got {coarse!r}")
    if dataset == "glyphs":
        groups: dict[str, tuple[str, ...]] = {}
        for name in class_names:
            group = _script(name) if coarse == "script" else _case(name)
            groups[group] = (*groups.get(group, ()), name)
        return dict(sorted(groups.items()))
    members = read_facts("coarse_labels")[dataset][coarse]["classes"]
    found = {group: tuple(name for name in class_names if name in names) for group, names in members.items()}
    return {group: names for group, names in found.items() if names}


def coarsen(split: Split, groups: Mapping[str, Sequence[str]]) -> Split:
    """The same images labelled by group; their classes become the fine labels.

    Args:
        split: any split.
        groups: class names by group; every class of the split is in exactly one.

    Returns:
        A split with a class for each group, in the order of `groups`.

    Raises:
        ValueError: if a class is in no group or in two.

    Examples:
        >>> pets = Split(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 2], np.int32), ("cat", "dog", "eel"))
        >>> coarse = coarsen(pets, {"fur": ("cat", "dog"), "scales": ("eel",)})
        >>> coarse.labels, coarse.fine_labels
        (array([0, 0, 1], dtype=int32), array([0, 1, 2], dtype=int32))
    """
    owners = {name: [group for group, names in groups.items() if name in names] for name in split.class_names}
    for name, found in owners.items():
        if len(found) != 1:
            raise ValueError(f"groups must hold every class once; {name!r} is in {len(found)} of them")
    position = {group: label for label, group in enumerate(groups)}
    coarse_of = np.array([position[owners[name][0]] for name in split.class_names], np.int32)
    return Split(split.images, coarse_of[split.labels], tuple(groups), split.labels, split.class_names)


def long_tail(split: Split, factor: float, seed: int) -> Split:
    """Classes of unequal size: from the first to the last the size falls exponentially, in all by a factor.

    The smallest class of the split sets the size of the first. With the same seed the images of a larger factor are
    among those of a smaller one.

    Source: Y. Cui et al., Class-balanced loss based on effective number of samples (2019),
    https://arxiv.org/abs/1901.05555.

    Args:
        split: any split.
        factor: size of the first class over that of the last, at least 1.
        seed: the key of the choice, a whole number from 0.

    Returns:
        A split of the same classes; images keep their order.

    Raises:
        ValueError: if a class would be left without an image.

    Examples:
        >>> split = Split(np.zeros((8, 8, 8, 1), np.uint8), np.repeat(np.arange(2), 4).astype(np.int32), ("cat", "dog"))
        >>> np.bincount(long_tail(split, factor=4.0, seed=0).labels).tolist()
        [4, 1]
    """
    largest = int(np.bincount(split.labels, minlength=split.num_classes).min())
    falling = np.linspace(0.0, 1.0, split.num_classes)
    sizes = np.floor(largest * factor**-falling + 1e-9).astype(int)
    if sizes.min() < 1:
        raise ValueError(f"imbalance must be at most {largest}, so that each class keeps an image; got {factor}")
    chosen = []
    for label, name in enumerate(split.class_names):
        members = np.flatnonzero(split.labels == label)
        chosen.append(_rng(seed, f"long tail of {name}").permutation(members)[: sizes[label]])
    return split.take(np.sort(np.concatenate(chosen)))


def noisy_labels(split: Split, rate: float, seed: int) -> Split:
    """Wrong labels for a random part of the images (symmetric noise).

    An image that gets a wrong label gets each of the other classes with the same probability. With the same seed the
    wrong labels of a lower rate are among those of a higher one.

    Args:
        split: any split.
        rate: probability that an image gets a wrong label, from 0 to 1.
        seed: the key, a whole number from 0.

    Returns:
        The split with other labels; fine labels stay as they are.

    Raises:
        ValueError: if there is only one class.

    Examples:
        >>> split = Split(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 1], np.int32), ("cat", "dog"))
        >>> noisy_labels(split, rate=1.0, seed=0).labels
        array([1, 0, 0], dtype=int32)
    """
    if split.num_classes < 2:
        raise ValueError("label_noise needs at least two classes; got one")
    rng = _rng(seed, "label noise")
    wrong = rng.random(len(split)) < rate
    offset = rng.integers(1, split.num_classes, len(split))
    labels = np.where(wrong, (split.labels + offset) % split.num_classes, split.labels)
    return dataclasses.replace(split, labels=labels.astype(np.int32))


def random_labels(split: Split, seed: int) -> Split:
    """Labels that have nothing to do with the images: the split's own, permuted, so that classes keep their sizes.

    Source: C. Zhang et al., Understanding deep learning requires rethinking generalization (2017),
    https://arxiv.org/abs/1611.03530.

    Args:
        split: any split.
        seed: the key, a whole number from 0.

    Returns:
        The split with other labels; fine labels stay as they are.

    Examples:
        >>> split = Split(np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 1, 1], np.int32), ("cat", "dog"))
        >>> sorted(random_labels(split, seed=0).labels.tolist())
        [0, 1, 1, 1]
    """
    return dataclasses.replace(split, labels=_rng(seed, "random labels").permutation(split.labels))


def _rng(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(purpose.encode())])


def _script(letter: str) -> str:
    """The first word of the Unicode name, which is the script for letters: LATIN SMALL LETTER A."""
    return unicodedata.name(letter).split()[0].lower()


def _case(letter: str) -> str:
    return {"Lu": "capital", "Ll": "small"}.get(unicodedata.category(letter), "other")
