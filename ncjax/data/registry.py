"""Data sets by name: the registry, and `load`, which turns a `DataSpec` into arrays."""

import dataclasses
import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ncjax.data.cache import SplitBlocks, entry_folder, fetch
from ncjax.data.class_names import class_lists
from ncjax.data.code_digest import code_digest
from ncjax.data.dataset import Dataset, Split
from ncjax.data.digests import with_digest
from ncjax.data.digits import make_digits
from ncjax.data.glyphs import make_glyphs
from ncjax.data.image_files import folder_fingerprint, make_folder
from ncjax.data.labels import coarse_groups, coarsen, long_tail, noisy_labels, random_labels
from ncjax.data.mini_imagenet import make_mini_imagenet
from ncjax.data.originals import Originals, read_cifar10, read_cifar100, read_mnist_like
from ncjax.data.other_target import with_target
from ncjax.data.plugged_in import fingerprint, plugged_in_splits
from ncjax.data.spec import DataSpec
from ncjax.data.tfds_directory import read_prepared
from ncjax.data.views import class_subset, sample_subset, split_by_class
from ncjax.plugins import is_plugin


@dataclass(frozen=True)
class Source:
    """Where a named data set comes from.

    Args:
        make: makes the splits by name: `train`, `test` and, for few-shot transfer, `validation` and `target`. Its
            keyword arguments are the options of `DataSpec` that it obeys, their defaults the data set's own choice;
            `load` applies the other options to what it returns.
        version: raised when `make` changes what it returns for a reason that its code does not show, such as another
            version of a library, so that older caches are not read. Changed code is noticed by itself, see
            `ncjax.data.code_digest`, but for the data sets of this package: they know their versions.
        class_split: the split by class that is usual for the data set, a name that `class_lists` knows; empty: none.
        tfds: name in tensorflow_datasets, for what is prepared there; empty: it is not.
        originals: reads the original files in a folder, for what is prepared from them. None: they cannot be read.
        fingerprint: of the folder `source`, for what is read from there at any time: another value is another entry of
            the cache. None: once cached, the folder is not needed.

    Examples:
        >>> Source(make_digits).version
        1
    """

    make: Callable[..., Mapping[str, Split | SplitBlocks]]
    version: int = 1
    class_split: str = ""
    tfds: str = ""
    originals: Callable[[Path], dict[str, Originals]] | None = None
    fingerprint: Callable[[str], str] | None = None


def tfds_source(
    name: str, originals: Callable[[Path], dict[str, Originals]] | None = None, class_split: str = ""
) -> Source:
    """A data set of tensorflow_datasets; it has to be prepared once.

    Args:
        name: in tensorflow_datasets, with its config after a slash if it has any.
        originals: reads the original files in a folder; None: only the official builder prepares it.
        class_split: name of a split by class; empty: none.

    Returns:
        Its entry for the registry.

    Examples:
        >>> tfds_source("mnist", read_mnist_like).tfds
        'mnist'
    """
    return Source(lambda: read_prepared(name), class_split=class_split, tfds=name, originals=originals)


def _emnist(config: str, class_split: str = "") -> Source:
    def originals(source: Path) -> dict[str, Originals]:
        return read_mnist_like(source, prefix=f"emnist-{config}-", test="test")

    return tfds_source(f"emnist/{config}", originals, class_split)


SOURCES: dict[str, Source] = {
    "cifar10": tfds_source("cifar10", read_cifar10),
    "cifar100": tfds_source("cifar100", read_cifar100),
    "cifar_fs": tfds_source("cifar100", read_cifar100, class_split="cifar_fs"),
    "digits": Source(make_digits),
    "emnist/balanced": _emnist("balanced"),
    "emnist/byclass": _emnist("byclass"),
    "emnist_fs": _emnist("balanced", class_split="emnist_fs"),
    "fashion_mnist": tfds_source("fashion_mnist", read_mnist_like),
    "fc100": tfds_source("cifar100", read_cifar100, class_split="fc100"),
    "folder": Source(make_folder, fingerprint=folder_fingerprint),
    "glyphs": Source(make_glyphs),
    "imagenet_resized/32x32": tfds_source("imagenet_resized/32x32"),
    "imagenet_resized/64x64": tfds_source("imagenet_resized/64x64"),
    "kmnist": tfds_source("kmnist", read_mnist_like),
    "mini_imagenet": Source(make_mini_imagenet, class_split="mini_imagenet"),
    "mnist": tfds_source("mnist", read_mnist_like),
    "stl10": tfds_source("stl10"),
    "svhn_cropped": tfds_source("svhn_cropped"),
}


