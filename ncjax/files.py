"""Files that are there whole or not at all, and the one error that every writer can meet: no space left."""

import contextlib
import errno
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FULL_IN_WORDS = tuple(os.strerror(number) for number in sorted(_FULL))


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file and returns once it is on the disk, having replaced an older one in one step.

    Args:
        path: of the file.
        content: to write.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "facts.json"
        >>> write_json(path, {"runs": 2})
        >>> json.loads(path.read_text())
        {'runs': 2}
    """
    replace_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def replace_text(path: Path, text: str) -> None:
    """Writes a text file as ``write_json`` does.

    Args:
        path: of the file.
        text: to write.
    """
    scratch = path.with_suffix(".partial")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def replace_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes arrays as ``numpy.savez`` does, whole or not at all.

    Args:
        path: of the file.
        arrays: by name.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
        >>> replace_arrays(path, {"params/kernel": np.ones(2)})
        >>> np.load(path)["params/kernel"].tolist()
        [1.0, 1.0]
    """
    scratch = path.with_suffix(".partial")
    with scratch.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def read_object(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object, as ``write_json`` writes it.

    Args:
        path: of the file.

    Returns:
        The object.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds anything else; one line that names the file and the place.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "facts.json"
        >>> path.write_text("[]")
        2
        >>> read_object(path)
        Traceback (most recent call last):
        ValueError: ...facts.json: holds a list, expected an object
    """
    return parse_object(path.read_bytes(), str(path))


def parse_object(content: bytes, name: str) -> dict[str, Any]:
    """Reads a JSON object.

    Args:
        content: UTF-8.
        name: of the file, and the line in it if it has many.

    Returns:
        The object.

    Raises:
        ValueError: if it is anything else.
    """
    try:
        found = json.loads(content)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: " if b"\n" in content.strip() else ""
        raise ValueError(f"{name}: {place}is not JSON ({error.msg})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{name}: is not JSON (byte {error.start} is not UTF-8)") from None
    except RecursionError:
        raise ValueError(f"{name}: is nested too deeply, expected an object") from None
    if not isinstance(found, dict):
        kind = "null" if found is None else f"a {type(found).__name__}"
        raise ValueError(f"{name}: holds {kind}, expected an object")
    return found


@contextlib.contextmanager
def naming_a_full_disk(directory: Path) -> Iterator[None]:
    """Turns the many errors of a full disk inside a ``with`` block into one line.

    Args:
        directory: that is written to.

    Raises:
        OSError: naming the directory, if no space is left for it.
    """
    log = logging.getLogger("absl")
    log.addFilter(_is_news)
    try:
        yield
    except Exception as error:
        if not _no_space(error):
            raise
        raise OSError(
            f"--workdir: no space left for {directory}; free some, then the same command goes on from the last "
            f"checkpoint"
        ) from None
    finally:
        log.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a line of the storage libraries' log is to be shown: not the full disk, once more from every thread."""
    error = record.exc_info[1] if record.exc_info else None
    return not (_no_space(error) or any(words in record.getMessage() for words in _FULL_IN_WORDS))


def _no_space(error: BaseException | None) -> bool:
    """Whether a full disk or quota is behind an error; libraries wrap it, some in words alone."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if any(words in str(error) for words in _FULL_IN_WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
