"""Groups that do not fit into memory are divided; the rows stay those of one program."""

import jax
import jax.numpy as jnp
import pytest

from ncjax.sweep import run_sweep
from ncjax.sweep.program.memory import TooLarge, runs_that_fit
from ncjax.sweep.program.memory import halving_when_out_of_memory as halving
from ncjax.sweep.program.resident import ResidentGroup
from tests.sweep.kills import rows_without_times


@jax.jit
def too_much():
    """More bytes than a process can address, so that any machine is out of memory."""
    return jnp.zeros(1 << 46)


def in_order(rows):
    return sorted(rows, key=lambda row: (row["run"], row["step"]))


@pytest.fixture
def four_runs(config):
    config.sweep.seed = (0, 1)
    return config


@pytest.fixture
def whole(four_runs, tmp_path):
    """Rows of the four runs in one program."""
    run_sweep(four_runs, tmp_path / "whole")
    return in_order(rows_without_times(tmp_path / "whole"))


@pytest.mark.slow
def test_a_group_that_runs_out_of_memory_on_the_way_is_halved_and_goes_on(
    four_runs, whole, tmp_path, monkeypatch, capsys
):
    call, workdir = ResidentGroup._call, tmp_path / "halved"

    def fail_at_step_four(self, state, start, size, measuring):
        if self._num_runs == 4 and start == 4 and size:
            with halving(4):
                too_much()
        return call(self, state, start, size, measuring)

    monkeypatch.setattr(ResidentGroup, "_call", fail_at_step_four)
    summary = run_sweep(four_runs, workdir)
    said = [line for line in capsys.readouterr().err.splitlines() if "out of memory" in line]
    assert [line.strip() for line in said] == [
        "group 0: out of memory with 4 runs in a program; going on with at most 2 at a time"
    ]
    assert summary["groups"] == 2
    assert sorted(path.name for path in (workdir / "checkpoints").iterdir()) == ["group_001", "group_002"]
    rows = in_order(rows_without_times(workdir))
    assert [(row["run"], row["step"]) for row in rows] == [(row["run"], row["step"]) for row in whole]
    # Up to the division by the same program, beyond it by another one: float32 rounding may differ.
    for ours, theirs in zip(rows, whole, strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], rel=1e-4)


@pytest.mark.slow
def test_a_limit_on_runs_per_program_makes_groups_of_one_size_that_share_a_program(four_runs, whole, tmp_path):
    four_runs.mesh.runs_per_program = 3
    summary = run_sweep(four_runs, tmp_path / "limited")
    # Two and two: one program to begin and one to advance.
    assert summary["groups"] == 2
    assert summary["compilations"] <= 2
    rows = in_order(rows_without_times(tmp_path / "limited"))
    assert len(rows) == 4 * 4
    mine = {(row["learning_rate"], row["seed"], row["step"]): row for row in rows}
    for row in whole:
        same = mine[row["learning_rate"], row["seed"], row["step"]]
        assert same["train/loss"] == pytest.approx(row["train/loss"], rel=1e-4)


@pytest.mark.structure
@pytest.mark.parametrize("stream", ["never", "always"])
def test_a_program_that_would_not_fit_is_divided_before_it_runs(four_runs, tmp_path, monkeypatch, stream):
    four_runs.stream.train = stream
    monkeypatch.setattr("ncjax.sweep.program.memory.runs_that_fit", lambda *sizes: min(sizes[2], 2))
    assert run_sweep(four_runs, tmp_path)["groups"] == 2
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"group_001", "group_002"}


@pytest.mark.parametrize(
    ("needed", "fixed", "runs", "available", "expected"),
    [(100, 0, 10, None, 10), (100, 0, 10, 125, 10), (100, 0, 10, 124, 9), (100, 50, 10, 100, 6), (100, 90, 10, 50, 1)],
)
def test_as_many_runs_as_memory_holds_with_a_margin(needed, fixed, runs, available, expected):
    assert runs_that_fit(needed, fixed, runs, available) == expected


def test_other_errors_of_a_program_are_left_as_they_are():
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"), halving(4):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")


def test_halving_rounds_up_and_ends_with_one_run():
    with pytest.raises(TooLarge, match=r"^out of memory with 3 runs in a program$") as answer, halving(3):
        too_much()
    assert answer.value.runs == 2
    message = r"one run does not fit into memory \(RESOURCE_EXHAUSTED: Out of memory allocating 281474976710656 bytes"
    with pytest.raises(ValueError, match=message), halving(1):
        too_much()
