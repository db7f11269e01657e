"""A run that is divided among devices is the run that it is on one."""

import jax
import pytest

from ncjax.sweep import make_mesh, run_sweep
from ncjax.sweep.launch import group
from ncjax.sweep.workdir import event_files
from ncjax.training import split_batch
from tests.sweep import devices
from tests.sweep.kills import rows_without_times

pytestmark = pytest.mark.slow

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


def test_a_sweep_goes_on_with_another_number_of_devices(config, finished, tmp_path, monkeypatch):
    workdir = tmp_path / "moved"
    write = event_files.EventFiles.write

    def fail_at_the_third_checkpoint(self, row):
        if row["step"] == 4:
            raise KeyboardInterrupt
        write(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(event_files.EventFiles, "write", fail_at_the_third_checkpoint)
        patch.setattr(group, "make_mesh", lambda runs, *_: make_mesh(runs, 2))
        with pytest.raises(KeyboardInterrupt):
            run_sweep(config, workdir)
    run_sweep(config, workdir)
    rows = rows_without_times(workdir)
    assert [(row["run"], row["step"]) for row in rows] == [(r, s) for s in (0, 2, 4, 12) for r in (0, 1)]
    for ours, theirs in zip(rows, finished, strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-3)
