"""A data set that is not here, as far as its published sizes tell: enough to plan a sweep, not to run it."""

import dataclasses

import numpy as np

from ncjax.data.class_names import class_lists, known_classes, read_facts
from ncjax.data.dataset import Dataset, Split
from ncjax.data.registry import find_source, target_spec, viewed_splits
from ncjax.data.spec import DataSpec


def outline(spec: DataSpec) -> Dataset:
    """The data set that a spec describes with blank images and its labels in turn: its shapes are right, no more.

    The images take no memory, but where a view copies some of them.

    Args:
        spec: name and options.

    Returns:
        Splits of black images, with pixel statistics of no meaning.

    Raises:
        ValueError: if the sizes of the data set are not known here, or it cannot give what an option asks for.

    Examples:
        >>> dataset = outline(DataSpec("cifar_fs"))
        >>> dataset.train.images.shape, dataset.target.num_classes
        ((32000, 32, 32, 3), 20)
    """
    source = find_source(spec.name)
    name = source.tfds or spec.name
    sizes = read_facts("sizes").get(name)
    if sizes is None:
        known = ", ".join(sorted(set(read_facts("sizes")) - {"source"}))
        raise ValueError(f"name: the sizes of {spec.name!r} are not known; expected one of {known}, or prepared data")
    usual = class_lists(source.class_split) if source.class_split else {}
    names = known_classes(name) or tuple(name for names in usual.values() for name in names)
    names = names or tuple(map(str, range(sizes["classes"])))

    def split(number: int) -> Split:
        images = np.broadcast_to(np.zeros((), np.uint8), (number, *sizes["shape"]))
        return Split(images, np.arange(number, dtype=np.int32) % len(names), names)

    splits = viewed_splits({part: split(sizes[part]) for part in ("train", "test")}, spec)
    channels = sizes["shape"][-1]
    zeros, ones = np.zeros(channels, np.float32), np.ones(channels, np.float32)
    if spec.target:
        other = outline(target_spec(spec)).test
        blank = np.broadcast_to(np.zeros((), np.uint8), (len(other), *splits["train"].images.shape[1:]))
        splits["target"] = dataclasses.replace(other, images=blank)
    return Dataset(
        spec.name, splits["train"], splits["test"], splits.get("validation"), splits.get("target"), zeros, ones
    )
