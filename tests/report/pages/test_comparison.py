"""Several sweeps on one page, and how far each is."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from ncjax.report import FIGURES, SweepState, read_states, read_tables, write_comparison, write_report
from ncjax.report.pages.differences import differing_settings, final_differences
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
    configs = {"one": {"train": {"epochs": 3.0, "l2": 0}}, "two": {"train": {"epochs": 4.5, "l2": 0}}}
    page = write_comparison(
        tables, tmp_path, configs=configs, figures=[each for each in FIGURES if each.name == "complexity_and_collapse"]
    ).read_text()
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(r"A1 Lower .*? ✓ supported .*? ✗ contradicted .*? A2", words)
    assert page.count("data:image/png") == 2
    assert (tmp_path / "complexity_and_collapse_2.pdf").is_file()
    content = json.loads((tmp_path / "comparison.json").read_text())
    assert set(content["sweeps"]) == {"one", "two"}
    assert content["settings"] == {"train.epochs": {"one": "3.0", "two": "4.5"}}
    assert "train.epochs 3.0 4.5" in words
    [line] = [line for line in content["final"] if line["column"] == "train/cdnv"]
    final = table.groupby("run").tail(1)["train/cdnv"]
    assert line["means"] == pytest.approx([final.mean(), (1 / final).mean()])
    assert line["differences"] == pytest.approx([0, (1 / final - final).mean()])
    assert line["stderrs"][1] == pytest.approx((1 / final - final).sem())
    assert line["pairs"] == [len(final)] * 2
    assert f"± {line['stderrs'][1]:.4g} {len(final)} pairs" in words


def test_runs_that_have_no_partner_are_compared_by_their_means() -> None:
    one = pd.DataFrame({"run": [0, 1, 2], "step": 9, "l2": [0.0, 0.0, 0.1], "diverged": [False, False, True]})
    one["test/error"] = [0.5, 0.3, 0.9]
    two = one.assign(l2=[0.2, 0.3, 0.4])
    two["test/error"] = [0.1, None, 0.7]
    [line] = final_differences({"one": one, "two": two})
    assert line.means == pytest.approx((0.4, 0.1))
    assert line.differences == pytest.approx((0.0, -0.3))
    assert line.pairs == (0, 0)


def test_settings_that_agree_are_not_listed() -> None:
    config = {"train": {"l2": 0.5}, "sweep": {"seed": [0, 1]}}
    assert differing_settings({"one": config, "two": config}) == []


def test_a_sweep_that_is_at_its_end_says_its_wall_time(workdir: Path) -> None:
    (workdir / "summary.json").write_text('{"seconds": 12.5}')
    [state] = read_states([workdir], read_tables([workdir]))
    assert state == SweepState("sweep", 6, 6, 12.5)


def test_an_unfinished_sweep_is_marked_on_the_page(workdir: Path, tmp_path: Path) -> None:
    table = read_tables([workdir])
    table = table[(table["run"] > 1) | (table["epoch"] < 31)]
    states = read_states([workdir], table)
    page = write_report(table, tmp_path / "report", states=states, figures=()).page.read_text()
    assert '<p class="mark">sweep: unfinished, 4 of 6 runs measured to the end so far.</p>' in page
