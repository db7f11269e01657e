"""Image files, one folder a class, as a data set."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8
from PIL import Image, UnidentifiedImageError

from ncjax.data.cache import SplitBlocks

_ENDINGS = frozenset((".png", ".jpg", ".jpeg"))
_GREY_MODES = frozenset(("1", "L", "LA", "I", "I;16"))
_BLOCK = 500
_TEST_SHARE = 5


def make_folder(source: str = "", image_size: int = 0) -> dict[str, SplitBlocks]:
    """Images from `source/class_name/*.png` or `.jpg`.

    If there are folders `train` and `test` (or `val`), each with a folder for every class, these are the splits.
    Otherwise a fifth of every class is the test split, chosen by the files' names: a file more moves few others.

    Args:
        source: the folder.
        image_size: height and width to bring every image to, cut to its middle square; 0: as they are.

    Returns:
        Splits `train` and `test`; grey images have one channel if no image has colour, else three.

    Raises:
        ValueError: if the folder has no images, or images differ in size and `image_size` is 0.
        FileNotFoundError: if the folder is not there.
    """
    if not source:
        raise ValueError("source of 'folder' must be a folder with a folder of images for each class; got ''")
    root = Path(source).expanduser()
    if not root.is_dir():
        raise FileNotFoundError(f"source of 'folder': {root} is no folder")
    test_root = next((root / name for name in ("test", "val", "validation") if (root / name).is_dir()), None)
    if test_root is not None and (root / "train").is_dir():
        splits = {"train": class_files(root / "train"), "test": class_files(test_root)}
        if set(splits["train"]) != set(splits["test"]):
            odd = sorted(set(splits["train"]) ^ set(splits["test"]))
            raise ValueError(f"source of 'folder': train and test of {root} must have the same classes; see {odd[0]!r}")
    else:
        splits = hold_out(class_files(root), _TEST_SHARE)
    return image_blocks(splits, image_size)


def folder_fingerprint(source: str) -> str:
    """Changes whenever a file of a folder of images is added, removed or written.

    Args:
        source: the folder.

    Returns:
        A digest of the names, sizes and times of all image files.
    """
    root = Path(source).expanduser()
    digest = hashlib.sha256()
    for path in sorted(path for path in root.rglob("*") if path.suffix.lower() in _ENDINGS):
        status = path.stat()
        digest.update(f"{path.relative_to(root)}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def class_files(root: Path) -> dict[str, list[Path]]:
    """The image files of every class, one folder a class.

    Args:
        root: folder of the classes' folders.

    Returns:
        Files by class, both sorted by name; folders without an image are left out.

    Raises:
        ValueError: if there is no image, or a link leads out of the folder.
    """
    classes = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in _ENDINGS)
        for link in (path for path in (folder, *files) if path.is_symlink()):
            if not link.resolve().is_relative_to(root.resolve()):
                raise ValueError(f"{link} leads out of {root}, to {link.resolve()}: expected the images themselves")
        if files:
            classes[folder.name] = files
    if not classes:
        raise ValueError(f"{root} must hold a folder of .png or .jpg images for each class; it holds none")
    return classes


def hold_out(classes: Mapping[str, Sequence[Path]], share: int) -> dict[str, dict[str, list[Path]]]:
    """Splits the files of every class by the hashes of their names.

    Args:
        classes: files by class.
        share: one in so many files is for test, at least one a class.

    Returns:
        Files by class of `train` and `test`.

    Raises:
        ValueError: if a class has only one file.
    """
    splits: dict[str, dict[str, list[Path]]] = {"train": {}, "test": {}}
    for name, files in classes.items():
        if len(files) < 2:
            raise ValueError(f"class {name!r} must have at least two images, one of them to test; it has {files[0]}")
        drawn = sorted(files, key=lambda path: hashlib.sha256(path.name.encode()).digest())
        cut = max(1, len(files) // share)
        splits["test"][name], splits["train"][name] = sorted(drawn[:cut]), sorted(drawn[cut:])
    return splits


def image_blocks(splits: Mapping[str, Mapping[str, Sequence[Path]]], image_size: int) -> dict[str, SplitBlocks]:
    """Splits that decode image files block by block.

    Args:
        splits: files by class for each split.
        image_size: height and width to bring every image to; 0: as they are.

    Returns:
        The splits by name.

    Raises:
        ValueError: if a file is damaged, or images differ in size and `image_size` is 0.
    """
    first: tuple[Path, tuple[int, int]] | None = None
    grey = True
    for path in (path for classes in splits.values() for files in classes.values() for path in files):
        (width, height), mode = _header(path)
        first = first or (path, (height, width))
        grey = grey and mode in _GREY_MODES
        if not image_size and (height, width) != first[1]:
            raise ValueError(
                f"images must be of one size, or image_size be given: {first[0]} is {first[1][0]}x{first[1][1]}, "
                f"{path} {height}x{width}"
            )
    assert first is not None
    shape = (*((image_size, image_size) if image_size else first[1]), 1 if grey else 3)
    return {name: _split_blocks(classes, image_size, shape) for name, classes in splits.items()}


def _split_blocks(classes: Mapping[str, Sequence[Path]], image_size: int, shape: tuple[int, int, int]) -> SplitBlocks:
    names = tuple(sorted(classes))
    files = [(path, label) for label, name in enumerate(names) for path in classes[name]]

    def blocks() -> Iterator[tuple[UInt8[np.ndarray, "k h w c"], Int32[np.ndarray, " k"]]]:
        for start in range(0, len(files), _BLOCK):
            block = files[start : start + _BLOCK]
            images = np.stack([read_image(path, image_size, shape[2]) for path, _ in block])
            yield images, np.array([label for _, label in block], np.int32)

    return SplitBlocks((len(files), *shape), names, blocks)


def read_image(path: Path, image_size: int, channels: int) -> UInt8[np.ndarray, "h w c"]:
    """Decodes an image file.

    Args:
        path: of the file.
        image_size: height and width to bring it to, cut to its middle square; 0: as it is.
        channels: 1 or 3.

    Returns:
        `[h, w, channels]` uint8.

    Raises:
        ValueError: if the file is damaged.
    """
    try:
        with Image.open(path) as opened:
            image = opened.convert("L" if channels == 1 else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is damaged or truncated: {error}") from None
    if image_size:
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        image = image.resize((image_size, image_size), Image.Resampling.BICUBIC, box)
    return np.asarray(image).reshape(image.height, image.width, channels)


def _header(path: Path) -> tuple[tuple[int, int], str]:
    try:
        with Image.open(path) as image:
            return image.size, image.mode
    except (UnidentifiedImageError, SyntaxError, ValueError):
        raise ValueError(f"{path} is damaged or no image") from None
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: {error}") from None