_SHIPPED = frozenset(SOURCES.values())


def names() -> tuple[str, ...]:
    """Names of all data sets.

    Returns:
        Names that `DataSpec` takes, sorted.

    Examples:
        >>> "glyphs" in names()
        True
    """
    return tuple(sorted(SOURCES))


def find_source(name: str) -> Source:
    """The registry's entry for a name.

    Args:
        name: of a data set.

    Returns:
        Its entry.

    Raises:
        ValueError: if the name is unknown; the nearest known one is suggested.

    Examples:
        >>> find_source("cifar_fs").tfds
        'cifar100'
    """
    if is_plugin(name) and name not in SOURCES:
        return Source(functools.partial(plugged_in_splits, name))
    source = SOURCES.get(name)
    if source is None:
        near = difflib.get_close_matches(name, SOURCES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names())}"
        raise ValueError(f"name must be a known data set; got {name!r}: {hint}")
    return source


def load(spec: DataSpec, verify: bool = False) -> Dataset:
    """The data set that a spec describes, from the cache or made on first use.

    Its pixel statistics and checksum are computed on first use and then kept in the cache: later calls read no image
    that they do not copy.

    Args:
        spec: name and options.
        verify: read all that is cached, compare it with its checksums, make anew what is damaged.

    Returns:
        Splits of uint8 images and the pixel statistics of exactly this train split.

    Raises:
        ValueError: if the name is unknown, or the data set cannot give what an option asks for.
        OSError: if the data set is not prepared, or the cache cannot be read or written.

    Examples:
        >>> digits = load(DataSpec("digits", train_per_class=20, target_classes=("8", "9")))
        >>> digits.train.images.shape, digits.target.class_names
        ((160, 8, 8, 1), ('8', '9'))
    """
    source = find_source(spec.name)
    obeyed = obeyed_options(source, spec)
    splits = cached_splits(spec.name, obeyed, lambda: source.make(**obeyed), verify)
    dataset = viewed(splits, spec, obeyed, verify)
    if not spec.target:
        return dataset
    try:
        return with_target(dataset, load(target_spec(spec), verify))
    except ValueError as error:
        raise ValueError(f"target: {error}") from None


def target_spec(spec: DataSpec) -> DataSpec:
    """The other data set that a spec transfers to.

    Args:
        spec: with `target`.

    Returns:
        Its spec: as many test images a class as `target_per_class` says.
    """
    return DataSpec(spec.target, test_per_class=spec.target_per_class, seed=spec.seed)


def viewed(splits: dict[str, Split], spec: DataSpec, obeyed: Mapping[str, Any], renew: bool = False) -> Dataset:
    """The view of cached splits that a spec asks for.

    Args:
        splits: of `cached_splits`.
        spec: name and options.
        obeyed: options that the maker obeys.
        renew: compute pixel statistics and checksum, though they are known.

    Returns:
        The data set.
    """
    source = find_source(spec.name)
    options = {**dataclasses.asdict(spec), "source": "", "target": "", "class_split": source.class_split}
    return with_digest(
        spec.name, _view(splits, spec, source, obeyed), entry_folder(*_entry(spec.name, obeyed)), options, renew
    )


def viewed_splits(splits: dict[str, Split], spec: DataSpec) -> dict[str, Split]:
    """What the options of a spec make of the splits of a data set whose maker obeys none.

    Args:
        splits: `train` and `test`.
        spec: name and options.

    Returns:
        The splits by name.
    """
    return _view(splits, spec, find_source(spec.name), {})


