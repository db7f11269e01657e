"""Features of several files in one call."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ncjax.cli.features_file import read_features
from ncjax.cli.features_series import draw_series, matching_files, measure_files, numbers_in_names, series_table
from ncjax.cli.measure import measure_features

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Features that collapse from file to file."""
    root, rng, labels = tmp_path_factory.mktemp("features"), np.random.default_rng(0), np.arange(24) % 3
    for epoch in (0, 2, 10):
        features = np.eye(3, 4)[labels] + 0.5 / (1 + epoch) * rng.normal(size=(24, 4))
        np.savez(root / f"run1_ep{epoch}.npz", features=features.astype(np.float32), labels=labels)
    return root


@pytest.fixture(scope="module")
def measured(folder):
    return measure_files(matching_files(f"{folder}/run1_ep*.npz"), lambda path: measure_features(read_features(path)))


def test_files_come_in_the_order_of_their_numbers(folder):
    names = [path.name for path in matching_files(f"{folder}/run*.npz")]
    assert names == ["run1_ep0.npz", "run1_ep2.npz", "run1_ep10.npz"]


def test_a_pattern_may_be_relative(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert matching_files("run1_ep1?.npz") == [Path("run1_ep10.npz")]


@pytest.mark.parametrize(
    ("names", "numbers"),
    [(["s0_e5", "s0_e20"], [5, 20]), (["s0_e5", "s1_e5"], [0, 1]), (["a", "b"], [0, 1]), (["e1", "last"], [0, 1])],
)
def test_the_number_is_the_last_that_tells_all_files_apart(names, numbers):
    assert numbers_in_names([Path(name) for name in names]) == numbers


def test_each_file_has_what_it_has_alone(folder, measured):
    assert [file["number"] for file in measured["files"]] == [0, 2, 10]
    alone = measure_features(read_features(folder / "run1_ep2.npz"))
    assert measured["files"][1] == {"features": str(folder / "run1_ep2.npz"), "number": 2, **alone}


def test_the_table_has_a_row_for_each_file(measured):
    lines = series_table(measured).splitlines()
    assert lines[0].split() == ["file", "nc1", "nc2_etf", "cdnv"]
    assert float(lines[3].split()[1]) == pytest.approx(measured["files"][2]["metrics"]["nc1"], rel=1e-3)


def test_curves_are_the_measures_over_the_numbers(measured, tmp_path):
    figure = draw_series(measured, str(tmp_path / "curves.png"))
    [line] = [each for each in figure.axes[0].lines if str(each.get_gid()).startswith("data/")]
    np.testing.assert_array_equal(line.get_xdata(), [0, 2, 10])
    np.testing.assert_allclose(
        np.asarray(line.get_ydata(), float), [file["metrics"]["nc1"] for file in measured["files"]]
    )
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_file_that_does_not_fit_is_named(folder, tmp_path):
    np.savez(tmp_path / "ep1.npz", labels=np.arange(3))
    with pytest.raises(ValueError, match=r"ep1\.npz: features: no such array in the file"):
        measure_files([tmp_path / "ep1.npz"], lambda path: measure_features(read_features(path)))


def run_measure(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments.measure", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_command_prints_json_and_writes_the_table_and_the_curves(folder, tmp_path):
    done = run_measure(f"--features={folder}/*.npz", f"--csv={tmp_path / 't.csv'}", f"--plot={tmp_path / 'c.png'}")
    assert done.returncode == 0, done.stderr
    files = json.loads(done.stdout)["files"]
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["nc1"]) for row in rows] == [each["metrics"]["nc1"] for each in files]
    assert (tmp_path / "c.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--features=nowhere/*.npz"], "error: --features: no file matches 'nowhere/*.npz'"),
        (["--features=one.npz", "--csv=t.csv"], "error: --csv, --plot: go with a pattern such as --features='ep*.npz'"),
    ],
)
def test_bad_input_is_one_line(arguments, message):
    done = run_measure(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.splitlines()[-1]
