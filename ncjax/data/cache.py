"""Arrays made once: checksummed uint8 files, written atomically, memory-mapped on load.

One folder a data set and choice of options, `<root>/<name>/<key>/`, holds `<split>_images.npy`, `<split>_labels.npy`
and `index.json` with the class names and every file's SHA-256. A folder is filled under another name and renamed when
it is complete, so a killed process leaves nothing that another would read.
"""

import contextlib
import errno
import hashlib
import json
import logging
import math
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32, UInt8
from tqdm import tqdm

from ncjax.data.dataset import Split

_INDEX = "index.json"
_LAYOUT = 1
_STAGING = ".making-"
_ABANDONED_SECONDS = 24 * 3600

_LOG = logging.getLogger("ncjax.data")

_Guard = Callable[[], contextlib.AbstractContextManager[None]]


@dataclass(frozen=True, eq=False)
class SplitBlocks:
    """A split made block by block, for images that would not fit in memory together.

    Args:
        shape: `[n, h, w, c]` of all images.
        class_names: a name for each class.
        blocks: makes pairs of images `[k, h, w, c]` uint8 and labels `[k]` int32, n in all.

    Examples:
        >>> halves = [(np.zeros((1, 2, 2, 1), np.uint8), np.array([label], np.int32)) for label in (0, 1)]
        >>> SplitBlocks((2, 2, 2, 1), ("cat", "dog"), lambda: halves).shape
        (2, 2, 2, 1)
    """

    shape: tuple[int, int, int, int]
    class_names: tuple[str, ...]
    blocks: Callable[[], Iterable[tuple[UInt8[np.ndarray, "k h w c"], Int32[np.ndarray, " k"]]]]


class _DamagedError(Exception):
    """What is wrong with a cached folder."""


