import dataclasses
import re

import pytest

from ncjax.claims import evaluate
from ncjax.report import SweepResults, draw_figures, index_page, sweep_page, verdict_matrix, verdict_table
from ncjax.report.figures.complexity import COLLAPSE_FIGURE
from tests.claims.synthetic import sweep_table


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> SweepResults:
    table = sweep_table()
    drawn, _ = draw_figures(table, tmp_path_factory.mktemp("page"), [COLLAPSE_FIGURE])
    return SweepResults(
        "planted",
        ("python -m experiments.results --experiment=planted.py:small",),
        ("A1", "B1"),
        evaluate(table),
        drawn,
        {"data": {"name": "glyphs"}, "model": {"name": "convnet4", "widths": [16, 32, 64, 64]}},
        {"devices": ["cpu:0 cpu"], "cpu_cores": 2, "python": "3.11.7", "versions": {"jax": "0.10.2"}},
        {"runs": 12, "seconds": 61.4, "compilations": 2, "compile_seconds": 17.0},
    )


def test_a_page_has_command_cost_claims_and_figures(results):
    page = sweep_page(results, notes="A note.\n")
    assert "\npython -m experiments.results --experiment=planted.py:small\n" in page
    assert "12 runs on glyphs, convnet4 (16-32-64-64): 61 s on cpu:0 (2 cores), of which 17 s compiled 2 prog" in page
    assert "\nA note.\n" in page
    assert re.findall(r"^([AB]\d) ", page, re.MULTILINE) == ["A1", "B1"]
    assert "](complexity_and_collapse.png)" in page


def test_the_verdict_table_has_a_line_for_each_claim_that_a_sweep_is_about(results):
    lines = verdict_table([results], "docs/results/").splitlines()
    assert [line.split(" ")[1] for line in lines[2:]] == ["A1", "B1"]
    a1 = results.headline("A1")
    assert f"**{a1.verdict}**" in lines[2]
    assert f"{a1.runs} / {a1.units} settings" in lines[2]
    assert "(docs/results/planted/complexity_and_collapse.png)" in lines[2]


def test_a_page_is_titled_by_what_ran_and_names_the_setting_it_stands_in_for(results):
    assert sweep_page(results).startswith("# planted: convnet4 on glyphs\n")
    small = dataclasses.replace(results, name="convnet4_glyphs_for_big", stands_for="resnet18 on cifar10")
    assert sweep_page(small).startswith("# convnet4 on glyphs, in place of resnet18 on cifar10\n")
    assert "| glyphs, convnet4 (16-32-64-64); in place of resnet18 on cifar10 |" in verdict_table([small])


def test_the_subject_tells_networks_with_and_without_normalisation_apart(results):
    with_norm = {"data": {"name": "glyphs"}, "model": {"name": "convnet4", "widths": [], "norm": "batch"}}
    assert dataclasses.replace(results, config=with_norm).subject == "glyphs, convnet4, batch norm"


def test_the_subject_says_what_is_varied(results):
    model = {"name": "convnet4", "widths": [], "norm": "batch"}
    varied = {
        "data": {"name": "glyphs"},
        "model": model,
        "sweep": {"loss": None, "points": [{"sweep": "a", "norm": "none"}, {"sweep": "b", "norm": "batch"}]},
    }
    assert dataclasses.replace(results, config=varied).subject == "glyphs, convnet4, norm varied"


def test_an_interval_that_ends_near_zero_shows_on_which_side(results):
    [near] = [dataclasses.replace(f, low=0.0021, high=0.0496) for f in [results.headline("B1")]]
    line = verdict_table([dataclasses.replace(results, claims=("B1",), findings=[near])]).splitlines()[2]
    assert "[0.002, 0.050]" in line


def test_no_line_is_without_its_interval_and_count(results):
    for line in verdict_table([results]).splitlines()[2:]:
        assert re.search(r"\[[−\d.]+, [−\d.]+\]", line)
        assert re.search(r"\| \d+ / \d+ (settings|runs) \|", line)


def test_the_matrix_leaves_claims_empty_of_which_a_sweep_cannot_speak(results):
    header, _, row = verdict_matrix([results]).splitlines()
    cells = dict(zip(header.split("|")[2:-1], row.split("|")[2:-1], strict=True))
    assert cells[" A1 "].startswith(" ✓ ")
    assert cells[" B3 "].strip() == ""


def test_the_index_names_what_has_not_been_run(results):
    assert "`big`" in index_page([results], ["big"])
    assert "not run" not in index_page([results])
