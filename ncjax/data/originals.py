"""Data sets as their authors distribute them: idx files, and the python and binary archives of CIFAR."""

import gzip
import io
import math
import pickle
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from ncjax.paths import inside

_IDX_BYTE = 0x08
_MOST_DEFLATED = 1032  # no byte of a gzip file unpacks to more, https://zlib.net/zlib_tech.html
_LARGEST_ARCHIVE = 1 << 30  # CIFAR's unpack to 180 MB


@dataclass(frozen=True, eq=False)
class Originals:
    """One split of original files, in their order.

    Args:
        images: `[n, h, w, c]` uint8.
        labels: by the name of the feature, each `[n]` uint8; `label` is always there.

    Examples:
        >>> len(Originals(np.zeros((2, 28, 28, 1), np.uint8), {"label": np.zeros(2, np.uint8)}).images)
        2
    """

    images: UInt8[np.ndarray, "n h w c"]
    labels: Mapping[str, UInt8[np.ndarray, " n"]]


def read_idx(path: Path) -> UInt8[np.ndarray, "..."]:
    """An array of bytes in MNIST's idx format.

    Source: Y. LeCun, C. Cortes, C. Burges, The MNIST database of handwritten digits.

    Args:
        path: of the file, plain or gzipped.

    Returns:
        The array, of the shape that the header gives.

    Raises:
        ValueError: if the file is damaged, truncated or no idx file of bytes.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "labels"
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        ...     read_idx(path)
        array([7, 9], dtype=uint8)
    """
    size = path.stat().st_size
    with path.open("rb") as opened:
        packed = opened.read(2) == b"\x1f\x8b"
        opened.seek(0)
        try:
            return _read_idx(gzip.GzipFile(fileobj=opened) if packed else opened, path, size, packed)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is damaged or truncated: {error}") from None


def _read_idx(file: io.BufferedIOBase, path: Path, size: int, packed: bool) -> UInt8[np.ndarray, "..."]:
    """Reads no more than the header announces, and that only if so much can be there."""
    start = file.read(4)
    if len(start) < 4 or start[:3] != bytes([0, 0, _IDX_BYTE]):
        raise ValueError(f"{path} must be an idx file of bytes; it begins with {start.hex()!r}")
    sizes = file.read(4 * start[3])
    if len(sizes) < 4 * start[3]:
        raise ValueError(f"{path} is damaged or truncated: it ends within its header")
    shape = tuple(int.from_bytes(sizes[at : at + 4]) for at in range(0, len(sizes), 4))
    announced = math.prod(shape)
    if announced > (_MOST_DEFLATED * size if packed else size):
        raise ValueError(f"{path} is damaged or truncated: its {size} bytes do not hold the shape {shape}")
    data = file.read(announced)
    if len(data) < announced or file.read(1):
        more = "fewer" if len(data) < announced else "more"
        raise ValueError(f"{path} is damaged or truncated: {more} bytes than the shape {shape} in its header")
    return np.frombuffer(data, np.uint8).reshape(shape)


def read_mnist_like(source: Path, prefix: str = "", test: str = "t10k") -> dict[str, Originals]:
    """MNIST and its relatives from their four idx files.

    Args:
        source: the folder with the files, plain or gzipped, also further down.
        prefix: before the names of the files, as in EMNIST.
        test: the test split in the names of the files.

    Returns:
        Splits `train` and `test`.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if one is damaged, or images and labels differ in number.
    """
    splits = {}
    for split, stem in (("train", f"{prefix}train"), ("test", f"{prefix}{test}")):
        images = read_idx(_find(source, [f"{stem}-images-idx3-ubyte", f"{stem}-images.idx3-ubyte"]))
        labels = read_idx(_find(source, [f"{stem}-labels-idx1-ubyte", f"{stem}-labels.idx1-ubyte"]))
        if images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{stem} of {source} must have a label for each image; got {list(labels.shape)} labels and "
                f"images {list(images.shape)}"
            )
        splits[split] = Originals(images[..., None], {"label": labels})
    return splits


def read_cifar10(source: Path) -> dict[str, Originals]:
    """CIFAR-10 from its python or binary archive, packed or unpacked.

    Source: A. Krizhevsky, Learning multiple layers of features from tiny images (2009),
    https://www.cs.toronto.edu/~kriz/cifar.html.

    Args:
        source: the archive, or a folder that holds it or what it unpacks to.

    Returns:
        Splits `train` and `test`.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if one is damaged.
    """
    train = [f"data_batch_{i}" for i in range(1, 6)]
    return _read_cifar(source, "cifar-10", {"train": train, "test": ["test_batch"]}, {"label": b"labels"})


def read_cifar100(source: Path) -> dict[str, Originals]:
    """CIFAR-100 from its python or binary archive, packed or unpacked; labels are `label` and `coarse_label`.

    Source: as for `read_cifar10`.

    Args:
        source: the archive, or a folder that holds it or what it unpacks to.

    Returns:
        Splits `train` and `test`.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if one is damaged.
    """
    features = {"coarse_label": b"coarse_labels", "label": b"fine_labels"}
    return _read_cifar(source, "cifar-100", {"train": ["train"], "test": ["test"]}, features)


