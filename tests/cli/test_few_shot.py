import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from ncjax import data, transfer
from ncjax.cli.few_shot import Protocol, measure_sets, table
from ncjax.cli.few_shot_features import from_files, from_workdir
from ncjax.sweep import run_sweep
from tests.sweep.conftest import make_config

ROOT = Path(__file__).resolve().parents[2]
LABELS = np.repeat(np.arange(6) * 10, 30)
PROTOCOL = Protocol(ways=3, shots=(1, 4), queries=5, episodes=20, heads=("ncm",))


def save(path, seed=0, dim=8):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(180, dim)) + generator.normal(size=(6, dim))[LABELS // 10]
    np.savez(path, features=features.astype(np.float32), labels=LABELS)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    return [save(folder / f"{seed}.npz", seed) for seed in (0, 1)]


@pytest.fixture(scope="module")
def measured(files):
    return measure_sets(from_files(files, None, None), PROTOCOL)


def test_accuracies_are_those_of_the_library(files, measured):
    result, per_episode = measured
    features = np.load(files[0])["features"]
    for shots in PROTOCOL.shots:
        expected = transfer.few_shot(
            features, LABELS, jax.random.key(0), ways=3, shots=shots, queries=5, episodes=20, head="ncm"
        )
        np.testing.assert_array_equal(per_episode[f"ncm_{shots}shot"][0], expected.per_episode)
        accuracy = result["sets"][0]["accuracy"][f"ncm_{shots}shot"]
        assert accuracy["mean"] == pytest.approx(float(expected.mean))
        assert accuracy["ci95_episodes"] == pytest.approx(float(expected.ci95))
        assert accuracy["error"] <= accuracy["error_bound"]


def test_the_interval_over_seeds_is_that_of_the_files_means(measured):
    result, per_episode = measured
    means = per_episode["ncm_4shot"].mean(axis=1)
    (over,) = result["over_seeds"]
    assert over["seeds"] == 2
    assert over["accuracy"]["ncm_4shot"]["mean"] == pytest.approx(means.mean(), rel=1e-5)
    # 12.706 is the 97.5% quantile of Student's t with one degree of freedom.
    half_width = 12.706 * means.std(ddof=1) / np.sqrt(2)
    assert over["accuracy"]["ncm_4shot"]["ci95_seeds"] == pytest.approx(half_width, rel=1e-3)
    json.dumps(result, allow_nan=False)
    assert "(95%, over seeds)" in table(result)


def test_episodes_of_a_file_score_as_the_same_episodes_drawn(files, measured, tmp_path):
    spec = transfer.EpisodeSpec(ways=3, shots=(4,), queries=5, episodes=20)
    episodes = transfer.sample_episodes(transfer.class_index(LABELS), jax.random.key(0), spec)
    transfer.write_episodes(tmp_path / "episodes.json", episodes)
    protocol = Protocol(shots=(4,), heads=("ncm", "logistic"), episodes_file=str(tmp_path / "episodes.json"))
    result, per_episode = measure_sets(from_files(files[:1], None, None), protocol)
    assert 0 < result["sets"][0]["accuracy"]["logistic_4shot"]["gradient_norm"] <= 1e-5
    np.testing.assert_allclose(per_episode["ncm_4shot"][0], measured[1]["ncm_4shot"][0], atol=1e-6)
    with pytest.raises(ValueError, match="--shots: got 5, expected at most the 4 supports"):
        measure_sets(from_files(files[:1], None, None), Protocol(shots=(5,), episodes_file=protocol.episodes_file))


def test_validation_classes_choose_the_ridge(files, monkeypatch):
    # Two of the seven candidates, each of which takes time to compile.
    choose = functools.partial(transfer.choose_head, heads=transfer.RIDGE_HEADS[1:6:4])
    monkeypatch.setattr(transfer, "choose_head", choose)
    protocol = Protocol(ways=3, shots=(4,), queries=5, episodes=20, heads=("ridge_chosen",))
    result, _ = measure_sets(from_files(files[:1], files[1], None), protocol)
    assert result["sets"][0]["ridge_chosen_l2"]["4shot"] in (0.1, 1_000.0)
    with pytest.raises(ValueError, match="--head: ridge_chosen needs validation classes"):
        measure_sets(from_files(files[:1], None, None), protocol)


def test_files_that_do_not_belong_together_are_named(files, tmp_path):
    other = save(tmp_path / "other.npz", dim=5)
    with pytest.raises(ValueError, match="--source_features: got 5 columns, expected the 8 of --features"):
        from_files(files[:1], None, other)
    with pytest.raises(ValueError, match="go with one --features file"):
        from_files(files, other, None)


@pytest.mark.slow
def test_a_sweeps_checkpoint_scores_as_in_its_table(tmp_path, monkeypatch, small_dataset):
    monkeypatch.setattr(data, "load", lambda _: small_dataset)
    config = make_config()
    config.sweep.learning_rate, config.sweep.seed = None, (0, 1)
    run_sweep(config, tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]
    result, _ = measure_sets(from_workdir(tmp_path, []), Protocol(ways=2, shots=(1,), queries=1, episodes=4))
    assert [one["name"].split(" run ")[1] for one in result["sets"]] == ["0 step 12", "1 step 12"]
    for one, row in zip(result["sets"], rows[-2:], strict=True):
        assert one["metrics"]["cdnv"] == pytest.approx(row["target/cdnv"], rel=1e-4)
    assert result["over_seeds"][0]["seeds"] == 2
    with pytest.raises(ValueError, match=r"--run: got 2, expected one of the runs 0\.\.1"):
        list(from_workdir(tmp_path, [2]))


def launch(*arguments):
    command = [sys.executable, "-m", "experiments.few_shot", *arguments]
    environment = {**os.environ, "XLA_FLAGS": ""}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.slow
def test_the_standard_output_is_json_and_files_have_the_names_that_were_asked_for(files, tmp_path):
    outputs = {"json": tmp_path / "result", "per_episode": tmp_path / "accuracies"}
    done = launch(
        f"--features={files[0]}", "--ways=3", "--episodes=4", *(f"--{name}={path}" for name, path in outputs.items())
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result == json.loads(outputs["json"].read_text())
    with np.load(outputs["per_episode"]) as arrays:
        assert arrays["ncm_1shot"].shape == (1, 4)
    assert {path.name for path in tmp_path.iterdir()} == {"result", "accuracies"}
    assert done.stderr.splitlines()[-2:] == [f"results: {path}" for path in outputs.values()]


@pytest.mark.parametrize(("bound", "said"), [(193.6874, "1.9e+02 (vacuous)"), (0.25, "25.00%"), (1.0, "100.00%")])
def test_a_bound_above_one_says_that_it_says_nothing(bound, said):
    accuracy = {"ncm_1shot": {"mean": 0.9, "ci95_episodes": 0.01, "error": 0.1, "error_bound": bound}}
    one = {"name": "a", "samples": 2, "classes": 2, "dim": 2, "accuracy": accuracy, "metrics": {}, "notes": []}
    assert f"error 10.00%, bound {said}" in table({"sets": [one], "over_seeds": []})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected either --features=F.npz or --workdir=DIR"),
        (["--features=a.npz", "--episodes_file=e.json", "--ways=3"], "--ways: is in the --episodes_file"),
        (["--workdir=none"], "holds no sweep"),
        (
            ["--features=a.npz", "--json=no/such/folder/out.json"],
            "--json: got no/such/folder/out.json, expected a file in",
        ),
        (["--features=a.npz", "--per_episode=tests"], "--per_episode: got tests, expected a file in"),
    ],
)
def test_bad_input_ends_with_one_line(arguments, message):
    done = launch(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
