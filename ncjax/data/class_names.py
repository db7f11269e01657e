"""Names and groups of classes: plain facts from JSON files beside this one."""

import functools
import json
from importlib import resources
from typing import Any


@functools.cache
def read_facts(name: str) -> Any:
    """A JSON file of this package.

    Args:
        name: of the file, without the ending.

    Returns:
        What it holds; do not change it.

    Examples:
        >>> read_facts("classes")["cifar10"]["names"][:2]
        ['airplane', 'automobile']
    """
    return json.loads(resources.files("ncjax.data").joinpath(f"{name}.json").read_text("utf-8"))


def known_classes(dataset: str) -> tuple[str, ...]:
    """Names of the classes of a data set whose files hold numbers alone.

    Args:
        dataset: its name.

    Returns:
        Names in the order of the labels; none if they are not kept here.

    Examples:
        >>> len(known_classes("cifar100")), known_classes("mnist")
        (100, ())
    """
    return tuple(read_facts("classes").get(dataset, {}).get("names", ()))


def class_lists(split: str) -> dict[str, tuple[str, ...]]:
    """A split by class for few-shot transfer.

    Args:
        split: name of the split: cifar_fs, fc100, mini_imagenet or emnist_fs.

    Returns:
        Names of `source_classes`, `validation_classes` and `target_classes`, disjoint.

    Examples:
        >>> {name: len(classes) for name, classes in class_lists("cifar_fs").items()}
        {'source_classes': 64, 'validation_classes': 16, 'target_classes': 20}
    """
    return {option: tuple(names) for option, names in read_facts(split).items() if option != "source"}
