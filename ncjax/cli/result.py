"""What a command that measures gives back: one JSON document on the standard output, all else on the standard error."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The real one: whatever else is printed must not be mixed into it.
_STDOUT = sys.stdout


@contextlib.contextmanager
def keeping_stdout() -> Iterator[None]:
    """Sends what is printed in a ``with`` block to the standard error."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


def check_writable(**paths: str | None) -> None:
    """Makes sure that files can be written, before the time is spent that it takes to know what.

    Args:
        **paths: by the names of their flags; None for one that is not asked for.

    Raises:
        ValueError: naming the first that lies in no directory, or is one.
    """
    for name, value in paths.items():
        if value is None:
            continue
        path = Path(value)
        if path.is_dir() or not path.absolute().parent.is_dir():
            raise ValueError(f"--{name}: got {value}, expected a file in a directory that is there")


def show(result: dict[str, Any], table: Callable[[dict[str, Any]], str], *, json_file: str | None) -> None:
    """Prints a result, as a table where a person reads it and as JSON otherwise, and writes it to a file if asked to.

    Args:
        result: what JSON can hold.
        table: lays it out for a terminal.
        json_file: path, or None.
    """
    text = json.dumps(result, indent=2, allow_nan=False)
    if json_file is not None:
        Path(json_file).write_text(text + "\n", encoding="utf-8")
    print(table(result) if _STDOUT.isatty() else text, file=_STDOUT)
    if json_file is not None:
        say_written(json_file)


def say_written(path: str) -> None:
    """Says where a file lies."""
    print(f"results: {path}", file=sys.stderr)
