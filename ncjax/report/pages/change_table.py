"""What training changed: every measure before the first step, at the end, and the second over the first."""

import numpy as np
import pandas as pd

from ncjax.claims import final_rows, number_runs
from ncjax.report.figures.rivals import measure_name
from ncjax.report.pages.run_table import number_text
from ncjax.report.pages.tables import Cell, Column, Table
from ncjax.results import find_column
from ncjax.results.columns import SPLITS

# Beside what measures collapse: the rest of what a reader looks for first.
_ALSO = ("loss", "error", "geometric_complexity", "effective_rank")


def change_table(table: pd.DataFrame) -> Table | None:
    """Measures at initialisation and at the end of training, and their ratio, over the runs that were not lost.

    Args:
        table: the results table.

    Returns:
        A row a measure with medians over runs, and of the ratio its range; None where no run was measured before
        training and after it.

    Examples:
        >>> table = pd.DataFrame({"run": [0, 0], "step": [0, 9], "train/cdnv": [2.0, 0.5]})
        >>> change_table(table).lines()[1].split()
        ['train:', 'CDNV', '2', '0.5', '0.25', '[0.25,', '0.25]']
    """
    rows, final = number_runs(table), final_rows(table)
    kept = final.loc[(final["lost"] == "") & (final["step"] > 0), "run"]
    first = rows[(rows["step"] == 0) & rows["run"].isin(kept)].set_index("run")
    last = final.set_index("run").loc[first.index]
    shown = sorted(
        filter(_is_shown, map(str, table.columns)), key=lambda column: SPLITS.index(column.partition("/")[0])
    )
    found = [_row(column, first[column], last[column]) for column in shown]
    columns = (
        Column("measure", width=40), Column("at initialisation", True, 17), Column("at the end", True, 10),
        Column("end over start, and range over runs", True, 35),
    )  # fmt: skip
    known = [row for row in found if row is not None]
    return Table(columns, known) if known else None


def _is_shown(column: str) -> bool:
    split, _, name = column.partition("/")
    if split not in SPLITS or "/" in name:
        return False
    return name in _ALSO or bool(find_column(column).collapse)


def _row(column: str, first: "pd.Series[float]", last: "pd.Series[float]") -> tuple[Cell, ...] | None:
    start, end = (pd.to_numeric(each, errors="coerce").to_numpy(float, na_value=np.nan) for each in (first, last))
    known = np.isfinite(start) & np.isfinite(end) & (start > 0)
    if not known.any():
        return None
    start, end = start[known], end[known]
    ratio = end / start
    texts = [number_text(float(value)) for value in (np.median(start), np.median(end), np.median(ratio))]
    span = f"[{number_text(float(ratio.min()))}, {number_text(float(ratio.max()))}]"
    return Cell(measure_name(column)), Cell(texts[0]), Cell(texts[1]), Cell(f"{texts[2]} {span}")
