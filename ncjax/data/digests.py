"""What is known of a cached data set without reading its images: its checksum and pixel statistics.

They are computed once for each view of an entry of the cache, and lie in a file beside its arrays.
"""

import contextlib
import functools
import hashlib
import json
import logging
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ncjax.data.dataset import Dataset, Split, pixel_statistics

_LOG = logging.getLogger("ncjax.data")


def with_digest(
    name: str, splits: Mapping[str, Split], folder: Path, options: Mapping[str, Any], renew: bool = False
) -> Dataset:
    """A data set of splits, with its pixel statistics and checksum.

    Args:
        name: of the data set.
        splits: by name, a view of an entry of the cache.
        folder: of the entry.
        options: of the view, JSON values.
        renew: compute them, though they are there.

    Returns:
        The data set; its images were read only if nobody had asked for this view before.

    Examples:
        >>> import tempfile
        >>> split = Split(np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1), np.array([0, 1], np.int32), ("cat", "dog"))
        >>> pets = {"train": split, "test": split}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     first = with_digest("pets", pets, Path(folder), {})
        ...     again = with_digest("pets", pets, Path(folder), {})
        >>> first.sha256 == again.sha256
        True
    """
    path = folder / f"digest-{_key(options)}.json"
    facts = None if renew else _read(path, splits["train"].images.shape[-1])
    if facts is None:
        mean, std = pixel_statistics(splits["train"].images)
    else:
        mean, std = (np.array(facts[key], np.float32) for key in ("mean", "std"))
    dataset = Dataset(name, splits["train"], splits["test"], splits.get("validation"), splits.get("target"), mean, std)
    if facts is not None:
        # Not a field: a copy with other splits (dataclasses.replace) must not take it over.
        vars(dataset)["sha256"] = facts["sha256"]
    elif folder.is_dir():
        _write(path, {"sha256": dataset.sha256, "mean": mean.tolist(), "std": std.tolist()})
    return dataset


def _key(options: Mapping[str, Any]) -> str:
    """Of a view: its options, and the code that makes it of them."""
    text = json.dumps({"options": dict(options), "code": _code()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@functools.cache
def _code() -> list[str]:
    here = Path(__file__).parent
    sources = [*(here / f"{name}.py" for name in ("class_names", "labels", "registry", "views")), *here.glob("*.json")]
    # NumPy's version: another one may draw other subsets from a seed.
    return [np.__version__, *(hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(sources))]


def _read(path: Path, channels: int) -> dict[str, Any] | None:
    """The facts of a file; None if it is not there, or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        facts: dict[str, Any] = content["facts"]
        if content["sha256"] != _checksum(facts) or not len(facts["mean"]) == len(facts["std"]) == channels:
            return None
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return facts


def _write(path: Path, facts: dict[str, Any]) -> None:
    """Writes the file in one step; where that is not possible, the facts are computed again next time."""
    scratch = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with scratch.open("w", encoding="utf-8") as file:
            json.dump({"facts": facts, "sha256": _checksum(facts)}, file)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except OSError as error:
        _LOG.info("%s cannot be written (%s): every start reads all images", path, error.strerror)
        with contextlib.suppress(OSError):
            scratch.unlink()


def _checksum(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
