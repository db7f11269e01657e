import pytest

from ncjax.claims import Finding, Verdict
from ncjax.report.pages.page import template
from ncjax.report.pages.tables import Cell, Column, Table, rounded
from ncjax.report.pages.verdict_tables import MARKS, interval_text, verdict_cell

FINDING = Finding("A1", "GC & CDNV", Verdict.SUPPORTED, "mean", 1, 0.5, 0.1, 0.9)
TABLE = Table(
    (Column("claim", width=4), Column("verdict", width=9), Column("n", number=True, width=3)),
    [(Cell("A1", link="#A1", after=" a < b"), verdict_cell(FINDING), Cell("12"))],
)


def test_markdown_links_and_sets_verdicts_in_bold() -> None:
    assert TABLE.markdown().splitlines()[2] == "| [A1](#A1) a < b | **supported** | 12 |"


def test_text_is_aligned_and_cut_to_its_column() -> None:
    assert TABLE.lines() == ["cla… verdict     n", "A1 … supported  12"]


def test_html_escapes_links_and_marks_verdicts() -> None:
    html_table = template("page_table.html").module.__dict__["html_table"]
    html = str(html_table(TABLE, "Claims"))
    assert '<a href="#A1">A1</a> a &lt; b</td>' in html
    assert "✓ supported</span>" in html
    assert '<td data-label="n" class="n">12</td>' in html


def test_every_verdict_has_a_mark_of_its_own() -> None:
    assert len({MARKS[verdict] for verdict in Verdict}) == len(Verdict)


@pytest.mark.parametrize(("low", "text"), [(-0.001, "[0.00, 0.90]"), (-0.1, "[−0.10, 0.90]"), (float("nan"), "–")])
def test_an_interval_has_true_minus_signs_and_no_negative_zero(low: float, text: str) -> None:
    assert interval_text(Finding("A1", "x", Verdict.SUPPORTED, "mean", 1, 0.5, low, 0.9)) == text


def test_no_number_is_a_dash() -> None:
    assert rounded(float("nan")) == "–"