def _read_cifar(
    source: Path, stem: str, files: Mapping[str, Sequence[str]], features: Mapping[str, bytes]
) -> dict[str, Originals]:
    wanted = [name for split in files.values() for name in split]
    binary = [f"{name}.bin" for name in wanted]
    found = _read_files(source, stem, [wanted, binary])
    splits = {}
    for split, names in files.items():
        parts = []
        for name in names:
            if name in found:
                parts.append(_python_batch(found[name], f"{name} of {source}", features))
            else:
                parts.append(_binary_batch(found[f"{name}.bin"], f"{name}.bin of {source}", list(features)))
        labels = {feature: np.concatenate([part.labels[feature] for part in parts]) for feature in features}
        splits[split] = Originals(np.concatenate([part.images for part in parts]), labels)
    return splits


def _python_batch(data: bytes, what: str, features: Mapping[str, bytes]) -> Originals:
    try:
        batch = _ArrayUnpickler(io.BytesIO(data), encoding="bytes").load()
        planes = np.asarray(batch[b"data"])
        labels = {feature: np.asarray(batch[key], np.uint8) for feature, key in features.items()}
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{what} is damaged or truncated: {error}") from None
    if planes.dtype != np.uint8 or any(planes.shape != (len(values), 3072) for values in labels.values()):
        raise ValueError(f"{what} is damaged: it has data {planes.dtype} {list(planes.shape)}")
    return Originals(_from_planes(planes), labels)


def _binary_batch(data: bytes, what: str, features: Sequence[str]) -> Originals:
    size = len(features) + 3072
    if not data or len(data) % size:
        raise ValueError(f"{what} is damaged or truncated: its {len(data)} bytes are not a multiple of {size}")
    records = np.frombuffer(data, np.uint8).reshape(-1, size)
    labels = {feature: records[:, i].copy() for i, feature in enumerate(features)}
    return Originals(_from_planes(records[:, len(features) :]), labels)


def _from_planes(planes: UInt8[np.ndarray, "n 3072"]) -> UInt8[np.ndarray, "n 32 32 3"]:
    return np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


class _ArrayUnpickler(pickle.Unpickler):
    """Reads arrays and plain values; a pickle that asks for anything else might run it."""

    _ALLOWED = frozenset(
        [("_codecs", "encode"), ("numpy", "dtype"), ("numpy", "ndarray")]
        + [(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")]
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no data set needs")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_pickle(path: Path) -> Any:
    """A pickle of arrays and plain values; nothing in it is run.

    Args:
        path: of the file.

    Returns:
        What it holds; strings of Python 2 come as bytes.

    Raises:
        ValueError: if it is damaged or asks for anything but arrays.
    """
    try:
        with path.open("rb") as file:
            return _ArrayUnpickler(file, encoding="bytes").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path} is damaged or truncated: {error}") from None


def _find(source: Path, names: Sequence[str]) -> Path:
    """The first file under a folder with one of some names, plain or gzipped."""
    if source.is_dir():
        for name in names:
            for candidate in (name, f"{name}.gz"):
                for path in sorted(source.rglob(candidate)):
                    if path.is_file():
                        return path
    raise FileNotFoundError(f"{names[0]} (plain or .gz) is not in {source}")


def _read_files(source: Path, stem: str, alternatives: Sequence[Sequence[str]]) -> dict[str, bytes]:
    """The bytes of the first complete set of file names, from a folder or a tar archive."""
    if not source.exists():
        raise FileNotFoundError(f"{source} is not there")
    archives = [source] if source.is_file() else sorted(source.glob(f"{stem}*.tar*"))
    if source.is_dir():
        # Unpacked, CIFAR-10 and CIFAR-100 may lie side by side.
        folders = [source, *sorted(path for path in source.glob(f"{stem}-*") if path.is_dir())]
        for folder in folders:
            for names in alternatives:
                if all((folder / name).is_file() for name in names):
                    return {name: (folder / name).read_bytes() for name in names}
    for archive in archives:
        try:
            with tarfile.open(archive) as tar:
                members = _tar_files(tar, archive)
                for names in alternatives:
                    if all(name in members for name in names):
                        return {name: tar.extractfile(members[name]).read() for name in names}  # type: ignore[union-attr]
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise ValueError(f"{archive} is damaged or truncated: {error}") from None
    raise FileNotFoundError(f"{source} lacks {', '.join(alternatives[0])} (or the same names with .bin)")


def _tar_files(tar: tarfile.TarFile, archive: Path) -> dict[str, tarfile.TarInfo]:
    """The files of an archive by their last name; none may lead out of it, and all must be of a likely size."""
    files: dict[str, tarfile.TarInfo] = {}
    unpacked = 0
    for member in tar:
        # Before the next header is looked for, for which all of this one's bytes are unpacked.
        unpacked += member.size
        if unpacked > _LARGEST_ARCHIVE:
            raise ValueError(f"{archive} unpacks to more than {_LARGEST_ARCHIVE >> 20} MiB: no archive of CIFAR does")
        if member.isfile():
            try:
                inside(archive.parent, member.name.removeprefix("./"))
            except ValueError as error:
                raise ValueError(f"{archive}: {error}") from None
            files[Path(member.name).name] = member
    return files
