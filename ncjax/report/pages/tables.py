"""One model of a table, written as HTML (by ``page_table.html``), as Markdown or as aligned text."""

import math
from typing import NamedTuple

from ncjax.claims import Verdict


class Cell(NamedTuple):
    """A cell of a table.

    Attributes:
        text: what it says.
        verdict: whether the text is a verdict, which is set apart.
        link: what the text links to.
        after: text behind the link.
        note: a smaller second line.
        quiet: whether the cell is in smaller, paler letters.

    Examples:
        >>> Cell("A1", link="#A1", after=" Lower complexity").after
        ' Lower complexity'
    """

    text: str
    verdict: Verdict | None = None
    link: str = ""
    after: str = ""
    note: str = ""
    quiet: bool = False


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        heading: its words.
        number: whether its cells are numbers, which stand at the right.
        width: letters that aligned text has for it.

    Examples:
        >>> Column("value", number=True).width
        0
    """

    heading: str
    number: bool = False
    width: int = 0


class Table(NamedTuple):
    """A table.

    Attributes:
        columns: left to right.
        rows: of cells, as many as there are columns.

    Examples:
        >>> table = Table((Column("claim", width=5), Column("n", True, 3)), [(Cell("A1", link="#A1"), Cell("12"))])
        >>> print(table.markdown())
        | claim | n |
        |---|---|
        | [A1](#A1) | 12 |
        >>> table.lines()
        ['claim   n', 'A1     12']
    """

    columns: tuple[Column, ...]
    rows: list[tuple[Cell, ...]]

    def markdown(self) -> str:
        """The table in Markdown, without a newline at the end."""
        headings = [Cell(column.heading) for column in self.columns]
        head, *rows = (f"| {' | '.join(map(_markdown, cells))} |" for cells in (headings, *self.rows))
        return "\n".join([head.replace("|  |", "| |"), "|---" * len(self.columns) + "|", *rows])

    def lines(self) -> list[str]:
        """The table as aligned text, a line a row; what is too long for its column ends in an ellipsis."""
        headings = tuple(Cell(column.heading) for column in self.columns)
        return [self._line(cells) for cells in (headings, *self.rows)]

    def _line(self, cells: tuple[Cell, ...]) -> str:
        fitted = []
        for cell, column in zip(cells, self.columns, strict=True):
            text, width = cell.text + cell.after, column.width
            text = text if len(text) <= width else text[: width - 1] + "…"
            fitted.append(f"{text:>{width}}" if column.number else f"{text:<{width}}")
        return " ".join(fitted).rstrip()


def _markdown(cell: Cell) -> str:
    text = f"**{cell.text}**" if cell.verdict is not None else cell.text
    return (f"[{text}]({cell.link})" if cell.link else text) + cell.after


def rounded(number: float, digits: int = 2) -> str:
    """A number with so many digits behind the point, with a true minus sign, and none before zero.

    Args:
        number: to be written.
        digits: behind the point.

    Returns:
        Text; a dash where there is no number.

    Examples:
        >>> rounded(-1.5), rounded(-0.001), rounded(float("nan"))
        ('−1.50', '0.00', '–')
    """
    if not math.isfinite(number):
        return "–"
    text = f"{number:.{digits}f}"
    return text.replace("-", "−") if float(text) else f"{0:.{digits}f}"
