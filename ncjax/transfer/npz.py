"""Reads .npz files of anyone: nothing is unpickled, and nothing is read that says it is too large."""

import math
import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

# Real arrays shrink to a half or a tenth, sparse ones to a fiftieth; what unpacks to more is made to fill a memory.
_MOST_RATIO = 200
_SMALL_BYTES = 2**28


def read_npz(path: Path, names: Iterable[str], example: str) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads arrays of a file that ``numpy.savez`` or ``numpy.savez_compressed`` wrote.

    What the file says of its sizes is held to each other and to this machine's memory before anything is unpacked.

    Args:
        path: of the file.
        names: arrays to read, as far as they are there.
        example: how such a file is written, for the message.

    Returns:
        The arrays, and the names of all that the file holds.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no such file, is damaged, holds Python objects or is too large; one line that names the
            file and the array.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "arrays.npz"
        >>> np.savez(path, support=np.arange(3), other=np.zeros(2))
        >>> arrays, there = read_npz(path, ["support"], "numpy.savez(path, support=…)")
        >>> arrays["support"].tolist(), there
        ([0, 1, 2], ['other', 'support'])
    """
    path.stat()
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path}: not an .npz file, expected one written by {example}")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            budget = _free_bytes()
            arrays = {}
            for name in names:
                if name in members:
                    arrays[name] = _read(path, archive, name, members[name], budget)
                    budget -= arrays[name].nbytes
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: cannot be read ({error})") from None
    return arrays, sorted(members)


def _read(path: Path, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo, budget: int) -> np.ndarray:
    size = info.file_size
    if size > budget:
        raise ValueError(f"{path}: {name} takes {_gib(size)}, of which this machine has {_gib(max(budget, 0))} free")
    if size > max(_SMALL_BYTES, _MOST_RATIO * info.compress_size):
        raise ValueError(
            f"{path}: {name} unpacks from {_gib(info.compress_size)} to {_gib(size)}, over {_MOST_RATIO} times that; "
            f"expected the array as numpy.savez writes it"
        )
    try:
        with archive.open(info) as file:
            shape, dtype, start = _header(file)
            if dtype.hasobject:
                raise ValueError(f"{name}: holds Python objects, which are never unpickled; expected numbers")
            announced = math.prod(shape) * dtype.itemsize
            if announced != size - start:
                raise ValueError(
                    f"{path}: {name} announces {announced} bytes of shape {shape}, but holds {size - start}; expected "
                    f"the array as numpy.savez writes it"
                )
        with archive.open(info) as file:
            return _array(file)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, _NotNumPyError) as error:
        raise ValueError(f"{path}: {name} cannot be read ({error})") from None


class _NotNumPyError(Exception):
    """A member that is no array."""


def _array(file: Any) -> np.ndarray:
    try:
        return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except ValueError as error:
        raise _NotNumPyError(str(error).partition("\n")[0]) from None


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype, int]:
    """Shape, type, and the place where the numbers begin."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    except (ValueError, OverflowError, TypeError) as error:
        raise _NotNumPyError(str(error).partition("\n")[0]) from None
    if any(length < 0 for length in shape):
        raise _NotNumPyError(f"shape {shape}")
    return shape, dtype, file.tell()


def _free_bytes() -> int:
    """Memory that this machine has free."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    except (OSError, ValueError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**28 else f"{size / 2**20:.1f} MiB"
