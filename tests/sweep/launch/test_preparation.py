"""A sweep's data: read in full when somebody asks for it, and after a crash."""

import shutil

import pytest

from ncjax import data
from ncjax.sweep.launch.preparation import prepare
from ncjax.sweep.workdir.lock import locked
from ncjax.sweep.workdir.workdir import Workdir


@pytest.fixture
def verified(monkeypatch):
    """Whether the data were verified, for each time that they were loaded."""
    load, verified = data.load, []

    def recording(spec, verify=False):
        verified.append(verify)
        return load(spec)

    monkeypatch.setattr(data, "load", recording)
    return verified


def test_data_are_verified_when_asked_for_and_after_a_crash(config, tmp_path, verified):
    workdir = tmp_path / "sweep"
    prepare(config, Workdir(workdir))
    with locked(workdir):
        # What another process finds that goes on after one that was killed.
        shutil.copytree(workdir, tmp_path / "crashed")
    prepare(config, Workdir(workdir))
    prepare(config, Workdir(workdir), verify_data=True)
    prepare(config, Workdir(tmp_path / "crashed"))
    assert verified == [False, False, True, True]
    # Once it has run to an end the crash is forgotten.
    with locked(tmp_path / "crashed"):
        pass
    prepare(config, Workdir(tmp_path / "crashed"))
    assert verified[4:] == [False]


def test_a_process_that_stops_in_order_leaves_no_sign_of_a_crash(config, tmp_path, verified):
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    prepare(config, Workdir(tmp_path))
    assert verified == [False]
