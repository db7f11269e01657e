"""Files of a workdir that are damaged or come from elsewhere: one line that names the file and the place."""

import json
import shutil

import pytest

from ncjax.results import read_table
from ncjax.sweep import Workdir, default_config, read_run, run_sweep

pytestmark = pytest.mark.structure

pytestmark = pytest.mark.structure


@pytest.fixture
def whole(finished, tmp_path):
    return tmp_path / "whole"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[1, 2, 3]", "holds a list, expected an object"),
        ("null", "holds null, expected an object"),
        ('"text"', "holds a str, expected an object"),
        ('{"hello": 1}', "run is None, expected a whole number"),
        ('{"run": 0, "step": "8"}', "step is '8', expected a whole number"),
        ('{"run": 0,', "is not JSON"),
        ("\x00", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_a_line_that_is_no_row_is_named(tmp_path, line, reason, place):
    lines = [json.dumps({"run": 0, "step": 0})]
    lines.insert(place, line)
    (tmp_path / "results.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(ValueError, match=rf"results.jsonl: line {place + 1}: {reason}"):
        read_table(tmp_path)


def test_bytes_that_are_no_text_are_named(tmp_path):
    (tmp_path / "results.jsonl").write_bytes(b'\xff\xfe{"run"\n')
    with pytest.raises(ValueError, match=r"results.jsonl: line 1: is not JSON"):
        read_table(tmp_path)


@pytest.mark.parametrize("line", ["[1, 2", "null", "{]"])
def test_a_last_line_is_cut_off_only_if_it_may_be_part_of_a_row(tmp_path, line):
    (tmp_path / "results.jsonl").write_text(json.dumps({"run": 0, "step": 0}) + "\n" + line)
    if line.startswith("{"):
        with pytest.warns(UserWarning, match="cut off"):
            assert len(read_table(tmp_path)) == 1
    else:
        with pytest.raises(ValueError, match="line 2"):
            read_table(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("config.json", "[]", r"config.json: holds a list, expected an object"),
        ("config.json", '{\n"a": }', r"config.json: line 2, column 6: is not JSON"),
        ("runs.json", '{"epochs": [0], "runs": [], "groups": 3}', r"runs.json: groups is no object"),
        ("runs.json", '{"groups": 3}', r"runs.json: epochs is no list of numbers"),
        ("runs.json", '{"epochs": [0], "runs": [1], "groups": {}}', r"runs.json: runs is no list of objects"),
        (
            "runs.json",
            '{"epochs": [0], "runs": [{}], "groups": {"0": {"runs": [1], "size": 1}}}',
            r"runs.json: groups: 0 has runs that are not among the 1",
        ),
        ("runs.json", '{"epochs": [0], "runs": [], "groups": {"x": 1}}', r"runs.json: groups: x is no group"),
        ("data.json", "{}", r"data.json: lacks sha256"),
        ("environment.json", '{"resumed_in": 3}', r"environment.json: resumed_in is 3, expected"),
        ("summary.json", '{"seconds": "x"}', r"summary.json: seconds is 'x', expected"),
    ],
)
def test_a_description_that_is_none_is_named_and_nothing_is_lost(config, whole, name, content, reason):
    table = (whole / "results.jsonl").read_bytes()
    (whole / name).write_text(content)
    with pytest.raises(ValueError, match=rf"--workdir: .*{reason}"):
        run_sweep(config, whole)
    assert (whole / "results.jsonl").read_bytes() == table
    assert (whole / name).read_text() == content


@pytest.mark.parametrize("content", ["[]", '{"train": 3}', '{"nope": {"x": 1}}', '{"train": {"epochs": {"x": 1}}}'])
@pytest.mark.usefixtures("config")
def test_a_run_of_a_foreign_config_cannot_be_read(whole, content):
    (whole / "config.json").write_text(content)
    with pytest.raises(ValueError, match=r"config"):
        read_run(whole, 0)


@pytest.mark.parametrize("below", ["", "x", "x/y"])
def test_a_file_is_no_workdir(tmp_path, below):
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(ValueError, match=r"--workdir: got .*, but .*file is a file, expected a directory"):
        Workdir(path / below).check(default_config())


def test_a_ledger_that_was_written_is_read(whole):
    ledger = Workdir(whole).ledger()
    assert ledger is not None
    assert ledger.groups[0].runs == (0, 1)
    shutil.rmtree(whole)
    assert Workdir(whole).ledger() is None
