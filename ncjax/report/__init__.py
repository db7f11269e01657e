"""Figures, the claims table for a terminal and the report page.

A new figure is one new file with a `Plate` and one line in `ncjax.report.write.PLATES`.
"""

from ncjax.report.compare import write_comparison
from ncjax.report.page import Illustration, render_page, run_table
from ncjax.report.results_pages import SweepResults, index_page, sweep_page, verdict_matrix, verdict_table
from ncjax.report.style import Plate, house_style, panels, save
from ncjax.report.terminal import claims_text
from ncjax.report.workdirs import SweepState, read_descriptions, read_states, read_tables
from ncjax.report.write import PLATES, Report, illustrate, write_report

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
