"""The states that a sweep leaves behind are the networks that it measured."""

import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.data import normalize
from ncjax.sweep import read_run, run_sweep
from tests.sweep.kills import rows_without_times


def test_the_final_state_of_every_run_is_the_network_of_its_last_row(smaller_sweep_config, tmp_path):
    run_sweep(smaller_sweep_config, tmp_path)
    for row in rows_without_times(tmp_path)[-2:]:
        trained = read_run(tmp_path, row["run"])
        split = trained.dataset.test
        images = normalize(jnp.asarray(split.images), trained.dataset.mean, trained.dataset.std)
        logits, _ = trained.model.apply(trained.state.variables, images)
        assert trained.step == row["step"]
        assert trained.settings["learning_rate"] == row["learning_rate"]
        assert np.mean(np.argmax(logits, axis=-1) != split.labels) == pytest.approx(row["test/error"])
    with pytest.raises(ValueError, match=r"--run: got 2, expected one of the runs 0\.\.1"):
        read_run(tmp_path, 2)


def test_no_sweep_has_no_runs(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no sweep"):
        read_run(tmp_path, 0)
