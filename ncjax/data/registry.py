"""Data sets by name: the registry, and `load`, which turns a `DataSpec` into arrays."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ncjax.data.cache import fetch
from ncjax.data.dataset import Dataset, Split, pixel_statistics
from ncjax.data.digits import make_digits
from ncjax.data.glyphs import make_glyphs
from ncjax.data.spec import DataSpec
from ncjax.data.views import class_subset, split_by_class


@dataclass(frozen=True)
class Source:
    """Where a named data set comes from.

    Args:
        make: makes the splits by name: `train`, `test` and, for few-shot transfer, `validation` and `target`. Its
            keyword arguments are the options of `DataSpec` that it obeys, their defaults the data set's own choice;
            `load` applies the other options to what it returns.
        version: raised when `make` changes what it returns, so that older caches are not read.

    Example:
        >>> Source(make_digits).version
        1
    """

    make: Callable[..., dict[str, Split]]
    version: int = 1


SOURCES: dict[str, Source] = {
    "digits": Source(make_digits),
    "glyphs": Source(make_glyphs),
}


def names() -> tuple[str, ...]:
    """Names of all data sets.

    Returns:
        Names that `DataSpec` takes, sorted.

    Example:
        >>> "glyphs" in names()
        True
    """
    return tuple(sorted(SOURCES))


def load(spec: DataSpec) -> Dataset:
    """The data set that a spec describes, from the cache or made on first use.

    Args:
        spec: name and options.

    Returns:
        Splits of uint8 images and the pixel statistics of exactly this train split.

    Raises:
        ValueError: if the name is unknown, or the data set cannot give what an option asks for.
        OSError: if the cache cannot be read or written.

    Example:
        >>> digits = load(DataSpec("digits", train_per_class=20, target_classes=("8", "9")))
        >>> digits.train.images.shape, digits.target.class_names
        ((160, 8, 8, 1), ('8', '9'))
    """
    source = SOURCES.get(spec.name)
    if source is None:
        near = difflib.get_close_matches(spec.name, SOURCES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
        raise ValueError(f"name must be a known data set; got {spec.name!r}: {hint}")
    obeyed = {
        option: getattr(spec, option) or parameter.default
        for option, parameter in inspect.signature(source.make).parameters.items()
    }
    splits = fetch(spec.name, {**obeyed, "version": source.version}, lambda: source.make(**obeyed))
    splits = _view(splits, spec, obeyed)
    mean, std = pixel_statistics(splits["train"].images)
    validation, target = splits.get("validation"), splits.get("target")
    return Dataset(spec.name, splits["train"], splits["test"], validation, target, mean, std)


def _view(splits: dict[str, Split], spec: DataSpec, obeyed: dict[str, Any]) -> dict[str, Split]:
    """Applies the options that the data set's maker did not obey."""
    height, width = splits["train"].images.shape[1:3]
    if spec.image_size and (height, width) != (spec.image_size, spec.image_size):
        raise ValueError(f"image_size of {spec.name!r} must be {height}, the only one it has; got {spec.image_size}")
    if "target_classes" not in obeyed and (spec.source_classes or spec.validation_classes or spec.target_classes):
        lists = (spec.source_classes, spec.validation_classes, spec.target_classes)
        splits = split_by_class(splits["train"], splits["test"], *lists)
    for option, parts in (
        ("train_per_class", ("train",)),
        ("test_per_class", ("test",)),
        ("target_per_class", ("validation", "target")),
    ):
        per_class = getattr(spec, option)
        if per_class and option not in obeyed:
            for part in parts:
                if part in splits:
                    try:
                        splits = {**splits, part: class_subset(splits[part], per_class, spec.seed)}
                    except ValueError as error:
                        raise ValueError(f"{option} of {spec.name!r}, split {part}: {error}") from None
    return splits