def cache_root() -> Path:
    """Folder of the data cache: `NCJAX_DATA_DIR`, or `ncjax` in the user's cache folder.

    Returns:
        The folder, which need not exist.

    Examples:
        >>> cache_root().is_absolute()
        True
    """
    chosen = os.environ.get("NCJAX_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "ncjax"


def fetch(
    name: str,
    options: Mapping[str, Any],
    make: Callable[[], Mapping[str, Split | SplitBlocks]],
    root: Path | None = None,
    verify: bool = False,
) -> dict[str, Split]:
    """Splits from the cache, or made and cached if they are not there.

    What is used is said in the log `ncjax.data`. A damaged entry is made anew, with a warning; whether images are
    damaged shows only where all are read, that is with `verify`. Processes that make the same entry at once do not
    collide: one of the equal results stays.

    Args:
        name: the data set's name, also the folder's.
        options: all that the arrays depend on, JSON values; another value is another entry. The index keeps them.
        make: makes the splits by name. Those made by blocks are written as they come, with a progress bar.
        root: folder of the cache; None: `cache_root()`.
        verify: read everything and compare it with its checksums.

    Returns:
        The splits by name, with read-only memory-mapped images.

    Raises:
        OSError: if the cache cannot be read or written, in one line that names the folder.

    Examples:
        >>> import tempfile
        >>> split = Split(np.ones((1, 2, 2, 1), np.uint8), np.zeros(1, np.int32), ("cat",))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = fetch("pets", {"seed": 0}, lambda: {"train": split}, Path(folder))
        ...     again = fetch("pets", {"seed": 0}, lambda: {}, Path(folder))
        >>> int(again["train"].images.sum())
        4
    """
    folder = entry_folder(name, options, root)
    damaged = False
    with _one_line_errors(folder):
        if folder.exists():
            try:
                found = _read(folder, verify)
                _LOG.info("data set %s: from the cache %s", name, folder)
                return found
            except _DamagedError as error:
                damaged = True
                warnings.warn(f"remaking the cached data set {folder}: {error}", stacklevel=3)
    splits = make()
    _LOG.info("data set %s: made anew, into the cache %s", name, folder)
    staging = folder.with_name(f"{_STAGING}{uuid.uuid4().hex}")
    try:
        with _one_line_errors(folder):
            staging.mkdir(parents=True)
            _remove_abandoned(folder.parent)
            _check_space(staging, splits)
        _write(staging, splits, dict(options), lambda: _one_line_errors(folder))
        with _one_line_errors(folder):
            # Read before it is moved: whatever other processes do to the folder, open maps stay whole.
            made = _read(staging)
            _install(staging, folder, damaged)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return made


def entry_folder(name: str, options: Mapping[str, Any], root: Path | None = None) -> Path:
    """Where an entry lies, or would lie.

    Args:
        name: as in `fetch`.
        options: as in `fetch`.
        root: as in `fetch`.

    Returns:
        Its folder.

    Examples:
        >>> entry_folder("pets", {"seed": 0}).parent.name
        'pets'
    """
    text = json.dumps({"layout": _LAYOUT, "options": dict(options)}, sort_keys=True)
    return (root or cache_root()) / name / hashlib.sha256(text.encode()).hexdigest()[:16]


@contextlib.contextmanager
def _one_line_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"cannot use the data cache {folder}: {reason}; NCJAX_DATA_DIR chooses another folder"
        raise OSError(error.errno, message) from error


def _install(staging: Path, folder: Path, damaged: bool) -> None:
    """Puts a complete folder in place; if another process was faster, its equal folder stays."""
    if damaged:
        aside = folder.with_name(f".damaged-{uuid.uuid4().hex}")
        with contextlib.suppress(FileNotFoundError):  # another process has put it aside
            folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
    try:
        staging.rename(folder)
    except OSError:
        if not folder.exists():
            raise


def _remove_abandoned(parent: Path) -> None:
    """Removes what killed processes left: folders in the making in which nothing has been written for a day."""
    for folder in parent.glob(f"{_STAGING}*"):
        with contextlib.suppress(OSError):
            newest = max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            if time.time() - newest > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _check_space(folder: Path, splits: Mapping[str, Split | SplitBlocks]) -> None:
    needed = sum(math.prod(split.shape) for split in splits.values() if isinstance(split, SplitBlocks))
    free = shutil.disk_usage(folder).free
    if needed > free:
        reason = f"{needed / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB free"
        raise OSError(errno.ENOSPC, reason)


def _write(folder: Path, splits: Mapping[str, Split | SplitBlocks], options: dict[str, Any], guard: _Guard) -> None:
    files = {}
    for name, split in splits.items():
        if isinstance(split, SplitBlocks):
            _write_blocks(folder, name, split, guard)
        else:
            with guard():
                _write_array(folder / f"{name}_images.npy", split.images)
                _write_array(folder / f"{name}_labels.npy", split.labels)
        for kind in ("images", "labels"):
            path = folder / f"{name}_{kind}.npy"
            with guard():
                files[path.name] = _checksum(path)
    names = {name: split.class_names for name, split in splits.items()}
    content = {"files": files, "splits": names, "options": options}
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with guard(), (folder / _INDEX).open("w") as file:
        json.dump({"content": content, "sha256": digest}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _write_array(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _write_blocks(folder: Path, name: str, split: SplitBlocks, guard: _Guard) -> None:
    """Writes images as they come. Not through a memory map: on a full disk that ends in a bus error."""
    header = {"descr": "|u1", "fortran_order": False, "shape": split.shape}
    labels = []
    with (
        (folder / f"{name}_images.npy").open("wb") as file,
        tqdm(total=split.shape[0], desc=f"{name} images", unit="image", disable=None, mininterval=0.5) as bar,
    ):
        with guard():
            np.lib.format.write_array_header_1_0(file, header)
        # What the maker raises is its own error, not the cache's.
        for images, block_labels in split.blocks():
            with guard():
                file.write(np.ascontiguousarray(images).data)
            labels.append(block_labels)
            bar.update(len(images))
        with guard():
            file.flush()
            os.fsync(file.fileno())
    all_labels = np.concatenate(labels) if labels else np.zeros(0, np.int32)
    if len(all_labels) != split.shape[0]:
        raise ValueError(f"{name} must have {split.shape[0]} images; its blocks hold {len(all_labels)}")
    with guard():
        _write_array(folder / f"{name}_labels.npy", all_labels)


def _read(folder: Path, verify: bool = False) -> dict[str, Split]:
    """Maps an entry's images, and checks what costs no time: all of it but these."""
    try:
        index = json.loads((folder / _INDEX).read_text())
        content, digest = index["content"], index["sha256"]
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise _DamagedError(f"{_INDEX} is missing or unreadable") from error
    if hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() != digest:
        raise _DamagedError(f"{_INDEX} fails its checksum")
    for name, expected in content["files"].items():
        if name != Path(name).name:
            raise _DamagedError(f"{_INDEX} names a file elsewhere")
        if not (folder / name).exists():
            raise _DamagedError(f"{name} is missing")
        if (verify or not name.endswith("_images.npy")) and _checksum(folder / name) != expected:
            raise _DamagedError(f"{name} fails its checksum")
    return {
        name: Split(
            images=_map(folder / f"{name}_images.npy"),
            labels=np.load(folder / f"{name}_labels.npy", allow_pickle=False),
            class_names=tuple(class_names),
        )
        for name, class_names in content["splits"].items()
    }


def _map(path: Path) -> np.ndarray:
    try:
        images: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _DamagedError(f"{path.name} is cut short or no array") from error
    return images


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
