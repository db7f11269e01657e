"""Preparing a data set once, so that every later `load` only maps arrays into memory."""

import dataclasses
import functools
import warnings
from pathlib import Path

from ncjax.data.cache import SplitBlocks
from ncjax.data.dataset import Split
from ncjax.data.registry import Source, cached_splits, find_source, obeyed_options, viewed
from ncjax.data.spec import DataSpec
from ncjax.data.tfds_directory import find_prepared, prepare_official, read_prepared, tfds_root, write_prepared
from ncjax.paths import StrPath


def prepare(spec: DataSpec, data_dir: StrPath | None = None) -> dict[str, Split]:
    """Brings a data set into the cache, from its original files or what tensorflow_datasets has.

    Original files of a data set of tensorflow_datasets are first written where that library looks for its data, in its
    own format, so that other programs read them too.

    Args:
        spec: name, `source` (folder of the original files, or empty) and options that the arrays depend on.
        data_dir: folder of tensorflow_datasets; None: `TFDS_DATA_DIR` or its usual one.

    Returns:
        The splits before any view, as memory maps.

    Raises:
        ValueError: if the name is unknown, the files are damaged or cannot be read, or TensorFlow is needed and absent.
        OSError: if a file is missing, or a folder cannot be written.

    Examples:
        >>> {name: len(split) for name, split in prepare(DataSpec("digits")).items()}
        {'train': 1297, 'test': 500}
    """
    data_dir = None if data_dir is None else Path(data_dir)
    source = find_source(spec.name)
    if source.tfds:
        if spec.source:
            _write_originals(source, spec, data_dir)
        spec = dataclasses.replace(spec, source="")
    obeyed = obeyed_options(source, spec)
    make = functools.partial(_prepared, source.tfds, data_dir) if source.tfds else lambda: source.make(**obeyed)
    splits = cached_splits(spec.name, obeyed, make)
    # Computes checksum and pixel statistics now, so that no start of a sweep has to.
    viewed(splits, spec, obeyed)
    return splits


def _write_originals(source: Source, spec: DataSpec, data_dir: Path | None) -> None:
    folder = find_prepared(source.tfds, data_dir)
    if folder is not None:
        warnings.warn(f"{folder} is already prepared: {spec.source} is not read", stacklevel=3)
        return
    if source.originals is None:
        raise ValueError(
            f"source of {spec.name!r} must be '': its original files cannot be read here, only what "
            f"tensorflow_datasets has prepared in {tfds_root(data_dir)}; got {spec.source!r}"
        )
    write_prepared(source.tfds, source.originals(Path(spec.source).expanduser()), data_dir)


def _prepared(name: str, data_dir: Path | None) -> dict[str, SplitBlocks]:
    if find_prepared(name, data_dir) is None:
        prepare_official(name, data_dir)
    return read_prepared(name, data_dir)
