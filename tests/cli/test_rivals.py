"""Ranking measures from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ncjax.claims import rank_rivals
from ncjax.cli.rivals import features_table
from tests.claims.test_rivals import planted

ROOT = Path(__file__).resolve().parents[2]


def networks(place: Path, count: int = 5) -> list[Path]:
    """Features of one target by networks of which each is less noisy than the one before."""
    random = np.random.default_rng(0)
    labels = np.arange(120) % 6
    means, noise = 3 * random.normal(size=(6, 8)), random.normal(size=(120, 8))
    paths = []
    for number in range(count):
        paths.append(place / f"net{number}.npz")
        features = (means[labels] + (8 - 1.4 * number) * noise).astype(np.float32)
        np.savez(paths[-1], features=features, labels=labels)
    return paths


def test_networks_are_ranked_from_their_features(tmp_path):
    table = features_table(networks(tmp_path), ways=3, shots=5, episodes=50)
    assert (np.diff(table["target/accuracy_5shot"]) > 0).all()
    found = {each.column: each for each in rank_rivals(table, terminal=False).standings}
    for column in ("target/cdnv", "target/log_me", "target/h_score", "target/directional_cdnv"):
        assert found[column].agreement == pytest.approx(1), column


def test_files_of_other_samples_are_refused(tmp_path):
    paths = networks(tmp_path)
    with np.load(paths[1]) as arrays:
        np.savez(paths[1], features=arrays["features"], labels=arrays["labels"][::-1])
    with pytest.raises(ValueError, match=r"net1.npz has other labels than .*net0.npz"):
        features_table(paths, ways=3, shots=5, episodes=10)


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "XLA_FLAGS": ""}
    command = [sys.executable, "-m", "experiments.rivals", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=300, check=False)


def test_the_command_writes_json_table_and_figure(tmp_path):
    rows = json.loads(planted().assign(diverged=False).to_json(orient="records"))
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    csv, plot = tmp_path / "rivals.csv", tmp_path / "rivals.png"
    done = call(f"--workdir={tmp_path}", f"--csv={csv}", f"--plot={plot}")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [each["column"] for each in result["standings"]] == ["train/cdnv", "train/nc1"]
    assert csv.read_text().splitlines()[1].startswith("train/cdnv,-1,")
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_neither_sweep_nor_features_is_refused():
    done = call()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: arguments: expected either --workdir=DIR or --features='F*.npz'"
