"""Data sets of tensorflow_datasets, read and written without TensorFlow."""

import contextlib
import functools
import io
import itertools
import os
from collections.abc import Iterator, Mapping
from importlib import util
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8
from PIL import Image
from tqdm import tqdm

from ncjax.data.cache import SplitBlocks
from ncjax.data.class_names import known_classes, read_facts
from ncjax.data.originals import Originals
from ncjax.data.tfrecord import read_tfrecord
from ncjax.paths import StrPath

_BLOCK = 1000
_TEST_SPLITS = ("test", "validation")


class NotPreparedError(FileNotFoundError):
    """A data set that has to be prepared first."""


def tfds_root(data_dir: StrPath | None = None) -> Path:
    """Folder of tensorflow_datasets: the one given, `TFDS_DATA_DIR`, or `tensorflow_datasets` in the home folder.

    Args:
        data_dir: the folder; None: the usual one.

    Returns:
        The folder, which need not exist.

    Examples:
        >>> tfds_root(Path("/data"))
        PosixPath('/data')
    """
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser().absolute()


def find_prepared(name: str, data_dir: Path | None = None) -> Path | None:
    """The folder of the newest prepared version of a data set.

    Args:
        name: in tensorflow_datasets, with its config after a slash if it has any.
        data_dir: folder of tensorflow_datasets; None: the usual one.

    Returns:
        The folder, or None if the data set is not prepared.

    Examples:
        >>> find_prepared("mnist", Path("/not/there")) is None
        True
    """
    found = [path.parent for path in (tfds_root(data_dir) / name).glob("*.*.*/dataset_info.json")]
    versions = [path for path in found if path.name.replace(".", "").isdigit()]
    return max(versions, key=lambda path: [int(part) for part in path.name.split(".")], default=None)


def read_prepared(name: str, data_dir: Path | None = None) -> dict[str, SplitBlocks]:
    """The train and test split of a prepared data set, decoded block by block.

    Args:
        name: in tensorflow_datasets, with its config after a slash if it has any.
        data_dir: folder of tensorflow_datasets; None: the usual one.

    Returns:
        `train` and `test` (`validation`, where a data set has no labelled test split).

    Raises:
        NotPreparedError: if it is not prepared.
        ValueError: if the folder is damaged, or its records are in a format that only TensorFlow reads.
    """
    folder = find_prepared(name, data_dir)
    if folder is None:
        raise NotPreparedError(
            f"{name} is not prepared in {tfds_root(data_dir)}: run once "
            f"python -m experiments.prepare_data --dataset={name} [--source=DIR]"
        )
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(folder))
        splits, features = builder.info.splits, builder.info.features
        shape = features["image"].shape
        names = _class_names(name, features["label"])
        file_format = builder.info.file_format.value
        parts = {"train": "train", "test": next(split for split in _TEST_SPLITS if split in splits)}
        sizes = {split: splits[part].num_examples for split, part in parts.items()}
    except Exception as error:  # whatever tensorflow_datasets raises about a damaged folder
        raise ValueError(f"{folder} is damaged: {' '.join(str(error).split())[:200]}") from None
    if file_format not in ("array_record", "tfrecord"):
        raise ValueError(
            f"{folder} holds {file_format} files, which cannot be read without TensorFlow: move it away and run "
            f"python -m experiments.prepare_data --dataset={name}"
        )
    return {
        split: SplitBlocks(
            (sizes[split], *shape), names, functools.partial(_decoded, folder, part, sizes[split], shape)
        )
        for split, part in parts.items()
    }


def _decoded(
    folder: Path, part: str, size: int, shape: tuple[int, int, int]
) -> Iterator[tuple[UInt8[np.ndarray, "k h w c"], Int32[np.ndarray, " k"]]]:
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(str(folder))
        undecoded = {"image": tfds.decode.SkipDecoding()}
        in_order: Any = None
        if builder.info.file_format.value == "tfrecord":
            files = builder.info.splits[part].filepaths
            in_order = itertools.chain.from_iterable(read_tfrecord(Path(file)) for file in files)
        else:
            records: Any = builder.as_data_source(split=part, decoders=undecoded)
        for start in range(0, size, _BLOCK):
            stop = min(start + _BLOCK, size)
            if in_order is None:
                block = records.__getitems__(range(start, stop))
            else:
                serialized = list(itertools.islice(in_order, stop - start))
                block = [builder.info.features.deserialize_example_np(one, decoders=undecoded) for one in serialized]
            if len(block) < stop - start:
                raise ValueError(f"it ends after {start + len(block)} of {size} images")
            pixels = np.stack([np.asarray(Image.open(io.BytesIO(record["image"]))) for record in block])
            yield pixels.reshape(-1, *shape), np.array([record["label"] for record in block], np.int32)
    except Exception as error:  # whatever array_record, protobuf and Pillow raise about damaged bytes
        raise ValueError(f"{part} in {folder} is damaged: {' '.join(str(error).split())[:200]}") from None


