"""Which data set, and which view of it: one frozen, hashable description."""

from dataclasses import dataclass

_COUNTS = ("image_size", "train_per_class", "test_per_class", "target_per_class", "train_samples")
_CLASS_LISTS = ("source_classes", "validation_classes", "target_classes")


@dataclass(frozen=True)
class DataSpec:
    """A data set by name with all that can be chosen about it.

    A number of 0 and an empty list of classes mean the data set's own choice (every image; the split by class that is
    usual for it, if any).

    Args:
        name: name in the registry, see `ncjax.data.names`.
        image_size: height and width in pixels; glyphs can be made at 28 (its own) or 32.
        train_per_class: train images a class (glyphs: 40). Subsets are balanced and nested: the images of a smaller
            number are among those of a larger one.
        test_per_class: test images a class (glyphs: 20).
        target_per_class: images a class of the validation and target splits (glyphs: 60).
        seed: draws the images (glyphs), subsets and wrong labels, a whole number from 0.
        source_classes: names of the classes to train on.
        validation_classes: names of classes never trained on, to choose by.
        target_classes: names of classes never trained on, to report transfer on.
        source: folder of the original images, for data sets that are read from one (folder, mini_imagenet).
        coarse: name of a grouping of the classes: train and test are labelled by group, with the classes kept as fine
            labels. cifar10: animals_objects, pairs; cifar100: superclasses; fashion_mnist: groups; glyphs: case,
            script.
        train_samples: train images in all, balanced and nested; 0: all.
        imbalance: size of the first train class over that of the last, between them falling exponentially; 1: none.
        label_noise: share of the train images that get a wrong label, 0 to 1.
        random_labels: whether the train labels are permuted, so that they say nothing about the images.

    Raises:
        ValueError: if an option has the wrong type or is out of its range, or a class is in two lists.

    Example:
        >>> DataSpec("digits", target_classes=("7", "8", "9")).train_per_class
        0
    """

    name: str = "glyphs"
    image_size: int = 0
    train_per_class: int = 0
    test_per_class: int = 0
    target_per_class: int = 0
    seed: int = 0
    source_classes: tuple[str, ...] = ()
    validation_classes: tuple[str, ...] = ()
    target_classes: tuple[str, ...] = ()
    source: str = ""
    coarse: str = ""
    train_samples: int = 0
    imbalance: float = 1.0
    label_noise: float = 0.0
    random_labels: bool = False

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be the name of a data set; got {self.name!r}")
        for option in (*_COUNTS, "seed"):
            value = getattr(self, option)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                meaning = "" if option == "seed" else " (0: the data set's own)"
                raise ValueError(f"{option} must be a whole number from 0{meaning}; got {value!r}")
        self._check_views()
        owner: dict[str, str] = {}
        for option in _CLASS_LISTS:
            names = getattr(self, option)
            if not isinstance(names, tuple) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"{option} must be a tuple of class names; got {names!r}")
            for name in names:
                if name in owner:
                    where = f"twice in {option}" if owner[name] == option else f"in both {owner[name]} and {option}"
                    raise ValueError(f"class {name!r} is {where}; a class belongs to one list, once")
                owner[name] = option

    def _check_views(self) -> None:
        for option in ("source", "coarse"):
            if not isinstance(getattr(self, option), str):
                raise ValueError(f"{option} must be text; got {getattr(self, option)!r}")
        if not _is_number(self.imbalance) or not 1 <= self.imbalance < float("inf"):
            raise ValueError(f"imbalance must be a number from 1 (1: none); got {self.imbalance!r}")
        if not _is_number(self.label_noise) or not 0 <= self.label_noise <= 1:
            raise ValueError(f"label_noise must be a number from 0 to 1; got {self.label_noise!r}")
        if not isinstance(self.random_labels, bool):
            raise ValueError(f"random_labels must be True or False; got {self.random_labels!r}")
        if self.train_per_class and self.train_samples:
            raise ValueError("train_per_class and train_samples cannot both be given: one follows from the other")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
