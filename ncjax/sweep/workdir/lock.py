"""Who has a directory to itself, and whether the last one who had left it in order."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from ncjax.paths import StrPath


@contextlib.contextmanager
def locked(directory: StrPath, wait: bool = False) -> Iterator[None]:
    """Keeps other processes out of a directory, which is made if it is not there, for a ``with`` block.

    What is written in the lock's file stays there where the block has no end: see ``was_cut_off``.

    Args:
        directory: of a sweep.
        wait: until it is free.

    Raises:
        ValueError: if another process has it.
    """
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("a") as file:
        if wait:
            fcntl.flock(file, fcntl.LOCK_EX)
        elif not _lock(file):
            raise ValueError(
                f"--workdir: another process is running a sweep in {directory}; wait for it or use a new directory"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        # It is there after a failure of power too.
        os.fsync(file.fileno())
        try:
            yield
        finally:
            file.truncate(0)


def was_cut_off(workdir: StrPath) -> bool:
    """Whether the last process that had a workdir to itself neither finished nor stopped: it or its machine crashed.

    Args:
        workdir: of the sweep.

    Returns:
        Whether it was so; not while a process is running there.

    Examples:
        >>> import tempfile
        >>> workdir = Path(tempfile.mkdtemp())
        >>> with locked(workdir):
        ...     during = was_cut_off(workdir)
        >>> during, was_cut_off(workdir)
        (False, False)
    """
    lock = Path(workdir) / ".lock"
    return lock.is_file() and lock.stat().st_size > 0 and not is_running(workdir)


def _lock(file: IO[str]) -> bool:
    """Locks a file unless another process holds it for longer than the moment that a look takes."""
    for _ in range(5):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.1)
    return False


def is_running(workdir: StrPath) -> bool:
    """Whether a process is running a sweep in a workdir.

    Args:
        workdir: of the sweep.

    Returns:
        Whether its lock is held.

    Examples:
        >>> import tempfile
        >>> workdir = Path(tempfile.mkdtemp())
        >>> with locked(workdir):
        ...     is_running(workdir)
        True
        >>> is_running(workdir)
        False
    """
    try:
        with (Path(workdir) / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
