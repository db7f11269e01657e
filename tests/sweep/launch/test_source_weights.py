import dataclasses
import json
import shutil

import numpy as np
import pytest

from ncjax import data
from ncjax.results import read_rows
from ncjax.sweep import read_config, read_run, run_sweep
from ncjax.sweep.workdir import event_files
from tests import small
from tests.sweep.conftest import make_config
from tests.sweep.kills import rows_without_times

pytestmark = pytest.mark.slow


def small_config(**changes):
    config = make_config()
    for name, value in changes.items():
        config[name].update(value)
    return config


@pytest.fixture(scope="module")
def folder(tmp_path_factory, finished_workdir):
    """``source``, a sweep; ``whole``, one that fine-tunes the last stage of its run 1 on two classes."""
    whole = small.small_dataset()
    train, test = (data.select_classes(split, ("a", "b")) for split in (whole.train, whole.test))
    other = dataclasses.replace(whole, name="other", train=train, test=test)
    folder = tmp_path_factory.mktemp("sweeps")
    with pytest.MonkeyPatch.context() as patch:
        # Both sweeps name the same data in their configs; the seed tells them apart.
        patch.setattr(data, "load", lambda spec: other if spec.seed else whole)
        shutil.copytree(finished_workdir, folder / "source")
        run_sweep(fine_tuning(folder), folder / "whole")
        yield folder


def fine_tuning(folder, **changes):
    init = {"workdir": str(folder / "source"), "run": 1, "last_stages": 1}
    return small_config(**{"data": {"seed": 1}, "init": init, **changes})


def test_frozen_layers_stay_those_of_the_source_and_the_others_move_from_there(folder):
    source = read_run(folder / "source", 1).state.params
    for run in (0, 1):
        params = read_run(folder / "whole", run).state.params
        np.testing.assert_array_equal(params["dense1"]["kernel"], source["dense1"]["kernel"])
        assert 0 < np.abs(params["dense2"]["kernel"] - source["dense2"]["kernel"]).max() < 0.5
        assert params["classifier"]["kernel"].shape == (5, 2)


def test_the_table_is_that_of_any_sweep(folder):
    source, whole = (read_rows(folder / name / "results.jsonl") for name in ("source", "whole"))
    assert whole[0].keys() == source[0].keys()
    assert json.loads((folder / "whole" / "config.json").read_text())["init"]["run"] == 1


def test_an_interrupted_sweep_resumes_from_the_weights_that_it_began_with(folder, tmp_path, monkeypatch):
    def fail_at_the_first_checkpoint(self, row):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(event_files.EventFiles, "write", fail_at_the_first_checkpoint)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(fine_tuning(folder), tmp_path)
    # Without a checkpoint of its own the sweep starts again, though its source is gone.
    shutil.rmtree(tmp_path / "checkpoints")
    shutil.copytree(folder / "source", tmp_path / "elsewhere")
    shutil.rmtree(folder / "source")
    try:
        run_sweep(fine_tuning(folder), tmp_path)
    finally:
        shutil.move(tmp_path / "elsewhere", folder / "source")
    assert rows_without_times(tmp_path) == rows_without_times(folder / "whole")


def test_another_start_in_the_same_workdir_is_refused(folder):
    config = fine_tuning(folder)
    config.init.run = 0
    with pytest.raises(ValueError, match=r"holds a sweep with config\.init\.run=1, this one has 0"):
        run_sweep(config, folder / "whole")


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("init", {"workdir": "nowhere"}, r"config\.init: --workdir: nowhere holds no sweep"),
        ("init", {"run": 7}, r"config\.init: --run: got 7"),
        ("init", {"last_stages": 3}, r"config\.init\.last_stages: got 3, expected at most the 2 stages"),
        ("model", {"widths": (6, 4)}, r"config\.init\.workdir: its network has a layer of shape"),
        ("model", {"norm": "batch"}, r"config\.init\.workdir: its network has classifier, dense1"),
    ],
)
def test_a_source_that_does_not_fit_is_named_before_anything_is_written(folder, tmp_path, section, changes, message):
    config = fine_tuning(folder)
    config[section].update(changes)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run_sweep(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_frozen_layers_of_fresh_weights_are_refused():
    with pytest.raises(ValueError, match=r"config\.init\.last_stages: given without workdir"):
        read_config(small_config(init={"last_stages": 1}))