def obeyed_options(source: Source, spec: DataSpec) -> dict[str, Any]:
    """The options that a data set's maker obeys, with their values.

    Args:
        source: the data set's entry in the registry.
        spec: gives the values; an empty one is the maker's default.

    Returns:
        Values by name.

    Raises:
        ValueError: if the spec names a folder and the data set is not read from one.
    """
    parameters = inspect.signature(source.make).parameters
    if spec.source and "source" not in parameters:
        raise ValueError(f"source of {spec.name!r} must be '', as it is not read from a folder; got {spec.source!r}")
    return {option: getattr(spec, option) or parameter.default for option, parameter in parameters.items()}


def cached_splits(
    name: str,
    obeyed: Mapping[str, Any],
    make: Callable[[], Mapping[str, Split | SplitBlocks]],
    verify: bool = False,
) -> dict[str, Split]:
    """A data set's splits before any view, from the cache or made.

    Args:
        name: of the data set.
        obeyed: options that its maker obeys.
        make: makes them.
        verify: read everything and compare it with its checksums.

    Returns:
        The splits by name.
    """
    entry, options = _entry(name, obeyed)
    return fetch(entry, options, make, verify=verify)


def _entry(name: str, obeyed: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name and options under which the splits are cached."""
    source = find_source(name)
    options = {**obeyed, "version": source.version}
    if is_plugin(name) and name not in SOURCES:
        return name.replace(":", "-"), {**options, "fingerprint": fingerprint(plugged_in_splits(name))}
    if source not in _SHIPPED:
        options["maker"] = code_digest(source.make)
    folder = options.pop("source", "")
    if source.fingerprint is not None and folder:
        options["fingerprint"] = source.fingerprint(folder)
    return source.tfds or name, options


def _view(splits: dict[str, Split], spec: DataSpec, source: Source, obeyed: Mapping[str, Any]) -> dict[str, Split]:
    """Applies the options that the data set's maker did not obey."""
    height, width = splits["train"].images.shape[1:3]
    if spec.image_size and (height, width) != (spec.image_size, spec.image_size):
        raise ValueError(f"image_size of {spec.name!r} must be {height}, the only one it has; got {spec.image_size}")
    if "target_classes" not in obeyed:
        lists = _class_lists(spec, source)
        if any(lists.values()):
            splits = split_by_class(splits["train"], splits["test"], **lists)
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
    return _relabel(splits, spec, source)


def _class_lists(spec: DataSpec, source: Source) -> dict[str, tuple[str, ...]]:
    """The lists of the spec; an empty one is the usual list, if there is one, less what the others name."""
    asked = {option: getattr(spec, option) for option in ("source_classes", "validation_classes", "target_classes")}
    if not source.class_split:
        return asked
    named = {name for classes in asked.values() for name in classes}
    usual = class_lists(source.class_split)
    return {option: asked[option] or tuple(n for n in usual[option] if n not in named) for option in asked}


def _relabel(splits: dict[str, Split], spec: DataSpec, source: Source) -> dict[str, Split]:
    """Subset, coarse labels, imbalance and label noise of the train split, in this order."""
    train, test = splits["train"], splits["test"]
    try:
        if spec.train_samples:
            train = sample_subset(train, spec.train_samples, spec.seed)
        if spec.coarse:
            groups = coarse_groups(source.tfds or spec.name, spec.coarse, train.class_names)
            train, test = coarsen(train, groups), coarsen(test, groups)
        if spec.imbalance > 1:
            train = long_tail(train, spec.imbalance, spec.seed)
        if spec.random_labels:
            train = random_labels(train, spec.seed)
        if spec.label_noise:
            train = noisy_labels(train, spec.label_noise, spec.seed)
    except ValueError as error:
        raise ValueError(f"{spec.name!r}: {error}") from None
    return {**splits, "train": train, "test": test}
