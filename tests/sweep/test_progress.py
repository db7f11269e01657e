"""What is told while a sweep runs."""

from ncjax.sweep import progress


def test_the_log_has_rate_place_flops_and_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "_LOG_SECONDS", -1.0)
    with progress.Progress(tmp_path, total_samples=400, num_runs=2) as bar:
        bar.begin(100, step_flops=1e6)
        bar.advance(100, "group 0, step 5/10", steps=5)
        bar.say("group 0: a remark")
    begins, line, remark, ends = (tmp_path / "sweep.log").read_text().splitlines()
    assert begins.endswith("begins: 2 runs, 400 samples")
    assert "50.0% of 400 samples" in line
    assert "samples/s" in line
    assert "s left, group 0, step 5/10" in line
    assert "FLOP/s" in line
    assert remark.endswith("group 0: a remark")
    assert ends.endswith("ends: finished")


def test_the_log_says_why_a_sweep_ended(tmp_path):
    try:
        with progress.Progress(tmp_path, total_samples=4, num_runs=1):
            raise ValueError("no reason")
    except ValueError:
        assert "ends: ValueError: no reason" in (tmp_path / "sweep.log").read_text()


def test_flops_have_a_unit_that_suits_them():
    assert [progress._flops(rate) for rate in (12.0, 3.2e9, 4.5e17)] == ["12 FLOP/s", "3.2 GFLOP/s", "450 PFLOP/s"]
