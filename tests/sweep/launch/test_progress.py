"""What is told while a sweep runs."""

import pytest

from ncjax.sweep.launch import progress
from ncjax.sweep.launch.progress import Work


@pytest.fixture
def lines(tmp_path, monkeypatch):
    """What the log says, without times."""
    monkeypatch.setattr(progress, "_LOG_SECONDS", -1.0)
    return lambda: [line.partition(" ")[2] for line in (tmp_path / "sweep.log").read_text().splitlines()]


def test_the_log_has_share_rate_place_flops_and_time_left(tmp_path, lines):
    with progress.Progress(tmp_path, Work(400, 4), num_runs=2) as bar:
        bar.begin(Work(100, 2), step_flops=1e6)
        bar.measured(1, "group 0, step 0/10", seconds=5.0)
        bar.advance(100, "group 0, step 5/10", steps=5, seconds=10.0)
        bar.say("group 0: a remark")
    begins, measured, line, remark, ends = lines()
    assert begins == "begins: 2 runs, 400 samples, 4 measurements"
    # How long training takes is not known yet.
    assert measured == "25.0% of the work, group 0, step 0/10"
    # 200 samples and one measurement are left, of 400 and four.
    assert line == f"{35 / 60:.1%} of the work, group 0, step 5/10, 10 samples/s, 500 kFLOP/s, 00:25 left"
    assert remark == "group 0: a remark"
    assert ends == "ends: finished"


def test_the_rate_is_that_of_the_last_slices(tmp_path, lines):
    with progress.Progress(tmp_path, Work(10_000, 0), num_runs=1) as bar:
        bar.begin(Work(0, 0), step_flops=0.0)
        # A slow first call, and slices into which compiling went.
        bar.advance(10, "", steps=1, seconds=1000.0)
        bar.advance(10, "", steps=1, seconds=None)
        for _ in range(2 * progress._SLICES):
            bar.advance(100, "", steps=10, seconds=1.0)
            assert "100 samples/s" in lines()[-1]
        assert lines()[-1].endswith("01:19 left")


def test_compiling_is_said_and_counts_in_no_rate(tmp_path, lines, capsys):
    with progress.Progress(tmp_path, Work(10, 0), num_runs=1) as bar:
        with bar.compiling("group 3"):
            assert lines()[-1] == "group 3: compiling …"
            assert "group 3: compiling …" in capsys.readouterr().err
        assert lines()[-1].startswith("group 3: compiled in ")
        assert "left" not in capsys.readouterr().err


def test_what_is_done_already_counts_as_done(tmp_path, lines):
    with progress.Progress(tmp_path, Work(100, 10), num_runs=1) as bar:
        bar.skip(Work(50, 5))
        bar.begin(Work(25, 2), step_flops=0.0)
        bar.measured(1, "", seconds=1.0)
        bar.advance(5, "", steps=1, seconds=0.5)
        # 20 samples at 0.1 s and two measurements at 1 s, of 100 and ten.
        assert lines()[-1] == "80.0% of the work, 10 samples/s, 0 FLOP/s, 00:04 left"


def test_the_log_says_why_a_sweep_ended(tmp_path):
    try:
        with progress.Progress(tmp_path, Work(4, 0), num_runs=1):
            raise ValueError("no reason")
    except ValueError:
        assert "ends: ValueError: no reason" in (tmp_path / "sweep.log").read_text()


def test_flops_have_a_unit_that_suits_them():
    assert [progress._flops(rate) for rate in (12.0, 3.2e9, 4.5e17)] == ["12 FLOP/s", "3.2 GFLOP/s", "450 PFLOP/s"]
