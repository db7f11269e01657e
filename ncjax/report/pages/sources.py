"""Reads what sweeps left in their workdirs."""

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ncjax.paths import StrPath

_END = 0.98


def read_tables(workdirs: Sequence[StrPath]) -> pd.DataFrame:
    """Reads the results of one or more workdirs into one table.

    Args:
        workdirs: directories of sweeps.

    Returns:
        The rows of all; with more than one workdir a column ``workdir`` tells them apart.

    Raises:
        FileNotFoundError: if a workdir or its results are not there.
        ValueError: if a results table is empty or damaged.

    Examples:
        >>> read_tables([Path("no/such/sweep")])
        Traceback (most recent call last):
        FileNotFoundError: --workdir: no/such/sweep is no directory; expected one written by experiments.sweep
    """
    # Imported late: the sweep brings JAX with it, which claims and figures do without.
    from ncjax.results.rows import read_table

    tables = []
    for workdir in map(Path, workdirs):
        if not workdir.is_dir():
            raise FileNotFoundError(f"--workdir: {workdir} is no directory; expected one written by experiments.sweep")
        table = read_table(workdir / "results.jsonl")
        tables.append(table if len(workdirs) == 1 else table.assign(workdir=str(workdir)))
    return pd.concat(tables, ignore_index=True)


@dataclasses.dataclass(frozen=True)
class SweepState:
    """How far a sweep is and what it cost.

    Attributes:
        name: of its workdir.
        runs: that it is to hold.
        ended: how many of them have been measured at the last epoch.
        seconds: of wall time so far, NaN while it has never come to an end.

    Examples:
        >>> SweepState("quickstart", 12, 12, 161.0).sentence()
        'quickstart: all 12 runs measured to the end, 161 s of wall time.'
    """

    name: str
    runs: int
    ended: int
    seconds: float = math.nan

    @property
    def finished(self) -> bool:
        """Whether every run has been measured at the last epoch."""
        return self.ended >= self.runs

    def sentence(self) -> str:
        """The state in words."""
        time = f", {self.seconds:.0f} s of wall time" if math.isfinite(self.seconds) else ""
        if self.finished:
            return f"{self.name}: all {self.runs} runs measured to the end{time}."
        return f"{self.name}: unfinished, {self.ended} of {self.runs} runs measured to the end so far{time}."


def read_states(workdirs: Sequence[StrPath], table: pd.DataFrame) -> list[SweepState]:
    """Finds out how far sweeps are.

    Args:
        workdirs: directories of sweeps; one without a list of runs is left out.
        table: their results, as `read_tables` gives them.

    Returns:
        A state for each.
    """
    from ncjax.files import read_object
    from ncjax.sweep import Workdir

    states = []
    for workdir in map(Path, workdirs):
        ledger = Workdir(workdir).ledger()
        if ledger is None:
            continue
        own = table[table["workdir"] == str(workdir)] if "workdir" in table else table
        # An epoch is a whole number of steps, which may fall a little short of it.
        ended = int((own.groupby("run")["epoch"].max() >= _END * ledger.epochs[-1]).sum())
        summary = workdir / "summary.json"
        seconds = read_object(summary).get("seconds") if summary.is_file() else math.nan
        if not isinstance(seconds, int | float):
            raise ValueError(f"{summary}: seconds is {seconds!r}, expected a number")
        states.append(SweepState(workdir.name or str(workdir), len(ledger.runs), ended, float(seconds)))
    return states


def read_descriptions(workdirs: Sequence[StrPath], name: str) -> dict[str, Any]:
    """Reads a JSON file of each workdir; one that is missing or damaged is left out with a warning.

    Args:
        workdirs: directories of sweeps.
        name: of the file.

    Returns:
        Its content; with more than one workdir a dict of contents by workdir.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "config.json").write_text('{"seed": 1}')
        ...     read_descriptions([Path(folder)], "config.json")
        {'seed': 1}
    """
    from ncjax.files import read_object

    found: dict[str, Any] = {}
    for workdir in map(Path, workdirs):
        path = workdir / name
        try:
            found[str(workdir)] = read_object(path)
        except FileNotFoundError:
            warnings.warn(f"{path} is missing: the report is written without it", stacklevel=2)
        except ValueError as error:
            warnings.warn(f"{error}: the report is written without it", stacklevel=2)
    return found if len(workdirs) > 1 else next(iter(found.values()), {})
