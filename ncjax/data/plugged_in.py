"""Data sets of others: a function that returns arrays, splits or a data set."""

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from ncjax.data.dataset import Dataset, Split
from ncjax.plugins import load_plugin

_PARTS = ("train", "test", "validation", "target")


@functools.cache
def plugged_in_splits(name: str) -> dict[str, Split]:
    """Calls a function of others once a process.

    Args:
        name: MODULE:FUNCTION. It takes nothing and returns a `Dataset`, or a dict of `train`, `test` and, for few-shot
            transfer, `validation` and `target`: each a `Split`, or images and labels.

    Returns:
        The splits by name.

    Raises:
        ValueError: one line, if it returns anything else.
    """
    made = load_plugin(name, "name")()
    if isinstance(made, Dataset):
        made = {part: getattr(made, part) for part in _PARTS if getattr(made, part) is not None}
    if not isinstance(made, Mapping) or not {"train", "test"} <= made.keys() or made.keys() - {*_PARTS}:
        got = sorted(map(str, made)) if isinstance(made, Mapping) else type(made).__name__
        raise ValueError(
            f"name: {name} must return a Dataset or a dict of train, test, [validation, target]; got {got}"
        )
    return {part: _split(f"{name}, {part}", made[part]) for part in _PARTS if part in made}


def fingerprint(splits: Mapping[str, Split]) -> str:
    """Of everything that splits hold: whatever a function returns next time, the cache is never an older one.

    Args:
        splits: by name.

    Returns:
        Hexadecimal digits.
    """
    digest = hashlib.sha256()
    for part, split in splits.items():
        digest.update(repr((part, split.class_names, split.fine_class_names, split.images.shape)).encode())
        for array in (split.images, split.labels, split.fine_labels):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _split(name: str, given: Any) -> Split:
    if isinstance(given, Split):
        return given
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(f"name: {name}: expected (images, labels), got {type(given).__name__}")
    images, labels = np.asarray(given[0]), np.asarray(given[1])
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ValueError(
            f"name: {name}: images must be uint8 [n, h, w] or [n, h, w, c], got {images.dtype} {list(images.shape)}"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != images.shape[:1]:
        raise ValueError(
            f"name: {name}: labels must be {len(images)} integers, got {labels.dtype} {list(labels.shape)}"
        )
    names = tuple(map(str, range(int(labels.max(initial=0)) + 1)))
    try:
        return Split(images.reshape(*images.shape[:3], -1), labels.astype(np.int32), names)
    except ValueError as error:
        raise ValueError(f"name: {name}: {error}") from None
