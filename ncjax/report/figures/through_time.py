"""Checkpoints of several runs put on one time axis."""

import itertools
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from ncjax.claims import count_lost, final_rows, lost_runs, number_runs, sweep_axes

SHARED_EPOCH = "epoch/shared"
"""Column of the epoch at which checkpoints of several runs are compared; its stroke tells it from what is swept."""

_SAME_EPOCH = 1.06


def drawn_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Every checkpoint of the runs that were not lost, with the epoch that it shares with other runs' checkpoints.

    Runs of different batch sizes meet a checkpoint at slightly different epochs. The closest are joined first, as long
    as none that are joined differ by more than 6%; two checkpoints of one run never are.

    Args:
        table: the results table.

    Returns:
        Rows ordered by run and step; `SHARED_EPOCH` is the mean of the epochs joined, ``epoch`` the run's own.

    Examples:
        >>> table = pd.DataFrame({"run": [0, 1, 2], "step": 9, "epoch": [1.0, 1.02, 9.0],
        ...                       "diverged": [False, False, True]})
        >>> drawn_rows(table)[SHARED_EPOCH].tolist()
        [1.01, 1.01]
    """
    rows = number_runs(table)
    rows = rows[rows["run"].map(lost_runs(rows)) == ""]
    return rows.assign(**{SHARED_EPOCH: rows["epoch"].map(_shared_epochs(rows))})


def _shared_epochs(rows: pd.DataFrame) -> dict[float, float]:
    """By a run's own epoch, the one that it shares."""
    runs_of = rows.groupby("epoch")["run"].agg(set)
    groups = [([float(epoch)], own) for epoch, own in zip(runs_of.index.to_numpy(float), runs_of, strict=True)]

    def distance(first: tuple[list[float], set[int]], second: tuple[list[float], set[int]]) -> float:
        low, high = first[0][0], second[0][-1]
        return high / low if low > 0 and not first[1] & second[1] else np.inf

    distances = [distance(*pair) for pair in itertools.pairwise(groups)]
    while distances and min(distances) <= _SAME_EPOCH:
        place = distances.index(min(distances))
        (epochs, runs), (later, others) = groups[place : place + 2]
        groups[place : place + 2] = [(epochs + later, runs | others)]
        nearby = range(max(place - 1, 0), min(place + 1, len(groups) - 1))
        distances[max(place - 1, 0) : place + 2] = [distance(groups[i], groups[i + 1]) for i in nearby]
    return {epoch: sum(epochs) / len(epochs) for epochs, _ in groups for epoch in epochs}


def complete_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """The checkpoints at which every run was measured that was under way: a mean over some of them would zigzag.

    Args:
        rows: as `drawn_rows` returns them.

    Returns:
        Some of the rows.

    Examples:
        >>> rows = pd.DataFrame({"run": [0, 0, 0, 1, 1], SHARED_EPOCH: [1.0, 2.0, 4.0, 1.0, 4.0]})
        >>> complete_rows(rows)[SHARED_EPOCH].tolist()
        [1.0, 4.0, 1.0, 4.0]
    """
    epochs_of = rows.groupby("run")[SHARED_EPOCH]
    first, last = np.sort(epochs_of.min().to_numpy(float)), np.sort(epochs_of.max().to_numpy(float))
    measured = rows.groupby(SHARED_EPOCH)["run"].nunique()
    epochs = measured.index.to_numpy(float)
    under_way = np.searchsorted(first, epochs, "right") - np.searchsorted(last, epochs, "left")
    return rows[rows[SHARED_EPOCH].isin(epochs[measured.to_numpy() == under_way])]


def geometric_mean(rows: pd.DataFrame, column: str) -> pd.Series:
    """Geometric mean of a positive quantity at each epoch at which every run under way was measured.

    Args:
        rows: checkpoints of several runs, as `drawn_rows` returns them.
        column: the quantity.

    Returns:
        Indexed by shared epoch; values that are not positive take no part.

    Examples:
        >>> rows = pd.DataFrame({"run": [0, 1], SHARED_EPOCH: 1.0, "x": [1.0, 4.0]})
        >>> geometric_mean(rows, "x").round(6).to_dict()
        {1.0: 2.0}
    """
    rows = complete_rows(rows)
    positive = rows[rows[column] > 0]
    logs = pd.Series(np.log(positive[column].to_numpy(dtype=np.float64)), index=positive.index)
    means = logs.groupby(positive[SHARED_EPOCH]).mean()
    return pd.Series(np.exp(means.to_numpy()), index=means.index)


def shared_mean(rows: pd.DataFrame, column: str) -> pd.Series:
    """Mean of a quantity at each epoch at which every run under way was measured.

    Args:
        rows: checkpoints of several runs, as `drawn_rows` returns them.
        column: the quantity.

    Returns:
        Indexed by shared epoch; values that are not numbers take no part.

    Examples:
        >>> rows = pd.DataFrame({"run": [0, 1], SHARED_EPOCH: 1.0, "x": [0.0, 0.5]})
        >>> shared_mean(rows, "x").to_dict()
        {1.0: 0.25}
    """
    rows = complete_rows(rows)
    return rows[column].astype(float).groupby(rows[SHARED_EPOCH]).mean()


def value_groups(rows: pd.DataFrame, axis: str | None) -> list[tuple[Any, pd.DataFrame]]:
    """Splits rows by the value of a hyper-parameter.

    Args:
        rows: checkpoints.
        axis: the hyper-parameter; None leaves one group.

    Returns:
        Pairs of value and rows, by rising value.

    Examples:
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

    Examples:
        >>> excluded_sentence(pd.DataFrame({"run": [0, 1], "step": 1, "epoch": 1.0, "diverged": [False, True]}))
        '1 run (1 diverged and left out)'
    """
    final = final_rows(table)
    count = int((final["lost"] == "").sum())
    return f"{count} run{'s' * (count != 1)} ({count_lost(final['lost']).lost} and left out)"


def first_axis(rows: pd.DataFrame) -> str | None:
    """The first hyper-parameter that varies, by which curves are coloured; the learning rate if it does.

    Args:
        rows: checkpoints.

    Returns:
        Its column, or None if none varies.

    Examples:
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

    Examples:
        >>> lone_marker(pd.DataFrame({"epoch": [0.0, 0.0]})), lone_marker(pd.DataFrame({"epoch": [0.0, 1.0]}))
        ('o', '')
    """
    return "o" if rows["epoch"].nunique() == 1 else ""


def shared_map(rows: pd.DataFrame, columns: list[str]) -> tuple[list[float], Float[np.ndarray, "columns epochs"]]:
    """Geometric means over runs of several quantities, at the epochs at which every run under way was measured.

    Args:
        rows: checkpoints, as `drawn_rows` returns them.
        columns: the quantities.

    Returns:
        The epochs, and the means [columns, epochs].

    Examples:
        >>> shared_map(pd.DataFrame({"run": [0, 1], SHARED_EPOCH: 1.0, "x": [1.0, 4.0]}), ["x"])
        ([1.0], array([[2.]]))
    """
    epochs = [float(epoch) for epoch in np.unique(complete_rows(rows)[SHARED_EPOCH])]
    means = [geometric_mean(rows, column).reindex(epochs) for column in columns]
    return epochs, np.array(means, dtype=np.float64).reshape(len(columns), len(epochs))
