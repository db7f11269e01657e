"""The figure and the table of rivals."""

import numpy as np
import pytest

from ncjax.claims import rank_rivals
from ncjax.report.figures.rivals import FIGURE, conclusion, draw_rivals, measure_name, rivals_table
from ncjax.report.figures.style import DATA_ID
from tests.claims.test_rivals import planted

pytestmark = pytest.mark.structure


def test_a_point_stands_at_each_agreement():
    rivals = rank_rivals(planted())
    drawn = {
        line.get_gid(): np.asarray(line.get_xdata())[0]
        for line in draw_rivals(rivals).axes[0].lines
        if line.get_gid() is not None
    }
    assert drawn == {f"{DATA_ID}/{each.column}": each.agreement for each in rivals.standings}


def test_the_best_is_at_the_top():
    axes = draw_rivals(rank_rivals(planted())).axes[0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["train: CDNV", "train: NC1"]
    assert axes.yaxis_inverted()


def test_no_word_leaves_the_picture():
    figure = draw_rivals(rank_rivals(planted()))
    figure.draw_without_rendering()
    width = figure.bbox.width
    for text in [figure.axes[0].xaxis.label, *figure.axes[0].get_yticklabels()]:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= width


def test_the_table_has_a_row_for_each():
    lines = rivals_table(rank_rivals(planted())).lines()
    assert len(lines) == 3
    assert lines[1].startswith("train: CDNV")
    assert "holds" in lines[1]


def test_the_conclusion_counts():
    said = conclusion(rank_rivals(planted()))
    assert said.startswith("1 of 2 measures agree")
    assert "it is ahead of 1 others, and 0 cannot be told from it" in said


def test_a_target_measure_that_is_best_is_set_against_the_best_at_source():
    table = planted()
    table["target/cdnv"] = -table["target/accuracy_5shot"]
    table["train/cdnv"] = np.roll(table["train/cdnv"], 1)
    said = conclusion(rank_rivals(table))
    assert "The best is target: CDNV (1.00)" in said
    assert "of those at source the best is train: CDNV" in said


def test_a_report_says_why_there_is_no_figure():
    assert "expected at least 5" in FIGURE.lacks(planted(settings=3))
    assert FIGURE.lacks(planted()) == ""


@pytest.mark.parametrize(
    ("column", "name"),
    [("target/accuracy_1shot", "target: few-shot accuracy, 1 shot"), ("train/nc1", "train: NC1")],
)
def test_measures_have_names_for_readers(column, name):
    assert measure_name(column) == name
