import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models
from ncjax.training import Hyper, InitSpec, frozen_layers, sample_order, start_from, transplant
from tests.training.test_run import run, start_of

SHAPE = (32, 32, 3)


def with_norm(spec, **changes):
    return dataclasses.replace(spec, model=dataclasses.replace(spec.model, norm="batch"), **changes)


@pytest.fixture(scope="module")
def trained(small_spec, small_inputs):
    """A network whose averages of batch normalisation are not those of a fresh one."""
    spec = with_norm(small_spec)
    return run(spec, small_inputs, Hyper(learning_rate=0.1), state=start_of(spec), count=5)


@pytest.mark.parametrize(
    ("optimizer", "terms", "hyper"),
    [
        ("sgd", (), Hyper(learning_rate=0.1, momentum=0.9, l2=0.1)),
        ("adamw", (), Hyper(learning_rate=0.1, weight_decay=0.5)),
        (
            "sgd",
            ("sam_rho", "gradient_norm_penalty", "spectral_penalty"),
            Hyper(0.1, sam_rho=0.5, spectral_penalty=0.1),
        ),
    ],
)
def test_nothing_moves_a_frozen_layer_and_the_others_learn(small_spec, small_inputs, trained, optimizer, terms, hyper):
    spec = with_norm(small_spec, optimizer=optimizer, terms=terms, frozen=("dense1", "norm1"))
    start = dataclasses.replace(start_of(spec), params=trained.params, batch_stats=trained.batch_stats)
    after = run(spec, small_inputs, hyper, state=start, count=3)
    for part in ("params", "batch_stats"):
        for layer, before in getattr(trained, part).items():
            for name, value in getattr(after, part)[layer].items():
                unchanged = np.array_equal(value, before[name])
                assert unchanged == (layer in spec.frozen), (part, layer, name)


def test_a_step_of_the_classifier_alone_is_one_of_softmax_regression_on_the_frozen_embedding(
    small_spec, small_inputs, trained
):
    spec = with_norm(small_spec, frozen=("dense1", "dense2", "norm1", "norm2"))
    after = run(spec, small_inputs, Hyper(learning_rate=0.3), state=trained)
    batch = sample_order(jnp.int32(0), jnp.int32(0), 15)[:4]
    pixels = np.asarray(small_inputs.train_images)[batch] / 255.0
    images = (pixels - np.asarray(small_inputs.mean)) / np.asarray(small_inputs.std)
    # With the stored averages of batch normalisation, as at every measurement.
    logits, taps = models.build(spec.model, 3).apply(trained.variables, jnp.asarray(images, jnp.float32))
    residual = jax.nn.softmax(logits) - jax.nn.one_hot(np.asarray(small_inputs.train_labels)[batch], 3)
    kernel = trained.params["classifier"]["kernel"] - 0.3 * taps["embedding"].T @ residual / 4
    np.testing.assert_allclose(after.params["classifier"]["kernel"], kernel, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "last_stages", "trained"),
    [
        ("resnet18", 0, {"classifier"}),
        ("wrn28_4", 0, {"classifier"}),
        ("vgg11", 1, {"stage5_conv1", "stage5_conv2", "classifier"}),
        ("wrn28_4", 1, {"stage3_block1", "stage3_block2", "stage3_block3", "stage3_block4", "norm", "classifier"}),
        ("convnet4", 2, {"block3", "block4", "classifier"}),
    ],
)
def test_the_last_stages_are_counted_from_the_embedding(name, last_stages, trained):
    model = models.build(models.ModelSpec(name), 2)
    params = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), SHAPE))["params"]
    assert params.keys() - set(frozen_layers(params, model.stages, last_stages)) == trained
    assert frozen_layers(params, model.stages, -1) == ()


def test_stages_are_what_the_network_says_whatever_its_layers_are_called():
    params = dict.fromkeys(("patch16", "block12", "block3", "neck", "classifier"))
    stages = (("patch16",), ("block12", "unused"), ("block3", "neck"))
    assert frozen_layers(params, stages, 3) == ()
    assert frozen_layers(params, stages, 2) == ("patch16",)
    assert frozen_layers(params, stages, 1) == ("block12", "patch16")
    assert frozen_layers(params, stages, 0) == ("block12", "block3", "neck", "patch16")


@pytest.mark.parametrize("stages", [(), (("body",),), (("body", "neck"), ("neck",))])
def test_a_network_that_does_not_say_its_stages_is_not_frozen_in_part(stages):
    params = dict.fromkeys(("body", "neck", "classifier"))
    assert frozen_layers(params, stages, -1) == ()
    with pytest.raises(ValueError, match=r"got 1 for a network whose attribute stages does not name .*neck"):
        frozen_layers(params, stages, 1)


def test_a_network_of_which_nothing_would_learn_is_refused():
    with pytest.raises(ValueError, match="last_stages: got 0, expected at least 1"):
        frozen_layers({"dense1": 0}, [["dense1"]], 0)


def test_every_run_starts_from_the_source_with_a_classifier_of_its_own(small_spec, trained):
    stacked = jax.tree.map(
        lambda *leaves: jnp.stack(leaves), *(start_of(with_norm(small_spec), seed=s) for s in (0, 1))
    )
    source = {"params": trained.params, "batch_stats": trained.batch_stats}
    started = start_from(stacked, source)
    for part in ("params", "batch_stats"):
        for layer, values in getattr(started, part).items():
            expected = getattr(stacked, part)[layer] if layer == "classifier" else source[part][layer]
            jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, np.broadcast_to(b, a.shape)), values, expected)


def test_a_network_of_other_layers_is_refused():
    with pytest.raises(ValueError, match="workdir: its network has block1, classifier, expected classifier, dense1"):
        transplant({"dense1": 0, "classifier": 0}, {"block1": 0, "classifier": 0})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": -1}, "run: got -1"),
        ({"last_stages": -2}, "last_stages: got -2"),
        ({"last_stages": 0}, "last_stages: given without workdir"),
    ],
)
def test_a_bad_start_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        InitSpec(**options)
