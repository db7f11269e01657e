import math

import numpy as np
import pytest

from ncjax.results import append_rows, keep_rows, read_rows, read_table


def test_numbers_survive_and_what_is_not_finite_becomes_null(tmp_path):
    path = tmp_path / "results.jsonl"
    append_rows(path, [{"run": 0, "step": 0, "a/b": np.float32(0.1), "a/c": math.inf, "diverged": np.bool_(True)}])
    assert read_rows(path) == [{"run": 0, "step": 0, "a/b": float(np.float32(0.1)), "a/c": None, "diverged": True}]


def test_a_line_cut_off_by_a_crash_is_left_out_with_a_warning(tmp_path):
    path = tmp_path / "results.jsonl"
    append_rows(path, [{"run": 0, "step": 1}, {"run": 1, "step": 1}])
    path.write_text(path.read_text()[:-4])
    with pytest.warns(UserWarning, match="last line is cut off"):
        assert read_rows(path) == [{"run": 0, "step": 1}]


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_text('{"run": 0, "step": 1}\n{"run"\n{"run": 2, "step": 1}\n')
    with pytest.raises(ValueError, match="line 2: is not JSON"):
        read_rows(path)


def test_rewriting_drops_rows_and_a_cut_off_line(tmp_path):
    path = tmp_path / "results.jsonl"
    append_rows(path, [{"run": 0, "step": 1}, {"run": 1, "step": 1}])
    with path.open("a") as file:
        file.write('{"run": 2, "tr')
    keep_rows(path, lambda row: row["run"] == 1)
    assert path.read_text() == '{"run": 1, "step": 1}\n'
    assert [p.name for p in tmp_path.iterdir()] == ["results.jsonl"]


def test_the_table_is_sorted_and_reads_null_as_nan(tmp_path):
    rows = [
        {"run": run, "step": step, "train/loss": value} for run, step, value in [(1, 0, 1.0), (0, 2, None), (0, 1, 2)]
    ]
    append_rows(tmp_path / "results.jsonl", rows)
    table = read_table(tmp_path)
    assert table[["run", "step"]].values.tolist() == [[0, 1], [0, 2], [1, 0]]
    assert table["train/loss"].dtype == float
    assert table["train/loss"].isna().tolist() == [False, True, False]


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no results table"):
        read_table(tmp_path)


def test_an_empty_table_is_named(tmp_path):
    (tmp_path / "results.jsonl").write_text("")
    with pytest.raises(ValueError, match="is empty"):
        read_table(tmp_path)
