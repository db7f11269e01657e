import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ncjax.report import FIGURES, Report, run_table, write_report
from ncjax.report.pages.run_table import varying_columns
from tests.claims.synthetic import sweep_table, with_diverged


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return write_report(
        with_diverged(sweep_table(), 3),
        tmp_path_factory.mktemp("report"),
        title="sweep <one> & two",
        command="python -m experiments.report --workdir=DIR",
        config={"train": {"epochs": 31}},
        environment={"devices": ["cpu:0"]},
    )


class Tags(HTMLParser):
    """Collects every start tag with its attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_every_figure_is_written_as_png_and_pdf(report: Report) -> None:
    assert [path.name for path in report.figures] == [
        "loss_and_error.png",
        "trajectories.png",
        "complexity_and_collapse.png",
        "complexity_and_transfer.png",
        "rivals.png",
        "train_and_test.png",
        "layers.png",
    ]
    for path in report.figures:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_page_loads_nothing(report: Report) -> None:
    for tag, attributes in Tags(report.page.read_text()).found:
        for name in ("src", "href") if tag != "a" else ():
            assert (attributes.get(name) or "data:").startswith("data:")


def test_every_image_has_words(report: Report) -> None:
    images = [attributes for tag, attributes in Tags(report.page.read_text()).found if tag == "img"]
    assert len(images) == 7
    assert all(len(image["alt"] or "") > 20 for image in images)


def test_text_is_escaped(report: Report) -> None:
    assert "<h1>sweep &lt;one&gt; &amp; two</h1>" in report.page.read_text()


def test_the_page_says_the_verdicts_the_counts_and_the_config(report: Report) -> None:
    words = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", report.page.read_text()))
    assert "12 runs: 11 reached the terminal phase, 0 did not, 1 diverged." in words
    assert "A1 Lower geometric complexity, deeper train collapse ✓ supported" in words
    assert "train.epochs 31" in words
    assert '["cpu:0"]' in words.replace("&#34;", '"')


def test_scrolling_regions_can_be_reached_by_keyboard(report: Report) -> None:
    regions = [a for _, a in Tags(report.page.read_text()).found if "scroll" in (a.get("class") or "")]
    assert len(regions) > 3
    assert all(region.get("tabindex") == "0" and region.get("aria-label") for region in regions)


def test_run_table_has_every_run_with_its_end() -> None:
    names, rows = run_table(with_diverged(sweep_table(), 3))
    ended = [row[names.index("ended")] for row in rows]
    assert (len(rows), ended.count("diverged"), ended.count("terminal")) == (12, 1, 11)
    assert rows[3][names.index("train CDNV")] is None


def test_columns_in_which_all_runs_agree_are_said_once_and_the_best_is_marked() -> None:
    names, rows = run_table(sweep_table())
    shown = varying_columns(names, rows)
    assert dict(shown.same)["batch size"] == 32
    assert "batch size" not in shown.columns
    place, losses = shown.columns.index("train loss"), [row[names.index("train loss")] for row in rows]
    assert [number for number, best in enumerate(shown.best) if place in best] == [losses.index(min(losses))]
    place, shots = shown.columns.index("5-shot accuracy"), [row[names.index("5-shot accuracy")] for row in rows]
    assert [number for number, best in enumerate(shown.best) if place in best] == [shots.index(max(shots))]
    # Less complexity is neither better nor worse.
    assert not any(shown.columns.index("GC") in best for best in shown.best)


def test_a_table_of_one_run_hides_nothing() -> None:
    names, rows = run_table(sweep_table(learning_rates=(0.1,), l2s=(0.0,), seeds=1))
    shown = varying_columns(names, rows)
    assert (shown.columns, shown.same, shown.best) == (names, [], [set()])


def test_what_the_sweep_cannot_judge_is_one_folded_line_at_the_end(report: Report) -> None:
    html = report.page.read_text()
    assert html.index('id="figures"') < html.index('id="claims"') < html.index('id="runs"') < html.index('id="rest"')
    folded = re.search(r'<details id="rest"><summary>(.*?)</summary>(.*?)</details>', html, re.DOTALL)
    assert folded
    assert folded.group(1) == "Not measured by this sweep: A2, A3, A4, A6, B2, B3, B4, 10 figures"
    assert "the runs do not differ in gc_penalty: --config=gc_paper/gc_penalty" in folded.group(2)
    assert 'id="A2"' not in html
    assert 'id="A1"' in html


def test_a_figure_that_cannot_be_drawn_is_named(tmp_path: Path) -> None:
    figures = [wanted for wanted in FIGURES if wanted.name == "complexity_and_transfer"]
    report = write_report(sweep_table(seeds=1).drop(columns="target/cdnv"), tmp_path, figures=figures)
    assert report.notes == ["figure complexity_and_transfer not drawn: the results table lacks target/cdnv"]
    assert report.notes[0] in report.page.read_text()


def test_a_table_whose_runs_all_diverged_is_reported_without_figures(tmp_path: Path) -> None:
    report = write_report(sweep_table(seeds=1).assign(diverged=True), tmp_path)
    assert report.figures == []
    assert report.notes[0] == "figure loss_and_error not drawn: no run is left (6 diverged)"
