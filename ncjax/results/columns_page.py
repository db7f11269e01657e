"""Writes the list of columns as a page: ``python -m ncjax.results.columns_page [FILE]``, by default docs/columns.md."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ncjax.files import replace_text
from ncjax.results.columns import COLUMNS, PLACEHOLDERS, Column

DEFAULT = Path("docs") / "columns.md"

_HEAD = """# Columns of the results table

A row of `results.jsonl` is one run at one checkpoint. Beside these columns stand the run's hyper-parameters, each under
the name of its option. `ncjax/results/columns.py` holds the list; `python -m ncjax.results.columns_page` writes this
page.

C classes, h an embedding with the label y, m_c the mean of class c, m_G the unweighted mean of the class means. In a
name `<split>` is train, test or target (classes never trained on), and `<train|test>` is one of the two.
"""


def columns_page(columns: Sequence[Column] = COLUMNS) -> str:
    """The list of columns as Markdown.

    Args:
        columns: to list.

    Returns:
        The page.

    Examples:
        >>> columns_page().splitlines()[0]
        '# Columns of the results table'
    """
    placeholders = [f"- `<{name}>`: {words}." for name, (_, words) in PLACEHOLDERS.items()]
    titles = ("column", "unit", "definition", "as features collapse it", "computed by", "turned on by")
    rows = [_cells(titles), _cells(["---"] * len(titles)), *(_cells(_row(entry)) for entry in columns)]
    return "\n".join([_HEAD, *placeholders, "", *rows]) + "\n"


def _row(entry: Column) -> tuple[str, ...]:
    return (
        _code(entry.name),
        entry.unit,
        entry.definition,
        entry.collapse,
        _code(entry.measured_by),
        _code(entry.option and f"config.{entry.option}"),
    )


def _code(text: str) -> str:
    return text and f"`{text}`"


def _cells(cells: Sequence[str]) -> str:
    # A bar ends a cell, in code too.
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    replace_text(Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT, columns_page())
