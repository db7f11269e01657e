"""Networks, data and heads from outside of the package, in a sweep and in what reads it."""

import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import claims, measurement, models, sweep, transfer
from ncjax.data import DataSpec, load

ROOT = Path(__file__).resolve().parents[2]
HERE = "tests.plugins.my_plugins"


def build(name, **options):
    model = models.build(models.ModelSpec(f"{HERE}:{name}", **options), 3)
    return model, models.initialise(model, jax.random.key(0), (2, 2, 1))


@pytest.mark.parametrize("name", ["LinenNet", "NNXNet"])
def test_a_network_gives_logits_that_its_classifier_makes_of_its_embedding(name):
    model, variables = build(name)
    images = jnp.arange(20.0).reshape(5, 2, 2, 1) / 20
    logits, taps = model.apply(variables, images)
    kernel, bias = models.classifier_weights(variables)
    np.testing.assert_allclose(logits, taps["embedding"] @ kernel + bias[None, :], rtol=1e-5, atol=1e-6)


def test_batch_normalisation_of_nnx_moves_its_averages_in_training_alone():
    model, variables = build("NNXNet")
    images = jnp.arange(20.0).reshape(5, 2, 2, 1)
    _, updated = model.apply(variables, images, train=True, mutable=["batch_stats"])
    assert not np.array_equal(updated["batch_stats"]["norm"]["mean"], variables["batch_stats"]["norm"]["mean"])
    still, again = model.apply(variables, images), model.apply(variables, images)
    np.testing.assert_array_equal(still[0], again[0])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("NoEmbedding", {}, r"^name: .*:NoEmbedding must return \(logits .*3\], embedding .*d\]\), got \[1, 3\]"),
        ("three", {}, r"^name: .*:three is no class of flax.linen.Module or flax.nnx.Module$"),
        ("Missing", {}, r"^model.name: module 'tests.plugins.my_plugins' has no 'Missing'$"),
        (
            "LinenNet",
            {"widths": (3,)},
            r"^model.widths: .* sets \(3,\); .* --config.model.widths='\(\)' to leave it out$",
        ),
        ("LinenNet", {"norm": "none"}, r"^model.norm: .* sets 'none'; .* --config.model.norm=standard to leave"),
    ],
)
@pytest.mark.structure
def test_a_network_that_does_not_fit_is_one_line(name, options, message):
    with pytest.raises(ValueError, match=message):
        build(name, **options)


@pytest.mark.structure
def test_arrays_become_a_data_set():
    data = load(DataSpec(f"{HERE}:digits", train_per_class=20))
    assert data.train.images.shape == (120, 8, 8, 1)
    assert data.target is not None
    assert data.target.num_classes == 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (f"{HERE}:three", r"name: .*:three must return a Dataset or a dict of train, test, .*; got tuple"),
        ("no.such:load", r"name: cannot import 'no.such': ModuleNotFoundError"),
    ],
)
@pytest.mark.structure
def test_data_that_do_not_fit_are_one_line(name, message):
    with pytest.raises(ValueError, match=message):
        load(DataSpec(name))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("plugins")
    config = sweep.default_config()
    config.plugins = (HERE,)
    config.model.name = f"{HERE}:NNXNet"
    config.data.name = f"{HERE}:digits"
    config.data.train_per_class = 20
    config.train.epochs = 1.0
    config.measure.checkpoints = 2
    config.measure.complexity_samples = 8
    config.transfer.heads = ("cityblock",)
    config.transfer.ways = 3
    config.transfer.episodes = 4
    sweep.run_sweep(config, workdir)
    return workdir


@pytest.mark.structure
def test_a_sweep_takes_all_of_them_and_its_runs_are_read_again(workdir):
    table = sweep.read_table(workdir)
    assert table["train/cdnv"].notna().all()
    assert table.filter(like="cityblock").notna().all().all()
    assert (table["test/largest_feature"] > 0).all()
    trained = sweep.read_run(workdir, 0)
    assert trained.embed(trained.dataset.test.images[:3]).shape == (3, 6)


@pytest.mark.structure
def test_a_workdir_brings_its_plugins_along(workdir, monkeypatch):
    monkeypatch.delitem(transfer.HEADS, "cityblock")
    monkeypatch.delitem(sys.modules, HERE)
    sweep.read_run(workdir, 0)
    assert "cityblock" in transfer.HEADS


@pytest.mark.structure
def test_a_report_judges_the_claims_that_its_sweep_registered(workdir):
    command = [sys.executable, "-m", "experiments.report", f"--workdir={workdir}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "X1" in (workdir / "report" / "claims.json").read_text()


@pytest.mark.usefixtures("unchecked")
def test_a_head_has_a_name_too():
    assert type(transfer.find_head(f"{HERE}:Cityblock")).__name__ == "Cityblock"
    with pytest.raises(ValueError, match=r"head: needs a name .* or a head object"):
        transfer.find_head(f"{HERE}:largest")


@pytest.mark.structure
def test_what_ncjax_has_is_not_replaced():
    with pytest.raises(ValueError, match="'train/cdnv', which is a column of ncjax already"):
        measurement.add_measure("cdnv", lambda *given: given[0].max(), "another")
    with pytest.raises(ValueError, match="the key 'A1', which a claim of ncjax has"):
        claims.add_claim(claims.CLAIMS[0])
