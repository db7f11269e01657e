"""Names of the version before still work, with a warning that says the new one."""

from pathlib import Path

import pytest

from ncjax import report
from tests.claims.synthetic import sweep_table


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("PLATES", "FIGURES"),
        ("Plate", "ReportFigure"),
        ("Illustration", "DrawnFigure"),
        ("illustrate", "draw_figures"),
    ],
)
def test_a_renamed_name_is_the_new_one_with_a_warning(old: str, new: str) -> None:
    with pytest.warns(DeprecationWarning, match=new):
        assert getattr(report, old) is getattr(report, new)


def test_the_earlier_keyword_still_chooses_the_figures(tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match="plates is now figures"):
        assert report.write_report(sweep_table(seeds=1), tmp_path, plates=()).figures == []


def test_the_illustrations_of_results_are_now_figures() -> None:
    results = report.SweepResults("a", (), (), [], [], {}, {}, {})
    with pytest.warns(DeprecationWarning, match=r"SweepResults\.figures"):
        assert results.illustrations is results.figures
