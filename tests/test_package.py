"""What is imported when, and what pip installs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ncjax

pytestmark = pytest.mark.structure

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {"absl", "clu", "flax", "fsspec", "grain", "jinja2", "matplotlib", "ml_collections", "optax", "orbax", "pandas"}
HEAVY |= {"PIL", "sklearn", "tensorboardX", "tensorflow_datasets", "tqdm"}


def loaded(statement, names):
    program = f"{statement}; import sys; print(*({names!r} & sys.modules.keys()))"
    return subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_package_alone_loads_nothing():
    assert loaded("import ncjax", HEAVY | {"jax", "numpy"}).split() == []


def test_metrics_and_transfer_load_what_their_installation_brings():
    assert loaded("import ncjax; ncjax.metrics, ncjax.transfer", HEAVY).split() == []


def test_parts_are_there_without_an_import_of_their_own():
    assert ncjax.metrics.nc1 is not None
    assert "metrics" in dir(ncjax)
    with pytest.raises(AttributeError, match="module 'ncjax' has no attribute 'metric'"):
        _ = ncjax.metric


def test_requirements_are_the_dependencies_with_the_extra_experiments():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    listed = {re.split(r"\s+#", line)[0].strip() for line in lines if line and not line.startswith("#")}
    assert listed == {*project["dependencies"], *project["optional-dependencies"]["experiments"]}


def test_types_are_marked_as_shipped():
    assert (ROOT / "ncjax" / "py.typed").is_file()
