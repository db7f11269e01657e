"""Where in training runs are compared: at the end, at equal epochs, at equal train loss.

Runs that train faster are further along at the same epoch, so that a difference between settings may be one of progress
alone; at equal train loss it is not. Each of the three is a selection of runs whose rows stop there, so that every
statistic that speaks of the last row, or of all rows up to it, can be taken at any of them.
"""

import dataclasses
import enum

import numpy as np
import pandas as pd
from jaxtyping import Float

from ncjax.claims.runs import TERMINAL_ERROR, Runs, finite_numbers, keep_runs

_SMALLEST_LOSS = 1e-12
# Batch sizes that do not divide the train split alike meet a checkpoint at slightly different epochs.
_SAME_EPOCH = 1.02


class When(enum.StrEnum):
    """Where in training runs are compared.

    Examples:
        >>> [str(when) for when in When]
        ['at the end', 'at equal epochs', 'at equal train loss']
    """

    END = "at the end"
    EPOCH = "at equal epochs"
    LOSS = "at equal train loss"


def cut_runs(runs: Runs, when: When, terminal: bool = True) -> Runs | None:
    """The runs with their rows cut off where they are compared, the last row being the state there.

    Equal epochs: the last epoch that every run reached. Equal train loss: the point where each run first reached the
    lowest train loss that every run reached. Runs of different workdirs, and losses of different kinds, are never
    compared, so each has a level of its own. Between two checkpoints a quantity that is positive throughout the run is
    taken as exponential in the logarithm of the loss (of the epoch), any other as linear.

    Args:
        runs: the selection.
        when: where to compare them.
        terminal: whether runs that are not in the terminal phase at that epoch are dropped. At equal train loss none
            is: the slowest run was in it.

    Returns:
        The selection itself if nothing is to be cut off, None if the table cannot tell.

    Examples:
        >>> from ncjax.claims.runs import select_runs
        >>> table = pd.DataFrame({"run": [0, 0, 1, 1], "step": [0, 9, 0, 9], "train/error": 0.0,
        ...                       "train/loss": [1.0, 0.1, 1.0, 0.01], "train/cdnv": [1.0, 0.5, 1.0, 0.25]})
        >>> cut_runs(select_runs(table), When.LOSS).values("train/cdnv").round(3).tolist()
        [0.5, 0.5]
    """
    if when is When.END:
        return runs
    column = "epoch" if when is When.EPOCH else "train/loss"
    if column not in runs.rows or runs.rows[column].isna().all():
        return None
    clocks = [_clock(rows, column) for _, rows in runs.rows.groupby("run")]
    # A run without a clock holds no other back.
    reached = [
        clock[~np.isnan(clock)].max(initial=-np.inf) if not np.isnan(clock).all() else np.inf for clock in clocks
    ]
    levels = _levels(runs, np.array(reached), when)
    tolerance = np.log(_SAME_EPOCH) if when is When.EPOCH else 0.0
    cut = [
        _cut(rows, clock, level, tolerance)
        for (_, rows), clock, level in zip(runs.rows.groupby("run"), clocks, levels, strict=True)
    ]
    if all(len(part) == len(rows) and part is rows for part, rows in cut):
        return runs
    rows = pd.concat([part for part, _ in cut], ignore_index=True)
    final = rows.groupby("run", as_index=False).tail(1).reset_index(drop=True)
    moved = dataclasses.replace(runs, rows=rows, final=final)
    if when is When.LOSS or not terminal or "train/error" not in final:
        return moved
    settled = finite_numbers(final["train/error"]) <= TERMINAL_ERROR
    unsettled = runs.left_out.unsettled + int((~settled).sum())
    return dataclasses.replace(
        keep_runs(moved, settled), left_out=dataclasses.replace(runs.left_out, unsettled=unsettled)
    )


def _clock(rows: pd.DataFrame, column: str) -> Float[np.ndarray, " t"]:
    """What a run advances along: the logarithm of its epoch, or of the inverse of its train loss."""
    values = finite_numbers(rows[column])
    if column == "epoch":
        return np.log(np.where(values > 0, values, 0.0), where=values > 0, out=np.full(len(values), -np.inf))
    return -np.log(np.maximum(values, _SMALLEST_LOSS))


def _levels(runs: Runs, reached: Float[np.ndarray, " runs"], when: When) -> Float[np.ndarray, " runs"]:
    """For each run, how far all runs that it is compared with have come."""
    held = [name for name in ("workdir", *(["loss"] if when is When.LOSS else [])) if name in runs.final]
    if not held:
        return np.full(len(reached), reached.min(initial=np.inf))
    keys = [runs.final[name].to_numpy() for name in held]
    return pd.Series(reached).groupby(keys, dropna=False).transform("min").to_numpy(dtype=np.float64)


def _cut(
    rows: pd.DataFrame, clock: Float[np.ndarray, " t"], level: float, tolerance: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A run's rows up to a level of its clock, and its rows."""
    there = np.flatnonzero(clock >= level - tolerance)
    after = int(there[0]) if len(there) else len(rows) - 1
    before = np.flatnonzero(np.isfinite(clock[:after]))
    if not len(before) or clock[after] <= level + tolerance:
        return (rows if after == len(rows) - 1 else rows.iloc[: after + 1]), rows
    last = int(before[-1])
    share = (level - clock[last]) / (clock[after] - clock[last])
    moving = [name for name in rows.columns if "/" in str(name) or name in ("epoch", "step")]
    values = rows[moving].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    early, late = values[last], values[after]
    positive = (values[: after + 1] > 0).all(axis=0)
    safe = np.where(positive, early, 1.0), np.where(positive, late, 1.0)
    between = (1 - share) * early + share * late
    geometric = np.exp((1 - share) * np.log(safe[0]) + share * np.log(safe[1]))
    state = rows.iloc[[after]].astype(dict.fromkeys(moving, float))
    state[moving] = np.where(positive, geometric, between)[None]
    kept = rows.iloc[: last + 1].astype(dict.fromkeys(moving, float))
    return pd.concat([kept, state]), rows
