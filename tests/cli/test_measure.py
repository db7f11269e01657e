import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ncjax.cli.features_file import FeaturesFile, read_features
from ncjax.cli.measure import last_checkpoint, measure_features, table
from ncjax.results import append_rows
from tests import reference

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    features, labels = reference.collapsed_features(rng, 3, 4, 12, std=0.5)
    kernel, bias = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32)
    return {
        "features": features[:24],
        "labels": labels[:24],
        "kernel": kernel,
        "bias": bias,
        "test_features": features[24:],
        "test_labels": labels[24:],
    }


@pytest.fixture(scope="module")
def read(sample, tmp_path_factory):
    path = tmp_path_factory.mktemp("features") / "features.npz"

    def saved(**changes: np.ndarray | None) -> FeaturesFile:
        np.savez(path, **{name: array for name, array in (sample | changes).items() if array is not None})
        return read_features(path)

    return saved


@pytest.fixture(scope="module")
def measured(read):
    return measure_features(read(), num_resamples=10)


def truth(sample):
    train = reference.report(sample["features"], sample["labels"], sample["kernel"])
    test = reference.report(sample["test_features"], sample["test_labels"], sample["kernel"])
    moments = [reference.Moments(sample[f"{p}features"], sample[f"{p}labels"]) for p in ("", "test_")]
    classifier = sample["kernel"], sample["bias"]
    for values, prefix in ((train, ""), (test, "test_")):
        features, labels = sample[f"{prefix}features"], sample[f"{prefix}labels"]
        values["collapsed_to_a_point"] = 0
        values["nc4"] = reference.nc4(moments[0], *classifier, features)
        values["error"] = np.mean((features @ classifier[0] + classifier[1]).argmax(axis=1) != labels)
    train["ncc_error"] = reference.held_out(moments[0], sample["features"], sample["labels"])["ncc_error"]
    test |= reference.held_out(moments[0], sample["test_features"], sample["test_labels"])
    own = reference.held_out(moments[1], sample["test_features"], sample["test_labels"])["ncc_error"]
    test |= {"ncc_error_test_means": own, "nc4_test_means": reference.nc4(moments[1], *classifier, features)}
    return {f"train/{name}": x for name, x in train.items()} | {f"test/{name}": x for name, x in test.items()}


def test_every_measure_of_both_splits_is_the_reference(sample, measured):
    expected = truth(sample)
    assert measured["metrics"].keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(measured["metrics"][name], value, rtol=1e-3, atol=1e-6, err_msg=name)


def test_intervals_surround_each_value_that_varies(measured):
    assert measured["intervals"].keys() == measured["metrics"].keys()
    bar = measured["intervals"]["train/cdnv"]
    assert bar["low"] < measured["metrics"]["train/cdnv"] - bar["bias"] < bar["high"]
    assert measured["intervals"]["train/nc2_etf_classifier"]["stderr"] == 0


def test_float64_features_are_measured_in_float64(sample, read):
    # At this depth of collapse float32 features hold no digit of the spread.
    means = np.eye(3, 4)[sample["labels"]]
    features = means + 1e-9 * np.random.default_rng(1).normal(size=means.shape)
    result = measure_features(read(features=features, test_features=None, test_labels=None))
    expected = reference.report(features, sample["labels"], sample["kernel"])
    assert result["precision"] == "float64"
    for name in ("cdnv", "nc1", "variance_ratio"):
        np.testing.assert_allclose(result["metrics"][name], expected[name], rtol=1e-5, err_msg=name)


@pytest.mark.slow
def test_what_is_not_finite_is_null_and_noted(read):
    labels = np.arange(24) % 3
    result = measure_features(
        read(
            features=np.ones((24, 4), np.float32),
            labels=labels,
            kernel=None,
            bias=None,
            test_features=None,
            test_labels=None,
        )
    )
    assert result["metrics"]["cdnv"] is None
    assert any(note.startswith("not finite, written as null: cdnv") for note in result["notes"])
    json.dumps(result, allow_nan=False)


def test_the_table_has_a_line_for_each_measure(measured):
    lines = table(measured).splitlines()
    assert len(lines) == 2 + len(measured["metrics"]) + len(measured["notes"])
    assert max(map(len, lines[: 2 + len(measured["metrics"])])) <= 120


def test_the_last_checkpoint_of_a_run_is_its_last_step(tmp_path):
    rows = [{"run": r, "step": s, "learning_rate": 0.1, "train/cdnv": r + s / 10} for s in (0, 5) for r in (0, 1)]
    append_rows(tmp_path / "results.jsonl", rows)
    result = last_checkpoint(tmp_path, 1)
    assert (result["run"], result["step"], result["metrics"]) == (1, 5, {"train/cdnv": 1.5})
    assert "train/cdnv" in table(result)
    with pytest.raises(ValueError, match=r"--run: got 2, expected one of the runs 0\.\.1"):
        last_checkpoint(tmp_path, 2)


def launch(*arguments):
    environment = {**os.environ, "XLA_FLAGS": ""}
    command = [sys.executable, "-m", "experiments.measure", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


def test_the_standard_output_is_json_and_nothing_else(sample, tmp_path):
    np.savez(tmp_path / "features.npz", features=sample["features"], labels=sample["labels"])
    done = launch(f"--features={tmp_path / 'features.npz'}", f"--json={tmp_path / 'out'}")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["classes"] == 3
    assert json.loads((tmp_path / "out").read_text()) == json.loads(done.stdout)
    assert done.stderr.startswith("devices: cpu:0")
    assert done.stderr.endswith(f"results: {tmp_path / 'out'}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected either --features=F.npz or --workdir=DIR --run=N"),
        (["--features=none.npz"], "No such file or directory: 'none.npz'"),
        (["--workdir=none", "--run=0"], "no results table here"),
        (["--workdir=", "--run=0"], "--workdir: got nothing"),
        (["--features=a", "--features=b"], "--features: got --features=a and --features=b, expected one of them"),
    ],
)
def test_bad_input_ends_with_one_line(arguments, message):
    done = launch(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
