"""The runs that a claim may speak of: not lost on the way, trained into the terminal phase, one final row each."""

import dataclasses

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

TERMINAL_ERROR = 0.05
"""A run has reached the terminal phase, of which neural collapse speaks, when its final train error is at most this."""

EXPLODED = 1e9
"""A run whose geometric complexity on the train set ever passed this has blown up, wherever it ended."""

LOST = {
    "diverged": "diverged",
    "exploded": f"passed a geometric complexity of {EXPLODED:.0e}".replace("e+0", "e"),
    "collapsed": "collapsed to a point",
}
"""Why a run is lost to every claim and figure, in words."""

# A run that two rows of a figure share stands in the table once: neither row is a hyper-parameter.
_BOOKKEEPING = ("run", "step", "epoch", "diverged", "lost", "workdir", "sweep")


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """How many runs a claim does not speak of; each is counted once, by the first reason that holds.

    Attributes:
        diverged: those whose loss was ever infinite or not a number.
        exploded: those whose geometric complexity ever passed `EXPLODED`.
        collapsed: those whose train features all fell on one point, so that no class differs from another.
        unsettled: those whose final train error exceeds `TERMINAL_ERROR`, where the claim asks for the terminal phase.

    Examples:
        >>> LeftOut(diverged=1, collapsed=2).lost
        '1 diverged, 2 collapsed to a point'
        >>> LeftOut().lost
        '0 diverged'
    """

    diverged: int = 0
    exploded: int = 0
    collapsed: int = 0
    unsettled: int = 0

    @property
    def lost(self) -> str:
        """The runs that were lost on the way, in words."""
        counts = {words: getattr(self, reason) for reason, words in LOST.items()}
        return ", ".join(f"{count} {words}" for words, count in counts.items() if count) or "0 diverged"


@dataclasses.dataclass(frozen=True, eq=False)
class Runs:
    """Runs selected from a results table.

    Attributes:
        rows: every checkpoint of the selected runs, ordered by run and step; ``run`` is renumbered from 0.
        final: the last checkpoint of each run, in the order of ``run``.
        settings: number of each run's setting (all hyper-parameters but the seed), [runs].
        axes: numeric hyper-parameters that vary, the seed left out.
        left_out: how many runs were left out, and why.

    Examples:
        >>> table = pd.DataFrame({"run": [0, 0, 1], "step": [0, 9, 9], "learning_rate": [0.1, 0.1, 0.2],
        ...                       "train/error": [0.9, 0.0, 0.0]})
        >>> runs = select_runs(table)
        >>> len(runs.final), runs.axes
        (2, ('learning_rate',))
    """

    rows: pd.DataFrame
    final: pd.DataFrame
    settings: Int[np.ndarray, " runs"]
    axes: tuple[str, ...]
    left_out: LeftOut

    def strata(self, axis: str | None = None) -> Int[np.ndarray, " runs"]:
        """Numbers the groups of runs that may be compared with each other.

        Args:
            axis: the hyper-parameter that may differ within a group, beside the seed; None lets all numeric ones
                differ and holds only those that are names, such as the model.

        Returns:
            Group of each run, [runs]. Runs of different workdirs never share one.

        Examples:
            >>> table = pd.DataFrame({"run": [0, 1, 2], "step": 9, "learning_rate": [0.1, 0.2, 0.2],
            ...                       "l2": [0.0, 0.0, 0.1], "train/error": 0.0})
            >>> select_runs(table).strata("learning_rate").tolist()
            [0, 0, 1]
        """
        held = [
            name
            for name in hyperparameters(self.final)
            if name not in ("seed", axis) and (axis or not _is_number(self.final[name]))
        ]
        return _numbered(self.final, [*held, *(["workdir"] if "workdir" in self.final else [])])

    def values(self, column: str) -> Float[np.ndarray, " runs"]:
        """A column of the final checkpoints as floats.

        Args:
            column: its name in the results table.

        Returns:
            One number a run; NaN where it is missing or not finite.

        Examples:
            >>> table = pd.DataFrame({"run": [0, 1], "step": 9, "train/error": [0.0, 0.01]})
            >>> select_runs(table).values("train/error").tolist()
            [0.0, 0.01]
        """
        return finite_numbers(self.final[column])


