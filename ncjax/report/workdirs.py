"""Reads what sweeps left in their workdirs."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd


def read_tables(workdirs: Sequence[Path]) -> pd.DataFrame:
    """Reads the results of one or more workdirs into one table.

    Args:
        workdirs: directories of sweeps.

    Returns:
        The rows of all; with more than one workdir a column ``workdir`` tells them apart.

    Raises:
        FileNotFoundError: if a workdir or its results are not there.
        ValueError: if a results table is empty or damaged.

    Example:
        >>> read_tables([Path("no/such/sweep")])
        Traceback (most recent call last):
        FileNotFoundError: --workdir: no/such/sweep is no directory; expected one written by experiments.sweep
    """
    # Imported late: the sweep brings JAX with it, which claims and figures do without.
    from ncjax.sweep.results import read_table

    tables = []
    for workdir in workdirs:
        if not workdir.is_dir():
            raise FileNotFoundError(f"--workdir: {workdir} is no directory; expected one written by experiments.sweep")
        table = read_table(workdir / "results.jsonl")
        tables.append(table if len(workdirs) == 1 else table.assign(workdir=str(workdir)))
    return pd.concat(tables, ignore_index=True)


def read_descriptions(workdirs: Sequence[Path], name: str) -> dict[str, Any]:
    """Reads a JSON file of each workdir; one that is missing or damaged is left out with a warning.

    Args:
        workdirs: directories of sweeps.
        name: of the file.

    Returns:
        Its content; with more than one workdir a dict of contents by workdir.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = (Path(folder) / "config.json").write_text('{"seed": 1}')
        ...     read_descriptions([Path(folder)], "config.json")
        {'seed': 1}
    """
    found: dict[str, Any] = {}
    for workdir in workdirs:
        path = workdir / name
        try:
            found[str(workdir)] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            warnings.warn(f"{path} is missing: the report is written without it", stacklevel=2)
        except json.JSONDecodeError as error:
            warnings.warn(f"{path} is not JSON ({error.msg}): the report is written without it", stacklevel=2)
    return found if len(workdirs) > 1 else next(iter(found.values()), {})