def _class_names(name: str, label: Any) -> tuple[str, ...]:
    """The names in the folder, or, where these are mere numbers, the known ones."""
    names = tuple(label.names or ())
    numbers = tuple(map(str, range(label.num_classes)))
    known = known_classes(name)
    return known if names in ((), numbers) and len(known) == len(numbers) else names or numbers


def prepare_official(name: str, data_dir: Path | None = None) -> Path:
    """Has tensorflow_datasets download and prepare a data set, for which it needs TensorFlow.

    Args:
        name: in tensorflow_datasets, with its config after a slash if it has any.
        data_dir: folder of tensorflow_datasets; None: the usual one.

    Returns:
        The folder of the prepared data set.

    Raises:
        ValueError: if TensorFlow is not installed.
    """
    missing = [module for module in ("tensorflow", "importlib_resources") if util.find_spec(module) is None]
    if missing:
        raise ValueError(
            f"{name} is not prepared in {tfds_root(data_dir)}, and its official builder needs what is not installed: "
            f"pip install {' '.join(missing)}, or give the original files, where they can be read, with --source=DIR"
        )
    import tensorflow_datasets as tfds

    builder = tfds.builder(name, data_dir=str(tfds_root(data_dir)), file_format="array_record")
    builder.download_and_prepare()
    return Path(builder.data_dir)


def write_prepared(name: str, splits: Mapping[str, Originals], data_dir: Path | None = None) -> Path:
    """Writes original images where tensorflow_datasets has them, as its own builder would, without TensorFlow.

    Keys, and so the order of the records, are those of the official builder; images are PNG.

    Args:
        name: in tensorflow_datasets, with its config after a slash if it has any.
        splits: the images and labels in the order of the original files.
        data_dir: folder of tensorflow_datasets; None: the usual one.

    Returns:
        The folder of the prepared data set. One that is already there is left as it is.

    Raises:
        ValueError: if images or labels are not what the data set has.
        OSError: if the folder cannot be written.
    """
    import tensorflow_datasets as tfds

    root = tfds_root(data_dir)
    official, _, config = name.partition("/")
    official_class = tfds.builder_cls(official)
    members = {
        "name": official,
        "__module__": official_class.__module__,
        "code_path": None,  # where checksums of downloads would be; there are none
        "_split_generators": lambda self, _: _name_classes(name, self.info.features, splits),
    }
    with tfds.core.registered.skip_registration():
        local_class = type(official_class.__name__, (official_class,), members)
    try:
        builder = local_class(data_dir=str(root), config=config or None, file_format="array_record")
        _check(name, builder.info.features, splits)
        with _quiet():
            builder.download_and_prepare()
    except OSError as error:
        folder = find_prepared(name, data_dir)
        if folder is not None:  # another process was faster
            return folder
        reason = error.strerror or str(error)
        raise OSError(error.errno, f"cannot write {name} into {root}: {reason}; --data_dir chooses another") from error
    return Path(builder.data_dir)


def _check(name: str, features: Any, splits: Mapping[str, Originals]) -> None:
    shape = tuple(features["image"].shape)
    for split, originals in splits.items():
        if originals.images.shape[1:] != shape:
            raise ValueError(f"{split} of {name} must have images of shape {shape}; got {originals.images.shape[1:]}")
        for feature, labels in originals.labels.items():
            if len(labels) and labels.max() >= features[feature].num_classes:
                raise ValueError(
                    f"{feature} in {split} of {name} must be below {features[feature].num_classes}; got {labels.max()}"
                )


def _name_classes(name: str, features: Any, splits: Mapping[str, Originals]) -> dict[str, Any]:
    """Splits as the official builder makes them: where it reads the classes' names from the archive, they are ours."""
    if name in ("cifar10", "cifar100"):
        features["label"].names = list(known_classes(name))
    if "coarse_label" in features:
        features["coarse_label"].names = list(read_facts("coarse_labels")[name]["superclasses"]["classes"])
    return {split: _examples(features, split, originals) for split, originals in splits.items()}


def _examples(features: Any, split: str, originals: Originals) -> Iterator[tuple[int, dict[str, Any]]]:
    labels = [[(feature, int(value)) for value in values] for feature, values in originals.labels.items()]
    images = originals.images[..., 0] if originals.images.shape[-1] == 1 else originals.images
    pairs: Any = zip(images, zip(*labels, strict=True), strict=True)
    size = len(originals.images)
    for key, (image, values) in enumerate(
        tqdm(pairs, total=size, desc=f"{split} images to TFDS", unit="image", disable=None, mininterval=0.5)
    ):
        example = {"image": _png(image), **dict(values)}
        if "id" in features:
            example["id"] = f"{split}_{key:05d}"
        yield key, example


def _png(pixels: Any) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    file.seek(0)
    return file


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the bars and messages of tensorflow_datasets, whose folder of the moment says nothing to the user."""
    import tensorflow_datasets as tfds

    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        tfds.enable_progress_bar()
