"""mini-ImageNet from what users have of it: an ImageNet folder, its lists with images, or the archives by split."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ncjax.data.cache import SplitBlocks
from ncjax.data.class_names import class_lists
from ncjax.data.image_files import class_files, hold_out, image_blocks
from ncjax.data.originals import read_pickle
from ncjax.data.tfds_directory import NotPreparedError
from ncjax.paths import inside

_PER_CLASS = 600
_TEST_SHARE = 6
_PARTS = ("train", "val", "test")
_BLOCK = 1000


def make_mini_imagenet(source: str = "", image_size: int = 84) -> dict[str, SplitBlocks]:
    """The 100 classes of mini-ImageNet, 600 images each, a sixth of every class for test.

    `source` is one of
    - a folder with the archives by split, `mini-imagenet-cache-train.pkl`, `-val.pkl` and `-test.pkl`;
    - a folder with `train.csv`, `val.csv` and `test.csv` (columns filename and label) and the files in `images`;
    - a folder with a folder for each class, such as ImageNet's train folder, or folders `train`, `val` and `test` of
      them. Of more than 600 images of a class the first by name are taken, which are not those of the lists.

    Source: S. Ravi, H. Larochelle, Optimization as a model for few-shot learning (2017),
    https://openreview.net/forum?id=rJY0-Kcll.

    Args:
        source: the folder; needed only to prepare the data set.
        image_size: height and width, images being cut to their middle square.

    Returns:
        Splits `train` and `test`, both of all 100 classes: which of them are for transfer is a view.

    Raises:
        NotPreparedError: if no source is given.
        ValueError: if the source lacks classes or images, or is damaged.
    """
    if not source:
        raise NotPreparedError(
            f"mini_imagenet of {image_size} pixels is not prepared: run once "
            "python -m experiments.prepare_data --dataset=mini_imagenet --source=DIR"
        )
    root = Path(source).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"source of 'mini_imagenet': {root} is no folder")
    pickles = [root / f"mini-imagenet-cache-{part}.pkl" for part in _PARTS]
    if all(path.is_file() for path in pickles):
        return _from_pickles(pickles, image_size)
    lists = [root / f"{part}.csv" for part in _PARTS]
    classes = _listed_files(root, lists) if all(path.is_file() for path in lists) else _all_files(root)
    _require_all(root, set(classes))
    return image_blocks(
        hold_out({name: files[:_PER_CLASS] for name, files in classes.items()}, _TEST_SHARE), image_size
    )


def _synsets() -> set[str]:
    return {name for names in class_lists("mini_imagenet").values() for name in names}


def _require_all(root: Path, found: set[str]) -> None:
    lacking = sorted(_synsets() - found)
    if lacking:
        raise ValueError(
            f"{root} must hold the 100 classes of mini-ImageNet; it lacks {len(lacking)}: {lacking[0]}, ..."
        )


def _all_files(root: Path) -> dict[str, list[Path]]:
    folders = [root, *(path for path in sorted(root.iterdir()) if path.is_dir() and path.name not in _synsets())]
    found: dict[str, list[Path]] = {}
    for folder in folders:
        if any((folder / name).is_dir() for name in _synsets()):
            for name, files in class_files(folder).items():
                # ImageNet's own validation images must not be mixed with the train images of the same class.
                found.setdefault(name, files)
    return {name: files for name, files in found.items() if name in _synsets()}


def _listed_files(root: Path, lists: list[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in lists:
        with path.open(newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                name, label = row.get("filename"), row.get("label")
                if name is None or label is None:
                    raise ValueError(f"{path} must have the columns filename and label; got {list(row.values())}")
                try:
                    found.setdefault(label, []).append(inside(root / "images", name))
                except ValueError as error:
                    raise ValueError(f"{path}, line {reader.line_num}: {error}") from None
    missing = next((path for files in found.values() for path in files if not path.is_file()), None)
    if missing is not None:
        raise FileNotFoundError(f"{missing} is not there, though the lists of {root} name it")
    return {name: files for name, files in found.items() if name in _synsets()}


def _from_pickles(paths: list[Path], image_size: int) -> dict[str, SplitBlocks]:
    if image_size != 84:
        raise ValueError(f"image_size of these archives must be 84, the only one they have; got {image_size}")
    images: dict[str, Any] = {}
    for path in paths:
        content = {_text(key): value for key, value in read_pickle(path).items()}
        try:
            pixels, members = content["image_data"], content["class_dict"]
            found = {_text(name): pixels[np.asarray(index)] for name, index in members.items()}
        except (KeyError, IndexError, TypeError, AttributeError):
            raise ValueError(f"{path} is damaged: image_data and class_dict do not fit") from None
        images.update(found)
    _require_all(paths[0].parent, set(images))
    names = tuple(sorted(_synsets()))
    splits = {}
    # Any fixed sixth of a class will do for test: the archives are in no order.
    for split, share in (("train", slice(0, -1)), ("test", slice(-1, None))):
        parts = {name: _sixths(images[name], share) for name in names}
        size = sum(map(len, parts.values()))
        splits[split] = SplitBlocks((size, 84, 84, 3), names, lambda parts=parts: _class_blocks(parts))
    return splits


def _sixths(images: Any, share: slice) -> Any:
    ends = np.linspace(0, len(images), _TEST_SHARE + 1).astype(int)
    chosen = range(_TEST_SHARE)[share]
    return images[ends[chosen[0]] : ends[chosen[-1] + 1]]


def _class_blocks(parts: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    for label, images in enumerate(parts.values()):
        for start in range(0, len(images), _BLOCK):
            block = images[start : start + _BLOCK]
            yield block, np.full(len(block), label, np.int32)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
