"""Figures, the claims table for a terminal and the report page.

A new figure is one new file with a `Plate` and one line in `ncjax.report.pages.report.PLATES`.
"""

from ncjax.report.figures.style import Plate, house_style, panels, save
from ncjax.report.pages.comparison import write_comparison
from ncjax.report.pages.page import Illustration, render_page, run_table
from ncjax.report.pages.report import PLATES, Report, illustrate, write_report
from ncjax.report.pages.results_pages import SweepResults, index_page, sweep_page, verdict_matrix, verdict_table
from ncjax.report.pages.sources import SweepState, read_descriptions, read_states, read_tables
from ncjax.report.pages.terminal import claims_text

__all__ = [
    "PLATES",
    "Illustration",
    "Plate",
    "Report",
    "SweepResults",
    "SweepState",
    "claims_text",
    "house_style",
    "illustrate",
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
