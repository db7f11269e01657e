"""Which data set, and which view of it: one frozen, hashable description."""

import functools
from dataclasses import dataclass

from ncjax.options import check, option

_CLASS_LISTS = ("source_classes", "validation_classes", "target_classes")


def _are_names(names: tuple[object, ...]) -> bool:
    return all(isinstance(name, str) for name in names)


_count = functools.partial(option, 0, at_least=0)
_classes = functools.partial(option, (), allows=_are_names, expected="a tuple of class names")


@dataclass(frozen=True)
class DataSpec:
    """A data set by name with all that can be chosen about it.

    A number of 0 and an empty list of classes mean the data set's own choice (every image; the split by class that is
    usual for it, if any). Subsets are balanced and nested: the images of a smaller number are among those of a larger
    one.

    Raises:
        ValueError: if an option has the wrong type or is out of its range, or a class is in two lists.

    Examples:
        >>> DataSpec("digits", target_classes=("7", "8", "9")).train_per_class
        0
    """

    name: str = option(
        "glyphs",
        "as ncjax.data.names() says it; MODULE:FUNCTION is a function in a module of your own",
        allows=bool,
        expected="the name of a data set",
    )
    image_size: int = _count("height and width in pixels; glyphs can be made at 28 or 32", zero="the data set's own")
    train_per_class: int = _count("train images a class", zero="the data set's own; glyphs: 40")
    test_per_class: int = _count("test images a class", zero="the data set's own; glyphs: 20")
    target_per_class: int = _count(
        "images a class of the validation and target splits", zero="the data set's own; glyphs: 60"
    )
    seed: int = _count("draws the images (glyphs), subsets and wrong labels")
    source_classes: tuple[str, ...] = _classes("names of the classes to train on")
    validation_classes: tuple[str, ...] = _classes("names of classes never trained on, to choose by")
    target_classes: tuple[str, ...] = _classes("names of classes never trained on, to report transfer on")
    target: str = option(
        "",
        "another data set, on whose test images transfer is reported, brought to this one's size and channels; empty: "
        "the target classes of this one",
        expected="the name of a data set",
    )
    source: str = option("", "folder of the original images, for data sets that are read from one")
    coarse: str = option(
        "",
        "grouping of the classes by which train and test are labelled, with the classes kept as fine labels. cifar10: "
        "animals_objects, pairs; cifar100: superclasses; fashion_mnist: groups; glyphs: case, script",
        expected="the name of a grouping of the classes",
        axis=True,
    )
    train_samples: int = _count("train images in all", zero="all", axis=True)
    imbalance: float = option(
        1.0, "size of the first train class over that of the last, between them falling exponentially", at_least=1
    )
    label_noise: float = option(0.0, "share of the train images that get a wrong label", at_least=0, at_most=1)
    random_labels: bool = option(
        False, "whether the train labels are permuted, so that they say nothing about the images"
    )

    def __post_init__(self):
        check(self)
        if self.train_per_class and self.train_samples:
            raise ValueError("train_per_class and train_samples cannot both be given: one follows from the other")
        if self.target and (self.target == self.name or self.target_classes):
            other = "target_classes" if self.target_classes else f"name {self.name!r}"
            raise ValueError(
                f"target must be another data set, without target_classes; got {self.target!r} and {other}"
            )
        owner: dict[str, str] = {}
        for classes in _CLASS_LISTS:
            for name in getattr(self, classes):
                if name in owner:
                    where = f"twice in {classes}" if owner[name] == classes else f"in both {owner[name]} and {classes}"
                    raise ValueError(f"class {name!r} is {where}; a class belongs to one list, once")
                owner[name] = classes
