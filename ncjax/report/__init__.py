"""Figures and pages of a sweep's results: the report, the results pages, a comparison, the claims in a terminal.

A new figure is one new file with a `ReportFigure` and one line in `ncjax.report.pages.report.FIGURES`.
"""

import warnings
from typing import Any

from ncjax.report.figures.directions import draw_directions
from ncjax.report.figures.rivals import draw_rivals
from ncjax.report.figures.style import ReportFigure, house_style, panels, save
from ncjax.report.pages.comparison import write_comparison
from ncjax.report.pages.page import DrawnFigure, render_page
from ncjax.report.pages.report import FIGURES, Report, draw_figures, write_report
from ncjax.report.pages.results_pages import SweepResults, index_page, sweep_page, verdict_matrix, verdict_table
from ncjax.report.pages.run_table import run_table
from ncjax.report.pages.sources import SweepState, read_descriptions, read_states, read_tables
from ncjax.report.pages.terminal import claims_text

__all__ = [
    "FIGURES",
    "DrawnFigure",
    "Report",
    "ReportFigure",
    "SweepResults",
    "SweepState",
    "claims_text",
    "draw_directions",
    "draw_figures",
    "draw_rivals",
    "house_style",
    "index_page",
    "panels",
    "read_descriptions",
    "read_states",
    "read_tables",
    "render_page",
    "run_table",
    "save",
    "sweep_page",
    "verdict_matrix",
    "verdict_table",
    "write_comparison",
    "write_report",
]

_RENAMED = {
    "PLATES": "FIGURES",
    "Plate": "ReportFigure",
    "Illustration": "DrawnFigure",
    "illustrate": "draw_figures",
}


def __getattr__(name: str) -> Any:
    """Names of the version before."""
    if name not in _RENAMED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    new = _RENAMED[name]
    warnings.warn(f"ncjax.report.{name} is now ncjax.report.{new}", DeprecationWarning, stacklevel=2)
    return globals()[new]
