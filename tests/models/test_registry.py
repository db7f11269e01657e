import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models


def parameter_count(spec, image_shape=(32, 32, 3), num_classes=10):
    model = models.build(spec, num_classes)
    variables = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), image_shape))
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("name", "norm", "expected"),
    [
        # The CIFAR networks in wide use have exactly these trainable parameters (10 classes, batch normalisation).
        ("vgg11", "batch", 9_231_114),
        ("vgg13", "batch", 9_416_010),
        ("vgg16", "batch", 14_728_266),
        ("resnet18", "batch", 11_173_962),
        ("resnet50", "batch", 23_520_842),
        # Without normalisation two parameters a channel are missing.
        ("vgg13", "none", 9_416_010 - 2 * 2 * (64 + 128 + 256 + 512 + 512)),
        # Four blocks of 64 channels: 113,088 below the classifier, which sees 2·2·64 features at 32×32.
        ("convnet4", "batch", 113_088 + 256 * 10 + 10),
        # MetaOptNet's and RFS's ResNet-12: 12,424,320 below the classifier (their 12.4 M).
        ("resnet12", "batch", 12_424_320 + 640 * 10 + 10),
        # Zagoruyko & Komodakis state 5.8 M for WRN-28-4.
        ("wrn28_4", "batch", 5_849_050),
        ("mlp", "none", 3072 * 512 + 512 + 512 * 512 + 512 + 512 * 10 + 10),
    ],
)
def test_standard_configurations_have_their_known_number_of_parameters(name, norm, expected):
    assert parameter_count(models.ModelSpec(name, norm=norm)) == expected


def test_wide_resnets_of_other_widths_have_their_known_number_of_parameters():
    # The WRN-28-10 in wide use has exactly these (10 classes).
    assert parameter_count(models.ModelSpec("wrn28_4", widths=(160, 320, 640))) == 36_479_194


@pytest.mark.parametrize("name", list(models.MODELS))
@pytest.mark.parametrize("norm", ["none", "batch", "group"])
def test_every_model_returns_logits_and_ordered_taps(name, norm):
    model = models.build(models.ModelSpec(name, norm=norm), num_classes=7)
    images = jax.ShapeDtypeStruct((2, 28, 28, 1), jnp.float32)
    variables = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), (28, 28, 1)))
    # Shapes come from the abstract arrays; jit sorts a dict's keys, so the order is taken from a plain call.
    order: list[str] = []

    def apply(variables, images):
        logits, taps = model.apply(variables, images)
        order.extend(taps)
        return logits, taps

    logits, taps = jax.eval_shape(apply, variables, images)
    assert logits.shape == (2, 7)
    assert order[-1] == "embedding"
    # Programs return dicts sorted by name: the numbers in the names must tell the order of the stages.
    assert order[:-1] == sorted(order[:-1], key=lambda tap: int(re.sub(r"\D", "", tap)))
    assert len(taps["embedding"].shape) == 2


@pytest.mark.parametrize("name", list(models.MODELS))
@pytest.mark.parametrize("norm", ["none", "batch"])
def test_every_model_names_each_of_its_layers_in_one_stage(name, norm):
    model = models.build(models.ModelSpec(name, norm=norm), num_classes=7)
    variables = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), (28, 28, 1)))
    named = [layer for layers in model.stages for layer in layers]
    assert len(set(named)) == len(named)
    assert {*variables["params"], *variables["batch_stats"]} - {"classifier"} <= set(named)


@pytest.mark.slow
def test_the_lowering_does_not_change_a_network():
    logits = []
    for lowering in ("xla", "matmul"):
        model = models.build(models.ModelSpec("resnet18", widths=(4, 4, 8, 8), lowering=lowering), 3)
        variables = models.initialise(model, jax.random.key(0), (9, 9, 1))
        images = jax.random.normal(jax.random.key(1), (3, 9, 9, 1))
        logits.append(jax.jit(lambda v, x, model=model: model.apply(v, x)[0])(variables, images))
    np.testing.assert_allclose(logits[0], logits[1], rtol=1e-4, atol=1e-5)


def test_an_unknown_model_suggests_the_nearest_name():
    with pytest.raises(ValueError, match="did you mean 'resnet18'"):
        models.build(models.ModelSpec("resnet-18"), 10)


def test_a_wrong_number_of_widths_is_named():
    with pytest.raises(ValueError, match=r"model\.widths: got 2 widths .* expected 5 for vgg11"):
        models.build(models.ModelSpec("vgg11", widths=(8, 8)), 10)


def test_images_too_small_for_the_blocks_are_named():
    with pytest.raises(ValueError, match="needs at least 16"):
        models.initialise(models.build(models.ModelSpec("convnet4"), 3), jax.random.key(0), (8, 8, 1))