def hyperparameters(table: pd.DataFrame) -> list[str]:
    """Names the swept hyper-parameters of a results table: columns that are neither measured nor bookkeeping.

    Args:
        table: the results table.

    Returns:
        Column names in the table's order, the seed among them.

    Examples:
        >>> hyperparameters(pd.DataFrame(columns=["run", "step", "diverged", "l2", "seed", "train/loss", "time/train"]))
        ['l2', 'seed']
    """
    return [str(name) for name in table.columns if "/" not in str(name) and name not in _BOOKKEEPING]


def sweep_axes(table: pd.DataFrame) -> tuple[str, ...]:
    """Names the numeric hyper-parameters that take more than one value, the seed left out.

    Args:
        table: the results table.

    Returns:
        Column names in the table's order.

    Examples:
        >>> sweep_axes(pd.DataFrame({"learning_rate": [0.1, 0.2], "l2": [0.0, 0.0], "seed": [0, 1]}))
        ('learning_rate',)
    """
    return tuple(
        name
        for name in hyperparameters(table)
        if name != "seed" and _is_number(table[name]) and table[name].nunique() > 1
    )


def number_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Orders a results table by run and step and makes ``run`` unique over workdirs.

    Args:
        table: the results table; a column ``workdir`` tells the runs of several sweeps apart.

    Returns:
        A copy with ``run`` renumbered from 0 and a boolean ``diverged``, the last of the rows kept that share run and
        step.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Examples:
        >>> table = pd.DataFrame({"workdir": ["a", "b"], "run": [0, 0], "step": [1, 1]})
        >>> number_runs(table)["run"].tolist()
        [0, 1]
    """
    for name in ("run", "step"):
        if name not in table:
            raise ValueError(f"the results table has no column {name!r}: every row must say its run and step")
    if table.empty:
        raise ValueError("the results table is empty: no run has reached a checkpoint yet")
    key = ["workdir", "run"] if "workdir" in table else ["run"]
    # A copy of many columns lies in memory as one block, to which pandas adds a column without complaint.
    rows = table.copy()
    rows["run"] = _numbered(table, key)
    # Null counts as not diverged: a row is only written while its run is still being measured.
    rows["diverged"] = rows["diverged"].eq(True) if "diverged" in rows else False
    return rows.drop_duplicates(["run", "step"], keep="last").sort_values(["run", "step"], ignore_index=True)


def lost_runs(rows: pd.DataFrame) -> pd.Series:
    """Why each run is lost to claims and figures: whatever it measured at the end says nothing about collapse.

    Args:
        rows: as `number_runs` returns them.

    Returns:
        Indexed by run: a key of `LOST`, the first that holds at any checkpoint, or an empty string.

    Examples:
        >>> table = pd.DataFrame({"run": [0, 1, 1], "step": [9, 0, 9], "train/geometric_complexity": [1.0, 1e12, 1.0]})
        >>> lost_runs(number_runs(table)).to_dict()
        {0: '', 1: 'exploded'}
    """
    exploded, collapsed = "train/geometric_complexity", "train/collapsed_to_a_point"
    hit = {
        "diverged": rows["diverged"],
        "exploded": pd.Series(finite_numbers(rows[exploded]) > EXPLODED) if exploded in rows else None,
        "collapsed": rows[collapsed].eq(True) if collapsed in rows else None,
    }
    runs = rows["run"].drop_duplicates().sort_values()
    lost = pd.Series("", index=pd.Index(runs, name="run"), dtype=object)
    for reason, rows_hit in reversed(hit.items()):
        if rows_hit is not None:
            lost[rows_hit.set_axis(rows.index).groupby(rows["run"]).any()] = reason
    return lost


def count_lost(lost: pd.Series) -> LeftOut:
    """Counts lost runs by what befell them.

    Args:
        lost: one entry a run, as `lost_runs` returns them.

    Returns:
        The counts.

    Examples:
        >>> count_lost(pd.Series(["", "collapsed", "collapsed"])).lost
        '2 collapsed to a point'
    """
    return LeftOut(**{reason: int((lost == reason).sum()) for reason in LOST})


def final_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The last checkpoint of each run, with what befell the run on its way.

    Args:
        table: the results table.

    Returns:
        One row a run, in the order of the renumbered ``run``; ``diverged`` is true if it ever diverged, ``lost`` says
        why claims and figures leave it out, as `lost_runs` does.

    Raises:
        ValueError: if the table is empty or lacks ``run`` or ``step``.

    Examples:
        >>> final_rows(pd.DataFrame({"run": [0, 0], "step": [0, 5], "diverged": [True, False]}))["diverged"].tolist()
        [True]
    """
    rows = number_runs(table)
    final = rows.groupby("run", as_index=False).tail(1).reset_index(drop=True)
    return final.assign(
        diverged=rows.groupby("run")["diverged"].any().to_numpy(), lost=lost_runs(rows).to_numpy(dtype=object)
    )


