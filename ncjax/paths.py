"""Paths that come from outside: names in a manifest, an archive or a list must stay inside their directory."""

import os
from pathlib import Path

StrPath = str | os.PathLike[str]
"""What every public function takes where it takes a path."""


def inside(directory: StrPath, name: str) -> Path:
    """The path of a file in a directory, for a name that someone else chose.

    Args:
        directory: that the file belongs into; it need not be there.
        name: relative, with slashes, without ``.``, ``..`` and empty parts.

    Returns:
        The path, below the directory also where links of the file system lead elsewhere.

    Raises:
        ValueError: if the name leads out of the directory, or is none.

    Examples:
        >>> inside("runs", "checkpoints/0/a").as_posix()
        'runs/checkpoints/0/a'
        >>> inside("runs", "../a")
        Traceback (most recent call last):
        ValueError: got the file name '../a', expected one that is relative, normalised and inside its directory
    """
    root = Path(directory)
    parts = name.split("/")
    plain = all(part not in ("", ".", "..") for part in parts) and not any(mark in name for mark in ("\\", "\0"))
    # A drive of Windows is no part of a name either; a link there may lead anywhere.
    if not plain or Path(name).is_absolute() or not (root / name).resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"got the file name {name[:200]!r}, expected one that is relative, normalised and inside its directory"
        )
    return root / name
