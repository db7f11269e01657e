"""The results table: one line of JSON for each run at each checkpoint, append-only."""

import json
import math
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from ncjax.files import parse_object, replace_text
from ncjax.paths import StrPath

FILE_NAME = "results.jsonl"


def append_rows(path: StrPath, rows: Iterable[dict[str, Any]]) -> None:
    r"""Appends rows and returns once they are on the disk.

    Args:
        path: of the table; made if it is not there.
        rows: numbers, strings, booleans; a number that is not finite is written as null.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
        >>> append_rows(path, [{"run": 0, "step": 8, "train/loss": float("nan")}])
        >>> path.read_text()
        '{"run": 0, "step": 8, "train/loss": null}\n'
    """
    text = _lines(rows)
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def read_rows(path: StrPath) -> list[dict[str, Any]]:
    """Reads the rows of a table; a last line cut off by a crash is left out, with a warning.

    Args:
        path: of the table.

    Returns:
        The rows, in the order of the file.

    Raises:
        FileNotFoundError: if there is no table.
        ValueError: if a line is no row, naming it; a last line without an end may be part of one.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
        >>> append_rows(path, [{"run": 0, "step": 8}])
        >>> read_rows(path)
        [{'run': 0, 'step': 8}]
    """
    rows, cut_off = _parse(Path(path))
    if cut_off:
        warnings.warn(f"{path}: the last line is cut off and left out", stacklevel=2)
    return rows


def read_table(path: StrPath) -> pd.DataFrame:
    """Reads a results table, sorted by run and step.

    Args:
        path: of the table, or of the workdir that holds it.

    Returns:
        One row for each run at each checkpoint; null is NaN.

    Raises:
        FileNotFoundError: if there is no table.
        ValueError: if it is empty or a line is no row.

    Examples:
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


def keep_rows(path: StrPath, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Rewrites a table with some of its rows, replacing the file in one step.

    Args:
        path: of the table; nothing happens if it is not there.
        keep: whether a row stays.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "results.jsonl"
        >>> append_rows(path, [{"run": 0, "step": 8}, {"run": 1, "step": 8}])
        >>> keep_rows(path, lambda row: row["run"] == 1)
        >>> read_rows(path)
        [{'run': 1, 'step': 8}]
    """
    path = Path(path)
    if not path.is_file():
        return
    rows, cut_off = _parse(path)
    kept = [row for row in rows if keep(row)]
    # A cut-off last line is what a rewrite after a crash is there to remove.
    if len(kept) < len(rows) or cut_off:
        replace_text(path, _lines(kept))


def gather_tables(path: Path, tables: dict[Path, set[int]]) -> None:
    """Replaces the rows of some runs in a table by those of tables of their own, in one step.

    Args:
        path: of the table.
        tables: from a table's path to the runs whose rows it holds; one that is not there leaves its runs alone. A row
            that is just being written is left out.
    """
    there = {table: runs for table, runs in tables.items() if table.is_file()}
    if not there:
        return
    replaced = set().union(*there.values())
    before = _parse(path)[0] if path.is_file() else []
    rows = [row for row in before if row["run"] not in replaced]
    for table in there:
        rows += _parse(table)[0]
    if rows != before:
        replace_text(path, _lines(rows))


def _parse(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The rows of a table, and whether its last line is cut off."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no results table here; expected one written by experiments.sweep")
    content = path.read_bytes()
    lines = content.splitlines()
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = parse_object(line, f"{path}: line {number}")
        except ValueError:
            # What is cut off of an object is no JSON; anything else was never a row.
            if number < len(lines) or content.endswith(b"\n") or not line.startswith(b"{"):
                raise
            return rows, True
        for name in ("run", "step"):
            if type(row.get(name)) is not int:
                raise ValueError(
                    f"{path}: line {number}: {name} is {row.get(name)!r}, expected a whole number, as in each row of a "
                    f"results table"
                )
        rows.append(row)
    # A row whose newline is missing was cut off too: what is appended next would stand on its line.
    return rows, bool(content) and not content.endswith(b"\n")


def _lines(rows: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps({key: _plain(value) for key, value in row.items()}) + "\n" for row in rows)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
