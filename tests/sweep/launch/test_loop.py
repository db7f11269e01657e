import dataclasses
import json

import pytest

from ncjax import data
from ncjax.sweep import call_in_words, count_compilations, run_sweep
from ncjax.sweep.launch import run_group
from ncjax.sweep.workdir import event_files, lock
from tests.sweep.kills import rows_without_times

pytestmark = pytest.mark.structure


def test_there_is_one_row_for_each_run_and_checkpoint(config, finished):
    assert [(row["run"], row["step"]) for row in finished] == [(r, s) for s in (0, 2, 4, 12) for r in (0, 1)]
    assert finished[1]["learning_rate"] == 0.2


def test_an_interrupted_sweep_ends_with_the_table_of_an_uninterrupted_one(config, finished, tmp_path, monkeypatch):
    workdir, write = tmp_path / "cut", event_files.EventFiles.write

    def fail_at_the_third_checkpoint(self, row):
        if row["step"] == 4:
            raise KeyboardInterrupt
        write(self, row)

    with monkeypatch.context() as patch:
        patch.setattr(event_files.EventFiles, "write", fail_at_the_third_checkpoint)
        with pytest.raises(KeyboardInterrupt):
            run_sweep(config, workdir)
    with (workdir / "results.jsonl").open("a") as file:
        file.write('{"run": 1, "st')
    summary = run_sweep(config, workdir)
    assert summary["rows"] == len(finished)
    # Those of two checkpoints were kept.
    assert call_in_words(summary).startswith("2 of 2 runs, 4 of 8 rows in ")
    assert rows_without_times(workdir) == finished
    # Both runs share a program, so each row has half of its time.
    rows = [json.loads(line) for line in (workdir / "results.jsonl").read_text().splitlines()]
    for name in ("train_seconds", "measure_seconds"):
        spent = sum(row[f"time/{name}"] for row in rows if row["run"] == 0 and row["step"] >= 4)
        assert summary["this_call"][name] == pytest.approx(spent)


def test_a_column_that_is_not_in_the_list_is_refused_and_nothing_is_written(config, tmp_path, monkeypatch):
    measure = run_group.CompiledGroup.measure

    def with_a_novelty(self, state, step):
        state, measured = measure(self, state, step)
        return state, {**measured, "train/varianceratio": measured["train/variance_ratio"]}

    monkeypatch.setattr(run_group.CompiledGroup, "measure", with_a_novelty)
    with pytest.raises(ValueError, match=r"got 'train/varianceratio'.*did you mean 'train/variance_ratio'"):
        run_sweep(config, tmp_path)
    assert not (tmp_path / "results.jsonl").exists()


def test_a_finished_sweep_is_not_run_again(config, finished, tmp_path):
    with count_compilations() as compilations:
        summary = run_sweep(config, tmp_path / "whole")
    assert compilations.count == 0
    assert summary["rows"] == len(finished)
    assert call_in_words(summary) == "nothing to do: all 2 runs are measured to the end (8 rows)"
    assert "nothing to do" in (tmp_path / "whole" / "sweep.log").read_text()
    assert rows_without_times(tmp_path / "whole") == finished


def test_a_workdir_of_another_config_is_refused_and_left_alone(config, finished, tmp_path):
    config.train.epochs = 3.0
    with pytest.raises(ValueError, match=r"--workdir: .* config\.train\.epochs=4\.0, this one has 3\.0"):
        run_sweep(config, tmp_path / "whole")
    assert rows_without_times(tmp_path / "whole") == finished


def test_the_workdir_says_what_ran_where_on_which_data(config, finished, tmp_path):
    workdir = tmp_path / "whole"
    environment, description = (json.loads((workdir / f"{name}.json").read_text()) for name in ("environment", "data"))
    assert environment["versions"]["jax"]
    assert environment["devices"]
    assert description["splits"]["train"] == {"images": 15, "classes": ["a", "b", "c"]}
    assert description["input_std"][0] > 0
    assert len(list((workdir / "tensorboard").glob("run_*/events*"))) == 2


def test_more_ways_than_target_classes_is_an_error_before_anything_is_written(config, tmp_path):
    config.transfer.episodes, config.transfer.ways = 4, 3
    with pytest.raises(ValueError, match=r"config\.transfer\.ways: 3 is more than the 2 classes"):
        run_sweep(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_batch_larger_than_the_data_is_an_error(config, tmp_path):
    config.train.batch_size = 16
    with pytest.raises(ValueError, match=r"config\.train\.batch_size: got 16, expected at most the 15"):
        run_sweep(config, tmp_path / "new")


def test_a_network_that_does_not_take_the_images_is_an_error_before_anything_is_written(config, tmp_path):
    config.model.name = "convnet4"
    config.model.widths = ()
    with pytest.raises(ValueError, match=r"config\.model: images: got 4x4 pixels"):
        run_sweep(config, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_second_process_on_a_workdir_is_refused(config, tmp_path):
    with lock.locked(tmp_path), pytest.raises(ValueError, match="another process is running a sweep"):
        run_sweep(config, tmp_path)


def test_other_data_under_the_same_config_is_refused(config, finished, tmp_path, monkeypatch, small_dataset):
    other = dataclasses.replace(small_dataset, train=small_dataset.test)
    monkeypatch.setattr(data, "load", lambda _: other)
    with pytest.raises(ValueError, match="holds a sweep on small with sha256"):
        run_sweep(config, tmp_path / "whole")


def test_a_table_lost_under_its_checkpoints_is_an_error(config, finished, tmp_path):
    (tmp_path / "whole" / "results.jsonl").unlink()
    with pytest.raises(ValueError, match="lacks 6 rows"):
        run_sweep(config, tmp_path / "whole")


def test_a_run_that_is_not_finite_is_marked_and_its_measurements_left_empty(config, tmp_path):
    config.sweep.learning_rate = (0.05, 1e20)
    run_sweep(config, tmp_path / "diverging")
    rows = rows_without_times(tmp_path / "diverging")
    assert [row["diverged"] for row in rows[-2:]] == [False, True]
    assert rows[-1]["train/error"] is None
    assert rows[-2]["train/error"] is not None


def test_repeating_a_finished_sweep_keeps_what_it_cost(config, finished, tmp_path):
    before = json.loads((tmp_path / "whole" / "summary.json").read_text())
    after = run_sweep(config, tmp_path / "whole")
    assert after["seconds"] >= before["seconds"] > 0
    assert after["compilations"] == before["compilations"]


def test_a_profile_of_some_steps_is_written(config, tmp_path):
    run_sweep(config, tmp_path, profile_steps=2)
    assert len(list((tmp_path / "profile").rglob("*.xplane.pb"))) == 1
