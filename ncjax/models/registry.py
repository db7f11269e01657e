"""The networks by name."""

import difflib
import functools
import shlex
from dataclasses import dataclass
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp

from ncjax.models.blocks import Norm
from ncjax.models.classifier import Classifier
from ncjax.models.convnet import ConvNet
from ncjax.models.lowering import Lowering
from ncjax.models.mlp import MLP
from ncjax.models.plugged_in import PluggedIn, takes
from ncjax.models.resnet import ResNet18, ResNet50
from ncjax.models.resnet12 import ResNet12
from ncjax.models.vgg import VGG11, VGG13, VGG16
from ncjax.models.wide_resnet import WideResNet28x4
from ncjax.options import option, whole_numbers
from ncjax.plugins import is_plugin, load_plugin

# To add a model: write its module in a file of its own and name it here.
MODELS: dict[str, type[nn.Module]] = {
    "mlp": MLP,
    "convnet4": ConvNet,
    "vgg11": VGG11,
    "vgg13": VGG13,
    "vgg16": VGG16,
    "resnet18": ResNet18,
    "resnet50": ResNet50,
    "resnet12": ResNet12,
    "wrn28_4": WideResNet28x4,
}


@dataclass(frozen=True)
class ModelSpec:
    """Which network to build; frozen and hashable, so that it can be a static argument of a compiled function."""

    name: str = option(
        "convnet4",
        "the network; MODULE:CLASS is a class of Flax Linen or NNX in a module of your own",
        allows=lambda name: name in MODELS or is_plugin(name),
        expected=f"one of {', '.join(MODELS)}, or MODULE:CLASS",
        axis="model",
    )
    widths: tuple[int, ...] = option(
        (),
        "units of each stage or hidden layer; () for the network's standard widths",
        allows=functools.partial(whole_numbers, 1),
        expected="whole numbers of at least 1",
    )
    norm: Norm | Literal["standard"] = option(
        "standard",
        "standard is the network's own: none for mlp and vgg, batch for the others",
        choices=(*get_args(Norm), "standard"),
        axis=True,
    )
    lowering: Lowering = option("auto", "of convolutions: auto is what suits the device", choices=get_args(Lowering))
    classifier: Classifier = option(
        "learned", "etf is fixed at a simplex equiangular tight frame", choices=get_args(Classifier), axis=True
    )


def build(spec: ModelSpec, num_classes: int) -> nn.Module:
    """Makes the network that a spec describes.

    Args:
        spec: which network.
        num_classes: outputs of its classifier.

    Returns:
        A Flax linen module; ``module.apply(variables, images, train=False)`` gives ``(logits, taps)``, where ``taps``
        maps the name of every stage, input to output, to its activations, the last one being ``embedding`` [n, d].

    Raises:
        ValueError: if no model has that name, or the number of widths does not fit.

    Examples:
        >>> model = build(ModelSpec("mlp", widths=(16, 8)), num_classes=3)
        >>> variables = initialise(model, jax.random.key(0), (4, 4, 1))
        >>> logits, taps = model.apply(variables, jnp.ones((2, 4, 4, 1)))
        >>> logits.shape, {name: tap.shape for name, tap in taps.items()}
        ((2, 3), {'dense1': (2, 16), 'embedding': (2, 8)})
    """
    if is_plugin(spec.name):
        return _plugged_in(spec, num_classes)
    if spec.name not in MODELS:
        nearest = difflib.get_close_matches(spec.name, MODELS, n=1)
        suggestion = f" (did you mean {nearest[0]!r}?)" if nearest else ""
        raise ValueError(f"model.name: got {spec.name!r}, expected one of {', '.join(MODELS)}{suggestion}")
    model_class = MODELS[spec.name]
    options: dict[str, Any] = {"lowering": spec.lowering, "classifier": spec.classifier}
    if spec.norm != "standard":
        options["norm"] = spec.norm
    if spec.widths:
        stages = getattr(model_class, "depths", ())
        if stages and len(stages) != len(spec.widths):
            raise ValueError(
                f"model.widths: got {len(spec.widths)} widths {spec.widths}, expected {len(stages)} for {spec.name}"
            )
        options["widths"] = tuple(spec.widths)
    return model_class(num_classes=num_classes, **options)


def _plugged_in(spec: ModelSpec, num_classes: int) -> PluggedIn:
    """A network of others, with what the spec says that is not the default, and what it asks for by name."""
    load_plugin(spec.name, "model.name")
    standard = ModelSpec()
    options = {
        name: getattr(spec, name)
        for name in ("widths", "norm", "lowering", "classifier")
        if getattr(spec, name) != getattr(standard, name) or (name == "lowering" and takes(spec.name, name))
    }
    for name, value in options.items():
        if not takes(spec.name, name):
            left_out = f"--config.model.{name}={shlex.quote(str(getattr(standard, name)))}"
            raise ValueError(
                f"model.{name}: {spec.name} does not take it, but the config sets {value!r}; expected a class with an "
                f"argument {name}, or {left_out} to leave it out"
            )
    return PluggedIn(spec.name, num_classes, tuple(options.items()))


def initialise(model: nn.Module, key: jax.Array, image_shape: tuple[int, ...]) -> dict[str, Any]:
    """Draws a network's variables.

    Args:
        model: a module of this package.
        key: for the initial weights.
        image_shape: of one image, [height, width, channels].

    Returns:
        ``{"params": …, "batch_stats": …, "constants": …}``: what is trained, running averages, and what never changes;
        an empty dict where a network has none.

    Examples:
        >>> sorted(initialise(build(ModelSpec("mlp"), 2), jax.random.key(0), (2, 2, 1)))
        ['batch_stats', 'constants', 'params']
    """
    variables = model.init(key, jnp.zeros((1, *image_shape), jnp.float32), train=False)
    return {name: variables.get(name, {}) for name in ("params", "batch_stats", "constants")}
