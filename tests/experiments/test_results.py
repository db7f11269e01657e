from pathlib import Path

import pytest
from absl import flags

from experiments import results
from ncjax.sweep import append_rows
from tests.claims.synthetic import sweep_table


@pytest.fixture(scope="module")
def every():
    return list(results.experiments())


def test_every_experiment_about_claims_is_found_with_its_offline_variants(every):
    names = {each.config for each in every}
    assert {"configs/joint.py", "configs/joint.py:small", "configs/limits_paper/coarse_to_fine.py:shallow"} <= names
    assert not any("quickstart" in name or ":joint" in name for name in names)


def test_names_tell_the_variants_of_a_file_apart(every):
    offline = [each.name for each in every if each.variant]
    assert len(offline) == len(set(offline))
    assert "cascade" in offline


def test_a_typo_is_answered_with_what_is_near(every):
    with pytest.raises(ValueError, match=r"got 'configs/limits_paper/cascades.py:small', .*/cascade.py:small"):
        results.chosen("configs/limits_paper/cascades.py:small", every)


@pytest.fixture
def finished(tmp_path):
    """A workdir as a sweep leaves it."""
    workdir = tmp_path / "runs" / "cascade"
    workdir.mkdir(parents=True)
    rows = [{str(name): value for name, value in row.items()} for row in sweep_table().to_dict("records")]
    append_rows(workdir / "results.jsonl", rows)
    config = '{"data": {"name": "glyphs"}, "model": {"name": "vgg11", "widths": []}}'
    (workdir / "config.json").write_text(config)
    (workdir / "environment.json").write_text('{"devices": ["cpu:0 cpu"], "python": "3", "versions": {}}')
    (workdir / "summary.json").write_text('{"runs": 12, "seconds": 1.0, "compilations": 1, "compile_seconds": 0.5}')
    return workdir


def test_a_page_keeps_the_notes_beside_it(finished, tmp_path, every):
    page = tmp_path / "pages" / "cascade"
    page.mkdir(parents=True)
    (page / "notes.md").write_text("Seen: a thing.\n")
    experiment = results.chosen("configs/limits_paper/cascade.py:small", every)
    written = results.write_page(experiment, finished, page)
    text = (page / "README.md").read_text()
    assert "Seen: a thing." in text
    assert all((page / figure.image.name).is_file() for figure in written.illustrations)
    assert {path.suffix for path in page.iterdir()} == {".md", ".json", ".png"}


def test_a_readme_gets_the_table_between_its_marks(finished, tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{results.MARKS[0]}\nold\n{results.MARKS[1]}\nafter\n")
    monkeypatch.setattr(results, "run_sweep", lambda *_: None)
    flags.FLAGS(["results", "--experiment=configs/limits_paper/cascade.py:small", f"--runs={finished.parent}",
                 f"--pages={tmp_path / 'pages'}", f"--readme={readme}"])  # fmt: skip
    results.main()
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| B5 Collapse cascades into earlier layers |" in text
    assert Path(tmp_path / "pages" / "README.md").is_file()


def test_a_readme_without_marks_is_refused_before_anything_runs(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text("no marks\n")
    monkeypatch.setattr(results, "run_sweep", lambda *_: pytest.fail("ran"))
    flags.FLAGS(["results", "--experiment=configs/limits_paper/cascade.py:small", f"--readme={readme}"])
    with pytest.raises(ValueError, match="lacks the lines <!-- results -->"):
        results.main()
