"""A run that is divided among devices is the run that it is on one."""

import jax
import pytest

from ncjax.sweep import make_mesh, resolve_batch_devices, run_sweep
from ncjax.sweep.launch import group
from ncjax.training import split_batch
from tests.sweep import devices
from tests.sweep.kills import rows_without_times

RUNS = devices.RUNS[1:3]


@pytest.fixture(scope="module")
def alone():
    return devices.outcome(devices.program("batch"), (1, 1), RUNS)


def test_with_batch_normalisation_all_devices_see_the_statistics_of_the_whole_batch(alone):
    # Other meshes: python -m tests.sweep.devices.
    state, measured = devices.outcome(devices.program("batch", "vmap"), (2, 4), RUNS)
    assert devices.deviation(state, alone[0]) < 1e-5
    assert devices.deviation(measured, alone[1]) < 1e-4


def test_the_batch_is_divided_and_not_repeated():
    with jax.sharding.set_mesh(make_mesh(1, 1, 8)):
        divided = jax.jit(split_batch)(jax.numpy.ones((8, 4, 4, 1)))
    assert divided.sharding.shard_shape(divided.shape) == (1, 4, 4, 1)


@pytest.mark.parametrize(
    ("num_runs", "batch_size", "max_devices", "expected"),
    [(8, 512, 0, 1), (1, 512, 0, 8), (2, 96, 0, 3), (3, 512, 0, 2), (1, 32, 0, 1), (8, 512, 2, 4), (1, 4, 1, 1)],
)
def test_devices_that_runs_leave_free_divide_batches_that_are_large_enough(num_runs, batch_size, max_devices, expected):
    assert resolve_batch_devices(0, num_runs, batch_size, max_devices) == expected


def test_a_division_that_does_not_fit_the_batch_is_an_error():
    with pytest.raises(ValueError, match=r"config\.mesh\.batch: got 3, expected a divisor of the batch size 32"):
        resolve_batch_devices(3, num_runs=1, batch_size=32)


def test_more_devices_along_both_axes_than_there_are_is_an_error():
    with pytest.raises(ValueError, match=r"config\.mesh\.batch: got 4 \(times mesh.runs=4\), expected at most 8"):
        make_mesh(num_runs=4, max_devices=4, batch_devices=4)


def test_a_sweep_goes_on_with_another_number_of_devices(config, finished, tmp_path, monkeypatch):
    workdir = tmp_path / "moved"
    write = group.EventFiles.write

    def fail_at_the_third_checkpoint(self, row):
        if row["step"] == 4:
            raise KeyboardInterrupt
        write(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(group.EventFiles, "write", fail_at_the_third_checkpoint)
        patch.setattr(group, "make_mesh", lambda runs, *_: make_mesh(runs, 2))
        with pytest.raises(KeyboardInterrupt):
            run_sweep(config, workdir)
    run_sweep(config, workdir)
    rows = rows_without_times(workdir)
    assert [(row["run"], row["step"]) for row in rows] == [(r, s) for s in (0, 2, 4, 12) for r in (0, 1)]
    for ours, theirs in zip(rows, finished, strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-3)
