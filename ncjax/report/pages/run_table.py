"""The runs of a sweep with their final values, as a table."""

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ncjax.claims import LOST, TERMINAL_ERROR, axis_name, final_rows, hyperparameters

FINAL_COLUMNS = {
    "train/loss": "train loss",
    "train/error": "train error",
    "test/error": "test error",
    "train/geometric_complexity": "GC",
    "train/geometric_collapse_tight": "geometric collapse",
    "train/cdnv": "train CDNV",
    "test/cdnv": "test CDNV",
    "train/variance_ratio": "train variance ratio",
    "test/variance_ratio": "test variance ratio",
    "target/cdnv": "target CDNV",
    "target/accuracy_1shot": "1-shot accuracy",
    "target/accuracy_5shot": "5-shot accuracy",
}
_NEITHER = ("train/geometric_complexity",)
# 1 where less is better, -1 where more is.
_BETTER = {name: -1 if "accuracy" in column else 1 for column, name in FINAL_COLUMNS.items() if column not in _NEITHER}
# Other hyper-parameters stand in the table of runs where they vary.
ALWAYS_SHOWN = ("learning_rate", "batch_size", "l2", "model", "seed")


def run_table(table: pd.DataFrame) -> tuple[list[str], list[list[Any]]]:
    """The grid of runs with their final values.

    Args:
        table: the results table.

    Returns:
        Column names, and one row a run: run, hyper-parameters, how it ended, last epoch, final values (None where there
        is none).

    Examples:
        >>> run_table(pd.DataFrame({"run": [4], "step": [9], "epoch": [1.0], "l2": [0.1], "train/error": [0.5]}))
        (['run', 'L2', 'ended', 'epoch', 'train error'], [[4, 0.1, 'not terminal', 1.0, 0.5]])
    """
    final = final_rows(table)
    # final_rows numbers runs over all workdirs; a reader looks for the numbers of the results file.
    place = ["workdir", "run"] if "workdir" in table else ["run"]
    own = table[place].drop_duplicates().sort_values(place, ignore_index=True)
    swept = [name for name in hyperparameters(final) if name in ALWAYS_SHOWN or final[name].nunique(dropna=False) > 1]
    measured = [name for name in FINAL_COLUMNS if name in final]
    error = final["train/error"] if "train/error" in final else pd.Series(np.nan, final.index)
    ended = np.where(error <= TERMINAL_ERROR, "terminal", "not terminal")
    ended = np.where(final["lost"] == "", ended, final["lost"].map(LOST))
    shown = own.assign(**{name: final[name] for name in swept}, ended=ended)
    epoch = ["epoch"] if "epoch" in final else []
    shown = shown.assign(**{name: final[name] for name in [*epoch, *measured]})
    names = [*place, *map(axis_name, swept), "ended", *epoch, *(FINAL_COLUMNS[name] for name in measured)]
    return names, [[_plain(value) for value in row] for row in shown.itertuples(index=False, name=None)]


class RunRows(NamedTuple):
    """The table of runs as a page shows it.

    Attributes:
        columns: headings of the columns that vary, the run's number first.
        rows: values, one row a run.
        best: of each row the places of the columns in which no other run is better.
        same: headings and values of the columns in which all runs agree.

    Examples:
        >>> RunRows(["run"], [[0]], [set()], [("seed", 0)]).same
        [('seed', 0)]
    """

    columns: list[str]
    rows: list[list[Any]]
    best: list[set[int]]
    same: list[tuple[str, Any]]


def varying_columns(names: list[str], rows: list[list[Any]]) -> RunRows:
    """Sets the columns in which all runs agree apart, and finds the best run of each of the others.

    The best has the lowest loss, error or measure of collapse, or the highest accuracy. Nothing is best in a column
    of which less is neither better nor more collapsed, nor in one where several runs share the best value.

    Args:
        names: as `run_table` returns them.
        rows: as `run_table` returns them.

    Returns:
        What to show.

    Examples:
        >>> varying_columns(["run", "seed", "test error"], [[0, 7, 0.2], [1, 7, 0.1]])
        RunRows(columns=['run', 'test error'], rows=[[0, 0.2], [1, 0.1]], best=[set(), {1}], same=[('seed', 7)])
    """
    kept = [
        place
        for place, name in enumerate(names)
        if name in ("run", "workdir") or len(rows) == 1 or len({row[place] for row in rows}) > 1
    ]
    shown = [[row[place] for place in kept] for row in rows]
    best: list[set[int]] = [set() for _ in rows]
    for place, name in enumerate(names[place] for place in kept):
        sign = _BETTER.get(name)
        known = [(row[place], number) for number, row in enumerate(shown) if row[place] is not None]
        if sign is None or len(known) < 2:
            continue
        values = sorted(known, key=lambda pair: sign * pair[0])
        if values[0][0] != values[1][0]:
            best[values[0][1]].add(place)
    same = [(name, rows[0][place]) for place, name in enumerate(names) if place not in kept]
    return RunRows([names[place] for place in kept], shown, best, same)


def number_text(value: Any) -> str:
    """A value as short text: four significant digits, a dash for nothing.

    Args:
        value: a number, a name or None.

    Returns:
        Text.

    Examples:
        >>> number_text(0.0000123456), number_text(12), number_text(None), number_text("terminal")
        ('1.235e-5', '12', '–', 'terminal')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if not isinstance(value, float):
        return str(value)
    text = f"{value:.4g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
