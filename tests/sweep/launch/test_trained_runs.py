"""The states that a sweep leaves behind are the networks that it measured."""

import json
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import data
from ncjax.cli.measure import measure_run
from ncjax.data import normalize
from ncjax.sweep import Workdir, read_run
from tests.sweep.kills import rows_without_times


def test_the_final_state_of_every_run_is_the_network_of_its_last_row(config, finished_workdir):
    for row in rows_without_times(finished_workdir)[-2:]:
        trained = read_run(finished_workdir, row["run"])
        split = trained.dataset.test
        images = normalize(jnp.asarray(split.images), trained.dataset.mean, trained.dataset.std)
        logits, _ = trained.model.apply(trained.state.variables, images)
        assert trained.step == row["step"]
        assert trained.settings["learning_rate"] == row["learning_rate"]
        assert np.mean(np.argmax(logits, axis=-1) != split.labels) == pytest.approx(row["test/error"])
    with pytest.raises(ValueError, match=r"--run: got 2, expected one of the runs 0\.\.1"):
        read_run(finished_workdir, 2)


@pytest.mark.slow
def test_a_run_measured_again_has_the_collapse_of_its_last_row(config, finished_workdir):
    row = rows_without_times(finished_workdir)[-1]
    result = measure_run(finished_workdir, row["run"])
    assert (result["step"], result["learning_rate"]) == (row["step"], row["learning_rate"])
    for name, value in result["metrics"].items():
        assert value == pytest.approx(row[name], rel=1e-3, abs=1e-5), name


def test_a_checkpoint_is_read_without_its_data(finished_workdir, monkeypatch):
    def fail(_):
        raise AssertionError("the data was read")

    monkeypatch.setattr(data, "load", fail)
    # A path may be given as text.
    trained = read_run(str(finished_workdir), 1)
    assert trained.embed(np.zeros((2, *trained.network.image_shape), np.uint8)).shape == (2, 5)
    with pytest.raises(AssertionError, match="the data was read"):
        _ = trained.dataset


def test_a_workdir_without_descriptions_of_networks_is_read_with_its_data(config, finished_workdir, tmp_path):
    shutil.copytree(finished_workdir, tmp_path / "old")
    for path in (tmp_path / "old" / "checkpoints").glob("*/network.json"):
        path.unlink()
    ours, theirs = (read_run(workdir, 1) for workdir in (tmp_path / "old", finished_workdir))
    assert ours.network == theirs.network
    assert ours.network.mean.tolist() == ours.dataset.mean.tolist()


@pytest.mark.parametrize("text", ["[]", "{}", '{"model": 3}', '{"model": {"name": "nope", "x": 1}}'])
def test_a_damaged_description_of_a_network_is_one_line(finished_workdir, tmp_path, text):
    shutil.copytree(finished_workdir, tmp_path / "damaged")
    (path,) = (tmp_path / "damaged" / "checkpoints").glob("*/network.json")
    path.write_text(text)
    with pytest.raises(ValueError, match=r"network\.json"):
        read_run(tmp_path / "damaged", 1)


def test_a_workdir_whose_rows_stand_in_sections_goes_on_and_is_not_read_before(config, finished_workdir, tmp_path):
    shutil.copytree(finished_workdir, tmp_path / "old")
    path = tmp_path / "old" / "config.json"
    content = json.loads(path.read_text())
    content["sweep"]["zipped"] = []
    content["sweeps"] = {"row": {"learning_rate": [0.1]}}
    path.write_text(json.dumps(content))
    Workdir(tmp_path / "old").check(config)
    with pytest.raises(ValueError, match=r"config\.json: 'sweeps' is of an earlier version; go on with this sweep"):
        read_run(tmp_path / "old", 0)


def test_no_sweep_has_no_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no sweep"):
        read_run(tmp_path, 0)
