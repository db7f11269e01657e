"""Which number predicts transfer: every measure's agreement with the outcome, with intervals, the best at the top."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ncjax.claims import OUTCOME, RIVALS_RULE, Rivals, Standing, rank_rivals
from ncjax.report.figures.style import COLUMN_WIDTH, DATA_ID, ReportFigure, house_style
from ncjax.report.pages.tables import Cell, Column, Table, rounded
from ncjax.results import find_column

_COLOURS = {"holds": "#31688e", "open": "#8a8a8a", "reversed": "#c4552d"}
# Inches a measure, and for what stands above and below them.
_ROW, _REST = 0.2, 1.0


def measure_name(column: str) -> str:
    """A measure's name for a reader, its split first.

    Args:
        column: in the results table.

    Returns:
        Words.

    Examples:
        >>> measure_name("train/cdnv"), measure_name("target/few_shot_certificate_5shot")
        ('train: CDNV', 'target: few-shot certificate, 5 shots')
    """
    split, _, name = column.partition("/")
    shots = name.rpartition("_")[2].removesuffix("shot")
    behind = f", {shots} shot{'s' * (shots != '1')}" if name.endswith("shot") else ""
    return f"{split}: {find_column(column).label}{behind}"


def draw_rivals(rivals: Rivals) -> Figure:
    """Draws a row a measure: a point at its agreement, a thick bar for its interval, a thin one for that of all.

    Args:
        rivals: of `ncjax.claims.rank_rivals`.

    Returns:
        The figure.
    """
    with house_style():
        height = _ROW * len(rivals.standings) + _REST
        figure = Figure(figsize=(2 * COLUMN_WIDTH, height), layout="constrained")
        axes = figure.subplots()
        for row, standing in enumerate(rivals.standings):
            _draw_row(axes, row, standing)
        axes.axvline(0, color="#555555", linewidth=0.8)
        axes.set_yticks(range(len(rivals.standings)), [measure_name(each.column) for each in rivals.standings])
        axes.set_ylim(len(rivals.standings) - 0.4, -0.6)
        axes.set_xlim(-1.04, 1.04)
        outcome = measure_name(rivals.outcome.removeprefix("-"))
        axes.set_xlabel(f"agreement with {outcome} (ρ × sign)")
        axes.set_title(f"{rivals.runs} runs, {rivals.units} {rivals.unit}")
        legend = [Line2D([], [], color=colour, marker="o", label=word) for word, colour in _COLOURS.items()]
        axes.legend(handles=legend, loc="upper left")
    return figure


def _draw_row(axes: Axes, row: int, standing: Standing) -> None:
    colour = _COLOURS[standing.verdict]
    axes.hlines(row, standing.low_of_all, standing.high_of_all, color=colour, linewidth=0.8)
    axes.hlines(row, standing.low, standing.high, color=colour, linewidth=2.4)
    axes.plot(
        standing.agreement, row, "o", color=colour, markersize=5, gid=f"{DATA_ID}/{standing.column}",
        markerfacecolor=colour if standing.claimed > 0 else "white",
    )  # fmt: skip


def rivals_table(rivals: Rivals) -> Table:
    """The standings as a table: agreement, tau, how far each is behind the best, and how often it is the best.

    Args:
        rivals: of `ncjax.claims.rank_rivals`.

    Returns:
        A row a measure, the best first.
    """

    def with_interval(value: float, low: float, high: float) -> Cell:
        return Cell(f"{rounded(value)} [{rounded(low)}, {rounded(high)}]")

    columns = (
        Column("measure", width=40), Column("sign", width=4), Column("agreement", True, 20), Column("verdict", width=8),
        Column("weighted τ", True, 10), Column("behind the best", True, 20), Column("best in", True, 7),
    )  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            Cell(measure_name(each.column)),
            Cell("+" if each.claimed > 0 else "−"),
            with_interval(each.agreement, each.low, each.high),
            Cell(each.verdict),
            Cell(rounded(each.tau)),
            with_interval(each.behind, each.behind_low, each.behind_high),
            Cell(f"{each.best:.0%}"),
        )
        for each in rivals.standings
    ]
    return Table(columns, rows)


def conclusion(rivals: Rivals) -> str:
    """What the ranking says, in two or three sentences.

    Args:
        rivals: of `ncjax.claims.rank_rivals`.

    Returns:
        Sentences.
    """
    best, held = rivals.standings[0], [each for each in rivals.standings if each.verdict == "holds"]
    level = [each for each in rivals.standings[1:] if each.behind_low <= 0]
    ahead = len(rivals.standings) - 1 - len(level)
    said = (
        f"{len(held)} of {len(rivals.standings)} measures agree with the outcome as claimed when all are judged at "
        f"once. The best is {measure_name(best.column)} ({rounded(best.agreement)}); it is ahead of {ahead} others, "
        f"and {len(level)} cannot be told from it."
    )
    source = [each for each in rivals.standings if not each.column.startswith("target/")]
    if best.column.startswith("target/") and source:
        said += (
            f" Target measures are taken on the very features that the outcome is; of those at source the best is "
            f"{measure_name(source[0].column)} ({rounded(source[0].agreement)}, {source[0].verdict})."
        )
    if rivals.not_compared:
        said += f" Not compared, as too many runs lack them: {', '.join(map(measure_name, rivals.not_compared))}."
    return said


def _caption(table: pd.DataFrame) -> str:
    rivals = rank_rivals(table)
    return (
        f"{conclusion(rivals)} Thick bars are 95% intervals over {rivals.unit}, thin ones hold for all measures at "
        f"once; hollow points are measures of which less is said to be better. {RIVALS_RULE} Left out: "
        f"{rivals.left_out.unsettled} runs not in the terminal phase, {rivals.left_out.lost}, {rivals.incomplete} that "
        f"lack a measure."
    )


def _lacks(table: pd.DataFrame) -> str:
    try:
        rank_rivals(table)
    except ValueError as error:
        return str(error)
    return ""


FIGURE = ReportFigure(
    "rivals",
    "Which number predicts transfer",
    ("A5",),
    (OUTCOME, "train/error"),
    lambda table: draw_rivals(rank_rivals(table)),
    _caption,
    lambda table: f"Agreement of each measure with few-shot accuracy, with intervals. {conclusion(rank_rivals(table))}",
    _lacks,
)
