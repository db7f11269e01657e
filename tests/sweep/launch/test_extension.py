"""A finished sweep that is given more to do runs only what is missing."""

import shutil

import pytest

from ncjax.sweep import count_compilations, run_sweep
from tests.sweep.kills import rows_without_times

pytestmark = pytest.mark.structure


def by_settings(rows):
    """Rows by what they are of, whatever number their run has."""
    return {
        (row["learning_rate"], row["seed"], row["step"]): {k: v for k, v in row.items() if k != "run"} for row in rows
    }


@pytest.fixture
def finished(finished_workdir, tmp_path):
    shutil.copytree(finished_workdir, tmp_path, dirs_exist_ok=True)
    return rows_without_times(tmp_path)


def test_more_seeds_in_another_order_add_rows_and_leave_the_others(config, finished, tmp_path):
    config.sweep.learning_rate, config.sweep.seed = (0.2, 0.05), (1, 0)
    run_sweep(config, tmp_path)
    extended = rows_without_times(tmp_path)
    assert extended[: len(finished)] == finished
    assert [row["run"] for row in extended[len(finished) :]] == 4 * [2, 3]
    # The new runs are those of a sweep that has only them.
    config.sweep.seed = (1,)
    run_sweep(config, tmp_path / "fresh")
    assert by_settings(extended[len(finished) :]) == by_settings(rows_without_times(tmp_path / "fresh"))
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["group_000", "group_001"]


def test_more_epochs_go_on_from_the_final_state(config, finished, tmp_path):
    config.train.epochs = 8.0
    run_sweep(config, tmp_path)
    extended = rows_without_times(tmp_path)
    assert extended[: len(finished)] == finished
    assert [(row["run"], row["step"]) for row in extended[len(finished) :]] == [(0, 24), (1, 24)]
    # Then new runs are measured at all the epochs at which the old ones were.
    config.sweep.seed = (0, 1)
    run_sweep(config, tmp_path)
    steps = [row["step"] for row in rows_without_times(tmp_path) if row["seed"] == 1 and row["learning_rate"] == 0.05]
    assert steps == [0, 2, 4, 12, 24]


def test_an_extended_run_is_that_of_a_sweep_of_full_length(config, finished, tmp_path):
    config.train.epochs = 8.0
    run_sweep(config, tmp_path)
    run_sweep(config, tmp_path / "long")
    last, long = rows_without_times(tmp_path)[-1], rows_without_times(tmp_path / "long")[-1]
    assert last == long


def test_an_interrupted_extension_goes_on(config, finished, tmp_path, monkeypatch):
    config.sweep.seed = (0, 1)

    def fail(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ncjax.sweep.launch.here.run_group", fail)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(config, tmp_path)
    run_sweep(config, tmp_path)
    assert len(rows_without_times(tmp_path)) == 2 * len(finished)


def test_other_devices_are_no_other_sweep(config, finished, tmp_path):
    config.mesh.runs = 2
    with count_compilations() as compilations:
        run_sweep(config, tmp_path)
    assert compilations.count == 0
    assert rows_without_times(tmp_path) == finished


def test_a_config_that_lacks_runs_is_refused_by_naming_one(config, finished, tmp_path):
    config.sweep.learning_rate = (0.2, 0.4)
    with pytest.raises(ValueError, match=r"it holds a run with learning_rate=0\.05, .* which this config lacks"):
        run_sweep(config, tmp_path)
    assert rows_without_times(tmp_path) == finished


@pytest.mark.parametrize(
    ("key", "value"),
    [("measure.checkpoints", 6), ("measure.chunk", 5), ("data.label_noise", 0.5), ("model.widths", (6, 6))],
)
def test_what_changes_the_rows_that_are_there_is_refused(config, finished, tmp_path, key, value):
    config.update_from_flattened_dict({key: value})
    with pytest.raises(ValueError, match=rf"config\.{key}=.*expected the same config, one that extends it"):
        run_sweep(config, tmp_path)
    assert rows_without_times(tmp_path) == finished