def select_runs(table: pd.DataFrame, terminal: bool = True) -> Runs:
    """Selects the runs that a claim may speak of, and counts the others.

    Args:
        table: the results table.
        terminal: whether the claim speaks of the terminal phase alone.

    Returns:
        The runs that were not lost and, if `terminal`, ended with a train error of at most `TERMINAL_ERROR`.

    Raises:
        ValueError: if the table is empty or lacks ``run``, ``step`` or ``train/error``.

    Examples:
        >>> table = pd.DataFrame({"run": [0, 1, 2], "step": 9, "diverged": [False, True, False],
        ...                       "train/error": [0.0, None, 0.7]})
        >>> runs = select_runs(table)
        >>> len(runs.final), runs.left_out.diverged, runs.left_out.unsettled
        (1, 1, 1)
    """
    if "train/error" not in table:
        raise ValueError(
            "the results table has no column 'train/error': it tells which runs reached the terminal phase"
        )
    rows, final = number_runs(table), final_rows(table)
    lost = final.pop("lost")
    settled = (finite_numbers(final["train/error"]) <= TERMINAL_ERROR) | (not terminal)
    kept = (lost == "").to_numpy() & settled
    final = final[kept].reset_index(drop=True)
    rows = rows[rows["run"].map(dict(enumerate(kept)))].reset_index(drop=True)
    renumbered = {run: number for number, run in enumerate(final["run"])}
    final, rows = (part.assign(run=part["run"].map(renumbered)) for part in (final, rows))
    setting = [name for name in hyperparameters(final) if name != "seed"] + [
        name for name in ("workdir",) if name in final
    ]
    return Runs(
        rows,
        final,
        _numbered(final, setting),
        sweep_axes(final),
        dataclasses.replace(count_lost(lost), unsettled=int(((lost == "") & ~settled).sum())),
    )


def keep_runs(runs: Runs, kept: Bool[np.ndarray, " runs"]) -> Runs:
    """Keeps some of the selected runs.

    Args:
        runs: the selection.
        kept: which of its runs stay.

    Returns:
        A smaller selection; rows and final rows keep their run numbers, settings are numbered anew without gaps.

    Examples:
        >>> runs = select_runs(pd.DataFrame({"run": [0, 1], "step": 9, "l2": [0.0, 0.1], "train/error": 0.0}))
        >>> keep_runs(runs, np.array([False, True])).settings.tolist()
        [0]
    """
    final = runs.final[kept].reset_index(drop=True)
    rows = runs.rows[runs.rows["run"].isin(final["run"])].reset_index(drop=True)
    settings = np.unique(runs.settings[kept], return_inverse=True)[1].astype(np.int64)
    return dataclasses.replace(runs, rows=rows, final=final, settings=settings)


def _is_number(column: pd.Series) -> bool:
    """Whether a hyper-parameter is a number, which a choice between False and True is not."""
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _numbered(table: pd.DataFrame, columns: list[str]) -> Int[np.ndarray, " rows"]:
    if not columns:
        return np.zeros(len(table), dtype=np.int64)
    return table.groupby(columns, dropna=False, sort=True).ngroup().to_numpy(dtype=np.int64)


def finite_numbers(column: pd.Series) -> Float[np.ndarray, " rows"]:
    """A column as floats.

    Args:
        column: numbers, or what stands for them.

    Returns:
        One number a row; NaN where it is missing or not finite.

    Examples:
        >>> finite_numbers(pd.Series([1, None, float("inf")])).tolist()
        [1.0, nan, nan]
    """
    values = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)
