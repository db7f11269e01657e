"""Checkpoints of several runs put on one time axis."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ncjax.claims import number_runs, sweep_axes

_SAME_EPOCH = 1.06


def drawn_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Every checkpoint of the runs that did not diverge, at epochs that they share.

    Runs of different batch sizes meet a checkpoint at slightly different epochs: epochs within 6% of their neighbour
    become one.

    Args:
        table: the results table.

    Returns:
        Rows ordered by run and step.

    Example:
        >>> table = pd.DataFrame({"run": [0, 1, 2], "step": 9, "epoch": [1.0, 1.02, 9.0],
        ...                       "diverged": [False, False, True]})
        >>> drawn_rows(table)["epoch"].tolist()
        [1.01, 1.01]
    """
    rows = number_runs(table)
    rows = rows[~rows.groupby("run")["diverged"].transform("any")]
    epochs = np.unique(rows["epoch"].to_numpy(dtype=np.float64))
    if not len(epochs):
        return rows
    cluster = np.cumsum(np.concatenate([[0], epochs[1:] > _SAME_EPOCH * epochs[:-1]]))
    shared = np.bincount(cluster, epochs) / np.bincount(cluster)
    return rows.assign(epoch=rows["epoch"].map(dict(zip(epochs, shared[cluster], strict=True))))


def geometric_mean(rows: pd.DataFrame, column: str) -> pd.Series:
    """Geometric mean of a positive quantity at each epoch.

    Args:
        rows: checkpoints of several runs.
        column: the quantity.

    Returns:
        Indexed by epoch; values that are not positive take no part.

    Example:
        >>> rows = pd.DataFrame({"epoch": [1.0, 1.0], "x": [1.0, 4.0]})
        >>> geometric_mean(rows, "x").round(6).to_dict()
        {1.0: 2.0}
    """
    positive = rows[rows[column] > 0]
    logs = pd.Series(np.log(positive[column].to_numpy(dtype=np.float64)), index=positive.index)
    means = logs.groupby(positive["epoch"]).mean()
    return pd.Series(np.exp(means.to_numpy()), index=means.index)


def value_groups(rows: pd.DataFrame, axis: str | None) -> list[tuple[Any, pd.DataFrame]]:
    """Splits rows by the value of a hyper-parameter.

    Args:
        rows: checkpoints.
        axis: the hyper-parameter; None leaves one group.

    Returns:
        Pairs of value and rows, by rising value.

    Example:
        >>> [value for value, _ in value_groups(pd.DataFrame({"l2": [0.1, 0.0]}), "l2")]
        [0.0, 0.1]
    """
    return [("all runs", rows)] if axis is None else list(rows.groupby(axis))


def excluded_sentence(table: pd.DataFrame) -> str:
    """How many runs a figure through time shows, in words for its caption.

    Args:
        table: the results table.

    Returns:
        Words without a full stop.

    Example:
        >>> excluded_sentence(pd.DataFrame({"run": [0, 1], "step": 1, "epoch": 1.0, "diverged": [False, True]}))
        '1 run (1 diverged and left out)'
    """
    count = drawn_rows(table)["run"].nunique()
    lost = number_runs(table)["run"].nunique() - count
    return f"{count} run{'s' * (count != 1)} ({lost} diverged and left out)"


def first_axis(rows: pd.DataFrame) -> str | None:
    """The first hyper-parameter that varies, by which curves are coloured; the learning rate if it does.

    Args:
        rows: checkpoints.

    Returns:
        Its column, or None if none varies.

    Example:
        >>> first_axis(pd.DataFrame({"l2": [0.0, 0.1], "learning_rate": [0.1, 0.2]}))
        'learning_rate'
    """
    axes = sweep_axes(rows)
    return "learning_rate" if "learning_rate" in axes else next(iter(axes), None)


def lone_marker(rows: pd.DataFrame) -> str:
    """The marker of a curve: none, unless a single checkpoint makes a point of it.

    Args:
        rows: checkpoints.

    Returns:
        A matplotlib marker.

    Example:
        >>> lone_marker(pd.DataFrame({"epoch": [0.0, 0.0]})), lone_marker(pd.DataFrame({"epoch": [0.0, 1.0]}))
        ('o', '')
    """
    return "o" if rows["epoch"].nunique() == 1 else ""


def shared_map(rows: pd.DataFrame, columns: list[str]) -> tuple[list[float], Float[np.ndarray, "columns epochs"]]:
    """Geometric means over runs of several quantities, at the epochs at which every run was measured.

    Args:
        rows: checkpoints.
        columns: the quantities.

    Returns:
        The epochs, and the means [columns, epochs].

    Example:
        >>> shared_map(pd.DataFrame({"run": [0, 1], "epoch": 1.0, "x": [1.0, 4.0]}), ["x"])
        ([1.0], array([[2.]]))
    """
    counts = rows.groupby("epoch")["run"].nunique()
    epochs = [float(epoch) for epoch in counts.index[counts == rows["run"].nunique()]]
    means = [geometric_mean(rows, column).reindex(epochs) for column in columns]
    return epochs, np.array(means, dtype=np.float64).reshape(len(columns), len(epochs))
