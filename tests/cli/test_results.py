import pytest

from ncjax.cli import results
from ncjax.results import append_rows
from tests.claims.synthetic import sweep_table


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    (cache / "fashion_mnist").mkdir()  # prepared, as far as configs ask
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NCJAX_DATA_DIR", str(cache))
        patch.setenv("TFDS_DATA_DIR", str(cache))
        return list(results.experiments())


def test_every_experiment_about_claims_is_found_with_its_offline_variants(every):
    names = {each.config for each in every}
    assert {"joint", "joint:small", "limits_paper/coarse_to_fine:shallow"} <= names
    assert not any("quickstart" in name or ":joint" in name for name in names)


def test_names_tell_the_variants_of_a_file_apart(every):
    offline = [each.name for each in every if each.variant]
    assert len(offline) == len(set(offline))
    assert "cascade" in offline


def test_a_name_never_says_a_setting_that_did_not_run(every):
    for each in every:
        if each.variant and "_for_" not in each.name:
            assert not any(network in each.name for network in each.setting[0])
        elif each.variant:
            assert each.name.startswith("_".join(each.ran).replace("/", "_"))
    [small] = [each for each in every if each.config == "gc_paper/cifar_fs_resnet18:small"]
    assert small.name == "convnet4_glyphs_for_cifar_fs_resnet18"
    assert small.stands_for == "resnet18 on cifar_fs"


def test_a_setting_of_several_networks_names_them_all(every):
    settings = {each.config: each.stands_for for each in every}
    both = "limits_paper/train_test_collapse:small"
    assert settings[both] == "vgg13, resnet18 and wrn28_4 on cifar10"
    assert settings["limits_paper/train_test_collapse"] == ""


def test_published_pages_are_called_and_titled_by_what_ran(every):
    for each in every:
        if each.variant:
            page = results.ROOT / "docs" / "results" / each.name / "README.md"
            title, *_, command = page.read_text().splitlines()[:4]
            assert command.endswith(f"--experiment={each.config}")
            assert title.endswith(f"{each.ran[0]} on {each.ran[1]}, in place of {each.stands_for}")


def test_a_typo_is_answered_with_what_is_near(every):
    with pytest.raises(ValueError, match=r"got 'limits_paper/cascades:small', .*/cascade:small"):
        results.chosen("limits_paper/cascades:small", every)


@pytest.fixture(scope="module")
def written(tmp_path_factory, every):
    """The page of a sweep, made of what its workdir holds, and its results."""
    workdir, page = tmp_path_factory.mktemp("cascade"), tmp_path_factory.mktemp("docs") / "pages" / "cascade"
    rows = [{str(name): value for name, value in row.items()} for row in sweep_table().to_dict("records")]
    append_rows(workdir / "results.jsonl", rows)
    config = '{"data": {"name": "glyphs"}, "model": {"name": "vgg11", "widths": []}}'
    (workdir / "config.json").write_text(config)
    (workdir / "environment.json").write_text('{"devices": ["cpu:0 cpu"], "python": "3", "versions": {}}')
    (workdir / "summary.json").write_text('{"runs": 12, "seconds": 1.0, "compilations": 1, "compile_seconds": 0.5}')
    page.mkdir(parents=True)
    (page / "notes.md").write_text("Seen: a thing.\n")
    experiment = results.chosen("limits_paper/cascade:small", every)
    return page, results.write_page(experiment, workdir, page)


def test_a_page_keeps_the_notes_beside_it(written):
    page, made = written
    assert "Seen: a thing." in (page / "README.md").read_text()
    assert all((page / figure.image.name).is_file() for figure in made.figures)
    assert {path.suffix for path in page.iterdir()} == {".md", ".json", ".png"}


def test_the_index_leads_to_the_pages_and_names_what_waits(written):
    pages = written[0].parent
    results.write_index([written[1]], ["big"], pages)
    text = (pages / "README.md").read_text()
    assert "| B5 Collapse cascades into earlier layers |" in text
    assert "](cascade/README.md)" in text
    assert "`big`" in text


def test_a_sweep_that_ends_early_ends_the_command_with_its_status(tmp_path, every, monkeypatch, capfd):
    monkeypatch.setenv("NCJAX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    with pytest.raises(SystemExit) as ended:
        results.run_sweep(results.chosen("limits_paper/cascade", every), tmp_path / "workdir")
    assert ended.value.code == 2
    assert "cifar10 is not prepared" in capfd.readouterr().err
