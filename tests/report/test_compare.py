"""Several sweeps on one page, and how far each is."""

import json
import re
from pathlib import Path

import pytest

from ncjax.report import PLATES, SweepState, read_states, read_tables, write_comparison, write_report
from tests.claims.synthetic import sweep_table

LEDGER = {"epochs": [0.0, 31.0], "runs": [{}] * 6, "groups": {"0": {"runs": list(range(6)), "size": 6}}}


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    workdir = tmp_path / "sweep"
    workdir.mkdir()
    rows = json.loads(sweep_table(seeds=1).to_json(orient="records"))
    (workdir / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (workdir / "runs.json").write_text(json.dumps(LEDGER))
    return workdir


def test_a_comparison_has_a_column_and_a_figure_for_each_sweep(tmp_path: Path) -> None:
    table = sweep_table()
    tables = {"one": table, "two": table.assign(**{"train/cdnv": 1 / table["train/cdnv"]})}
    page = write_comparison(tables, tmp_path, plates=PLATES[1:2]).read_text()
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(r"A1 Lower .*? ✓ supported .*? ✗ contradicted .*? A2", words)
    assert page.count("data:image/png") == 2
    assert (tmp_path / "complexity_and_collapse_2.pdf").is_file()
    assert set(json.loads((tmp_path / "comparison.json").read_text())["sweeps"]) == {"one", "two"}


def test_a_sweep_that_is_at_its_end_says_its_wall_time(workdir: Path) -> None:
    (workdir / "summary.json").write_text('{"seconds": 12.5}')
    [state] = read_states([workdir], read_tables([workdir]))
    assert state == SweepState("sweep", 6, 6, 12.5)


def test_an_unfinished_sweep_is_marked_on_the_page(workdir: Path, tmp_path: Path) -> None:
    table = read_tables([workdir])
    table = table[(table["run"] > 1) | (table["epoch"] < 31)]
    states = read_states([workdir], table)
    page = write_report(table, tmp_path / "report", states=states, plates=()).page.read_text()
    assert '<p class="mark">sweep: unfinished, 4 of 6 runs measured to the end so far.</p>' in page
