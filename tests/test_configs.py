"""Every config, in all its variants, is read and checked; no data is loaded."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

from ncjax import claims, data
from ncjax.cli.config_flag import shipped_configs
from ncjax.sweep import read_config

ROOT = Path(__file__).resolve().parents[1]
SHARED = ("__init__.py", "recipes.py", "variants.py")
FILES = sorted(path for path in (ROOT / "configs").rglob("*.py") if path.name not in SHARED)
PAPERS = [path for path in FILES if path.parent.name.endswith("_paper") or path.stem == "joint"]


def module_of(path):
    names = runpy.run_path(str(path))
    return SimpleNamespace(**names, doc=names["__doc__"])


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    def load(spec):
        raise AssertionError(f"a config loads {spec.name}")

    monkeypatch.setattr(data, "load", load)


@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_variant_is_valid(path, prepared, tmp_path, monkeypatch):
    module = module_of(path)
    monkeypatch.setenv("NCJAX_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    if prepared:
        (tmp_path / "fashion_mnist").mkdir()
    for variant in getattr(module, "VARIANTS", ("",)):
        plan = read_config(module.get_config(variant) if variant else module.get_config())
        assert plan.runs


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_docstring_has_the_command(path):
    module = module_of(path)
    name = path.relative_to(ROOT / "configs").with_suffix("").as_posix()
    assert re.search(rf"ncjax sweep +--config={name}[ :]", module.doc)
    if "small" in getattr(module, "VARIANTS", ()):
        assert f"--config={name}:small" in module.doc
        assert "`:small`:" in module.doc


def test_an_unknown_variant_is_named():
    module = module_of(ROOT / "configs" / "gc_paper" / "gc_penalty.py")
    with pytest.raises(ValueError, match="got the variant 'tiny', expected one of small"):
        module.get_config("tiny")


@pytest.mark.parametrize("claim", claims.CLAIMS, ids=lambda claim: claim.key)
def test_the_config_that_a_claim_names_is_there(claim):
    assert claim.config in shipped_configs()


@pytest.mark.parametrize("path", PAPERS, ids=lambda path: path.stem)
def test_an_experiment_says_which_claims_it_is_about(path):
    keys = module_of(path).CLAIMS
    assert keys
    assert set(keys) <= {claim.key for claim in claims.CLAIMS}
