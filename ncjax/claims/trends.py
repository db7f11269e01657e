"""Numbers of single runs over training: changes, orders over time, slopes late in training."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from jaxtyping import Float

from ncjax.claims.runs import TERMINAL_ERROR, Runs, finite_numbers
from ncjax.claims.statistics import spearman
from ncjax.claims.verdict import MIN_UNITS


def log_of(values: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """Logarithm of what is positive.

    Args:
        values: any numbers.

    Returns:
        Their logarithms; NaN for those that are not positive.

    Examples:
        >>> log_of(np.array([1.0, 0.0])).tolist()
        [0.0, nan]
    """
    return np.log(np.where(values > 0, values, np.nan))


def late_slopes(runs: Runs, column: str) -> Float[np.ndarray, " runs"]:
    """Slope of a positive quantity's logarithm against log epoch, over the later half of training on the log scale.

    The later half are epochs from the geometric mean of the first positive and the last one.

    Args:
        runs: the runs; their rows need ``epoch``.
        column: the quantity's name in the results table.

    Returns:
        One slope a run: -1 means that doubling the epochs halves the quantity; NaN where fewer than two checkpoints
        qualify.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(5), "epoch": [0, 1, 2, 4, 8], "train/error": 0.0,
        ...                       "a/x": [9, 8, 4, 2, 1]})
        >>> late_slopes(select_runs(table), "a/x").round(6).tolist()
        [-1.0]
    """
    return _each(runs, lambda rows: _late_slope(rows, column))


def orders_over_time(runs: Runs, first: str, second: str) -> Float[np.ndarray, " runs"]:
    """Spearman's rho between two quantities over a run's checkpoints, the one before training left out.

    Args:
        runs: the runs.
        first: a column.
        second: another.

    Returns:
        One number a run; NaN with fewer than `MIN_UNITS` checkpoints.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(6), "train/error": 0.0, "a/x": range(6),
        ...                       "a/y": [9, 8, 4, 2, 1, 0]})
        >>> orders_over_time(select_runs(table), "a/x", "a/y").tolist()
        [-1.0]
    """

    def order(rows: pd.DataFrame) -> float:
        x, y = (finite_numbers(rows[name][rows["step"] > 0]) for name in (first, second))
        known = np.isfinite(x) & np.isfinite(y)
        return float(spearman(x[known], y[known])[0]) if known.sum() >= MIN_UNITS else float("nan")

    return _each(runs, order)


def changes_since_settling(runs: Runs, column: str, logarithm: bool = False) -> Float[np.ndarray, " runs"]:
    """Change of a quantity from the first checkpoint in the terminal phase to the last.

    Args:
        runs: the runs; their rows need ``train/error``.
        column: the quantity.
        logarithm: whether the change is one of its logarithm.

    Returns:
        One number a run; NaN where the first is the last.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(3), "train/error": [0.5, 0.05, 0.0], "a/x": [1, 5, 3]})
        >>> changes_since_settling(select_runs(table), "a/x").tolist()
        [-2.0]
    """

    def change(rows: pd.DataFrame) -> float:
        settled = np.flatnonzero(finite_numbers(rows["train/error"]) <= TERMINAL_ERROR)
        if not len(settled) or settled[0] == len(rows) - 1:
            return float("nan")
        values = finite_numbers(rows[column])
        values = log_of(values) if logarithm else values
        return float(values[-1] - values[settled[0]])

    return _each(runs, change)


def means_along_path(runs: Runs, column: str) -> Float[np.ndarray, " runs"]:
    """Mean of a quantity over epochs from the first checkpoint to the last, by the trapezoidal rule.

    Args:
        runs: the runs; their rows need ``epoch``.
        column: the quantity.

    Returns:
        One number a run; NaN with fewer than two checkpoints.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(3), "epoch": [0.0, 1.0, 3.0], "train/error": 0.0,
        ...                       "a/x": [2.0, 0.0, 0.0]})
        >>> means_along_path(select_runs(table), "a/x").round(4).tolist()
        [0.3333]
    """

    def mean(rows: pd.DataFrame) -> float:
        epoch, values = finite_numbers(rows["epoch"]), finite_numbers(rows[column])
        if len(rows) < 2 or epoch[-1] <= epoch[0]:
            return float("nan")
        return float(np.trapezoid(values, epoch) / (epoch[-1] - epoch[0]))

    return _each(runs, mean)


def first_values(runs: Runs, column: str) -> Float[np.ndarray, " runs"]:
    """A quantity at each run's first checkpoint.

    Args:
        runs: the runs.
        column: the quantity.

    Returns:
        One number a run.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": 0, "step": range(2), "train/error": 0.0, "a/x": [1.0, 5.0]})
        >>> first_values(select_runs(table), "a/x").tolist()
        [1.0]
    """
    return finite_numbers(runs.rows.groupby("run").head(1)[column])


def _each(runs: Runs, number: Callable[[pd.DataFrame], float]) -> Float[np.ndarray, " runs"]:
    return np.array([number(rows) for _, rows in runs.rows.groupby("run")], dtype=np.float64)


def _late_slope(rows: pd.DataFrame, column: str) -> float:
    epoch, values = finite_numbers(rows["epoch"]), log_of(finite_numbers(rows[column]))
    positive = epoch[epoch > 0]
    if not len(positive):
        return float("nan")
    late = (epoch >= np.sqrt(positive.min() * positive.max())) & np.isfinite(values)
    if late.sum() < 2:
        return float("nan")
    time = np.log(epoch[late]) - np.log(epoch[late]).mean()
    return float(time @ values[late] / (time @ time)) if (time @ time) > 0 else float("nan")
