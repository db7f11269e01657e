"""The results table: one line of JSON for each run at each checkpoint, append-only."""

import json
import math
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

FILE_NAME = "results.jsonl"


def append_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    r"""Appends rows and returns once they are on the disk.

    Args:
      path: of the table; made if it is not there.
      rows: numbers, strings, booleans; a number that is not finite is written as null.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
      >>> append_rows(path, [{"run": 0, "train/loss": float("nan")}])
      >>> path.read_text()
      '{"run": 0, "train/loss": null}\n'
    """
    text = "".join(json.dumps({key: _plain(value) for key, value in row.items()}) + "\n" for row in rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Reads the rows of a table; a last line cut off by a crash is left out, with a warning.

    Args:
      path: of the table.

    Returns:
      The rows, in the order of the file.

    Raises:
      FileNotFoundError: if there is no table.
      ValueError: if a line other than the last is not JSON.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
      >>> append_rows(path, [{"run": 0, "step": 8}])
      >>> read_rows(path)
      [{'run': 0, 'step': 8}]
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no results table here; expected one written by experiments.sweep")
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            if number < len(lines):
                raise ValueError(f"{path}: line {number} is not JSON ({error.msg})") from None
            warnings.warn(f"{path}: the last line is cut off and left out", stacklevel=2)
    return rows


def read_table(path: Path | str) -> pd.DataFrame:
    """Reads a results table, sorted by run and step.

    Args:
      path: of the table, or of the workdir that holds it.

    Returns:
      One row for each run at each checkpoint; null is NaN.

    Raises:
      FileNotFoundError: if there is no table.
      ValueError: if it is empty or a line is not JSON.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
      >>> append_rows(path, [{"run": 1, "step": 0, "train/loss": 2}, {"run": 0, "step": 0, "train/loss": 3}])
      >>> read_table(path)["train/loss"].tolist()
      [3.0, 2.0]
    """
    path = Path(path)
    path = path / FILE_NAME if path.is_dir() else path
    rows = read_rows(path)
    if not rows:
        raise ValueError(f"{path}: the results table is empty; expected at least one measured checkpoint")
    table = pd.DataFrame(rows).sort_values(["run", "step"], ignore_index=True)
    measured = [name for name in table.columns.astype(str) if "/" in name]
    return table.astype(dict.fromkeys(measured, float))


def keep_rows(path: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrites a table with some of its rows, replacing the file in one step.

    Args:
      path: of the table; nothing happens if it is not there.
      keep: whether a row stays.

    Example:
      >>> import tempfile
      >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
      >>> append_rows(path, [{"run": 0}, {"run": 1}])
      >>> keep_rows(path, lambda row: row["run"] == 1)
      >>> read_rows(path)
      [{'run': 1}]
    """
    if not path.is_file():
        return
    with warnings.catch_warnings():
        # A cut-off last line is what a rewrite after a crash is there to remove.
        warnings.simplefilter("ignore")
        rows = [row for row in read_rows(path) if keep(row)]
    scratch = path.with_suffix(".partial")
    scratch.unlink(missing_ok=True)
    append_rows(scratch, rows)
    scratch.replace(path)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
