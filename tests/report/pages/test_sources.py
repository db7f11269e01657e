import json
from pathlib import Path

import pytest

from ncjax.report import read_descriptions, read_tables

ROW = {"run": 0, "step": 1, "epoch": 1.0, "diverged": False, "train/loss": None}


def write(workdir: Path, text: str) -> Path:
    workdir.mkdir()
    (workdir / "results.jsonl").write_text(text)
    return workdir


def test_one_workdir_needs_no_name(tmp_path: Path) -> None:
    table = read_tables([write(tmp_path / "a", json.dumps(ROW) + "\n")])
    assert list(table.columns) == list(ROW)


def test_two_workdirs_are_told_apart(tmp_path: Path) -> None:
    workdirs = [write(tmp_path / name, json.dumps(ROW) + "\n") for name in ("a", "b")]
    assert read_tables(workdirs)["workdir"].tolist() == [str(workdir) for workdir in workdirs]


def test_a_line_cut_off_by_a_crash_is_left_out_with_a_warning(tmp_path: Path) -> None:
    workdir = write(tmp_path / "a", json.dumps(ROW) + '\n{"run": 0, "st')
    with pytest.warns(UserWarning, match="last line is cut off"):
        assert len(read_tables([workdir])) == 1


def test_an_empty_table_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the results table is empty"):
        read_tables([write(tmp_path / "a", "")])


def test_a_workdir_without_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no results table here"):
        read_tables([tmp_path])


@pytest.mark.parametrize(("text", "message"), [(None, "config.json is missing"), ("{", "config.json: is not JSON")])
def test_a_description_that_cannot_be_read_is_left_out_with_a_warning(
    tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "config.json").write_text(text)
    with pytest.warns(UserWarning, match=message):
        assert read_descriptions([tmp_path], "config.json") == {}
