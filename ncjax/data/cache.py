"""Arrays made once: checksummed uint8 files, written atomically, memory-mapped on load.

One folder a data set and choice of options, `<root>/<name>/<key>/`, holds `<split>_images.npy`, `<split>_labels.npy`
and `index.json` with the class names and every file's SHA-256. A folder is filled under another name and renamed when
it is complete, so a killed process leaves nothing that another would read.
"""

import contextlib
import hashlib
import json
import os
import shutil
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ncjax.data.dataset import Split

_INDEX = "index.json"
_LAYOUT = 1


class _DamagedError(Exception):
    """What is wrong with a cached folder."""


def cache_root() -> Path:
    """Folder of the data cache: `NCJAX_DATA_DIR`, or `ncjax` in the user's cache folder.

    Returns:
        The folder, which need not exist.

    Example:
        >>> cache_root().is_absolute()
        True
    """
    chosen = os.environ.get("NCJAX_DATA_DIR")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "ncjax"


def fetch(
    name: str, options: Mapping[str, Any], make: Callable[[], Mapping[str, Split]], root: Path | None = None
) -> dict[str, Split]:
    """Splits from the cache, or made and cached if they are not there.

    A damaged entry is made anew, with a warning. Processes that make the same entry at once do not collide: one of
    the equal results stays.

    Args:
        name: the data set's name, also the folder's.
        options: all that the arrays depend on, JSON values; another value is another entry.
        make: makes the splits by name.
        root: folder of the cache; None: `cache_root()`.

    Returns:
        The splits by name, with read-only memory-mapped images.

    Raises:
        OSError: if the cache cannot be read or written, in one line that names the folder.

    Example:
        >>> import tempfile
        >>> split = Split(np.ones((1, 2, 2, 1), np.uint8), np.zeros(1, np.int32), ("cat",))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = fetch("pets", {"seed": 0}, lambda: {"train": split}, Path(folder))
        ...     again = fetch("pets", {"seed": 0}, lambda: {}, Path(folder))
        >>> int(again["train"].images.sum())
        4
    """
    text = json.dumps({"layout": _LAYOUT, "options": dict(options)}, sort_keys=True)
    folder = (root or cache_root()) / name / hashlib.sha256(text.encode()).hexdigest()[:16]
    damaged = False
    with _one_line_errors(folder):
        if folder.exists():
            try:
                return _read(folder)
            except _DamagedError as error:
                damaged = True
                warnings.warn(f"remaking the cached data set {folder}: {error}", stacklevel=3)
    splits = make()
    staging = folder.with_name(f".making-{uuid.uuid4().hex}")
    with _one_line_errors(folder):
        try:
            staging.mkdir(parents=True)
            _write(staging, splits)
            # Read before it is moved: whatever other processes do to the folder, open maps stay whole.
            made = _read(staging, verify=False)
            _install(staging, folder, damaged)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return made


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


def _write(folder: Path, splits: Mapping[str, Split]) -> None:
    files = {}
    for name, split in splits.items():
        for kind, array in (("images", split.images), ("labels", split.labels)):
            path = folder / f"{name}_{kind}.npy"
            with path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
            files[path.name] = _checksum(path)
    content = {"files": files, "splits": {name: split.class_names for name, split in splits.items()}}
    text = json.dumps(content, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    with (folder / _INDEX).open("w") as file:
        json.dump({"content": content, "sha256": digest}, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _read(folder: Path, verify: bool = True) -> dict[str, Split]:
    try:
        index = json.loads((folder / _INDEX).read_text())
        content, digest = index["content"], index["sha256"]
    except (FileNotFoundError, KeyError, TypeError, ValueError) as error:
        raise _DamagedError(f"{_INDEX} is missing or unreadable") from error
    if hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() != digest:
        raise _DamagedError(f"{_INDEX} fails its checksum")
    for name, expected in content["files"].items():
        if not (folder / name).exists():
            raise _DamagedError(f"{name} is missing")
        if verify and _checksum(folder / name) != expected:
            raise _DamagedError(f"{name} fails its checksum")
    return {
        name: Split(
            images=np.load(folder / f"{name}_images.npy", mmap_mode="r", allow_pickle=False),
            labels=np.load(folder / f"{name}_labels.npy", allow_pickle=False),
            class_names=tuple(class_names),
        )
        for name, class_names in content["splits"].items()
    }


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
