"""The runs of a sweep with their final values, as a table."""

import math
from typing import Any

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
