import os
import subprocess
import sys

import numpy as np
import pytest


@pytest.fixture
def environment(tmp_path):
    folders = {"NCJAX_DATA_DIR": str(tmp_path / "cache"), "TFDS_DATA_DIR": str(tmp_path / "tfds")}
    return {**os.environ, **folders, "JAX_PLATFORMS": "cpu"}


def start(environment, *flags):
    command = [sys.executable, "-m", "experiments.prepare_data", *flags]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_that_prepare_at_once_do_not_collide(tmp_path, environment):
    (tmp_path / "files").mkdir()
    for batch in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        records = np.random.default_rng(0).integers(0, 10, (100, 3073), np.uint8)
        (tmp_path / "files" / f"{batch}.bin").write_bytes(records.tobytes())
    both = [start(environment, "--dataset=cifar10", f"--source={tmp_path / 'files'}") for _ in range(2)]
    for process in both:
        output, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        assert "train: 500 images of 32x32x3, 10 classes, 2 MB\ntest: 100 images of 32x32x3, 10 classes" in output
        assert f"cache: {tmp_path / 'cache'}" in output
    left = [path.name for folder in (tmp_path / "cache", tmp_path / "tfds") for path in (folder / "cifar10").iterdir()]
    assert len(left) == 2
    assert not any(name.startswith((".", "incomplete")) for name in left)


def test_unknown_name_ends_with_one_line_that_suggests_another(environment):
    process = start(environment, "--dataset=cifr10")
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 2
    assert errors == "error: name must be a known data set; got 'cifr10': did you mean 'cifar10'?\n"
