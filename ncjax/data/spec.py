"""Which data set, and which view of it: one frozen, hashable description."""

from dataclasses import dataclass

_COUNTS = ("image_size", "train_per_class", "test_per_class", "target_per_class")
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
        seed: draws the images (glyphs) or the subset (the others), a whole number from 0.
        source_classes: names of the classes to train on.
        validation_classes: names of classes never trained on, to choose by.
        target_classes: names of classes never trained on, to report transfer on.

    Raises:
        ValueError: if an option has the wrong type, is negative, or a class is in two lists.

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

    def __post_init__(self):
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"name must be the name of a data set; got {self.name!r}")
        for option in (*_COUNTS, "seed"):
            value = getattr(self, option)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                meaning = "" if option == "seed" else " (0: the data set's own)"
                raise ValueError(f"{option} must be a whole number from 0{meaning}; got {value!r}")
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
