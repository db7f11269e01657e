"""Lists the runs of a sweep as they are at their last checkpoint, and picks some of them.

python -m experiments.runs --workdir=DIR [--where='learning_rate>0.02'] [--sort=target/accuracy_5shot] [--csv=OUT]

A condition is COLUMN, one of < <= > >= = !=, and a value; several --where must all hold. --sort=COLUMN puts the
smallest value first, --sort=-COLUMN the largest. The terminal shows what differs between the runs and a few measures;
the file of --csv holds every column.
"""

import difflib
import operator
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.result import check_writable

if TYPE_CHECKING:
    import pandas as pd

WORKDIR = flags.DEFINE_string("workdir", None, "Directory or URL of a sweep.", **launch.SHARED)
WHERE = flags.DEFINE_multi_string("where", [], "Condition on a column, e.g. learning_rate>0.02; may be repeated.")
SORT = flags.DEFINE_string("sort", None, "Column to sort by; -COLUMN puts the largest value first.")
CSV = flags.DEFINE_string("csv", None, "File to write all columns of the picked runs to.", **launch.SHARED)
flags.mark_flag_as_required("workdir")

_SHOWN = ("test/error", "train/cdnv", "train/geometric_complexity", "target/accuracy_5shot")
_COMPARISONS = {
    "<=": operator.le,
    ">=": operator.ge,
    "!=": operator.ne,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
}
_CONDITION = re.compile(r"\s*(?P<column>[\w/.-]+)\s*(?P<sign><=|>=|!=|==|<|>|=)\s*(?P<value>\S.*?)\s*")


def main() -> None:
    """Prints the runs that the flags pick, and writes them if asked."""
    from ncjax.results import read_table
    from ncjax.sweep.launch import bucket_copies as cloud

    check_writable(csv=CSV.value)
    with cloud.reading(str(WORKDIR.value)) as workdir:
        table = read_table(workdir)
    last = table.groupby("run", as_index=False).tail(1).reset_index(drop=True)
    conditions, by = list(WHERE.value or ()), str(SORT.value or "")
    picked = pick(last, conditions, by)
    asked = [_parsed(condition)[0] for condition in conditions] + ([by.removeprefix("-")] if by else [])
    columns = dict.fromkeys(("run", "step", *_varying(last), *asked, *_SHOWN))
    shown = picked[[name for name in columns if name in picked]]
    print(shown.to_string(index=False, na_rep="-", float_format="{:.4g}".format) if len(shown) else "no run")
    print(f"{len(picked)} of {len(last)} runs")
    if CSV.value:
        picked.to_csv(Path(CSV.value), index=False)
        print(CSV.value)


def pick(table: "pd.DataFrame", conditions: Iterable[str], sort: str = "") -> "pd.DataFrame":
    """Rows of a table that meet all conditions.

    Args:
        table: with a row for each run.
        conditions: each a column, a sign of comparison and a value.
        sort: column to sort by; after a minus the largest value comes first. Missing values come last.

    Returns:
        The rows.

    Raises:
        ValueError: if a condition is none, or there is no such column.

    Examples:
        >>> import pandas as pd
        >>> table = pd.DataFrame({"run": [0, 1, 2], "l2": [0.0, 0.1, 0.2]})
        >>> pick(table, ["l2>0", "l2 != 0.2"])["run"].tolist(), pick(table, [], "-l2")["run"].tolist()
        ([1], [2, 1, 0])
    """
    for condition in conditions:
        column, sign, value = _parsed(condition)
        _there("--where", column, table.columns)
        table = table[_COMPARISONS[sign](table[column], _typed(condition, table[column], value))]
    if sort:
        column = sort.removeprefix("-")
        _there("--sort", column, table.columns)
        table = table.sort_values(column, ascending=not sort.startswith("-"), kind="stable")
    return table


def _there(flag: str, column: str, columns: Iterable[str]) -> None:
    """Refuses a column that the runs do not have: the nearest few are named, as there may be a hundred."""
    names = [str(name) for name in columns]
    if column in names:
        return
    reason = ""
    if column.startswith("target/") and not any(name.startswith("target/") for name in names):
        reason = " (their data set has no target classes)"
    nearest = ", ".join(difflib.get_close_matches(column, names, n=3, cutoff=0.5))
    suggestion = f"the nearest are {nearest}; " if nearest else ""
    raise ValueError(
        f"{flag}: got {column!r}, a column that these runs do not have{reason}; {suggestion}--csv=OUT writes all "
        f"{len(names)}, and docs/columns.md says what each is"
    )


def _parsed(condition: str) -> tuple[str, str, str]:
    found = _CONDITION.fullmatch(condition)
    if found is None:
        raise ValueError(f"--where: got {condition!r}, expected COLUMN, one of < <= > >= = != and a value: l2>=0.001")
    return found["column"], found["sign"], found["value"]


def _typed(condition: str, column: "pd.Series[Any]", value: str) -> Any:
    """The value in the type of the column that it is compared with."""
    text = value.strip("'\"")
    if column.dtype == bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"--where: got {condition!r}, expected True or False, as {column.name} holds")
        return text.lower() == "true"
    if column.dtype.kind not in "iuf":
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--where: got {condition!r}, expected a number, as {column.name} holds") from None


def _varying(table: "pd.DataFrame") -> list[str]:
    """Hyper-parameters in which the runs differ."""
    names = [name for name in table.columns.astype(str) if "/" not in name and name not in ("run", "step", "epoch")]
    return [name for name in names if table[name].astype(str).nunique() > 1]


def start() -> None:
    """Runs the command."""
    launch.run(main, devices=False)
