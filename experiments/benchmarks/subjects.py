"""What the suites work on: networks with weights, real images of any size, and the work that a network is."""

import functools
from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from ncjax import data, models


@dataclass(frozen=True, eq=False)
class Network:
    """A network with its initial weights.

    Attributes:
        title: for people.
        spec: which network.
        image_shape: [height, width, channels] of what it receives.
        num_classes: of its classifier.
        model: the Flax module.
        variables: its parameters and averages.
    """

    title: str
    spec: models.ModelSpec
    image_shape: tuple[int, int, int]
    num_classes: int
    model: nn.Module
    variables: dict[str, Any]

    def embed(self, variables: Any, images: Any) -> Any:
        """The embedding [n, d], normalisation layers on their stored averages."""
        return self.model.apply(variables, images)[1]["embedding"]

    @functools.cached_property
    def embedding_dim(self) -> int:
        """The number of features d."""
        image = jax.ShapeDtypeStruct((1, *self.image_shape), jnp.float32)
        return int(jax.eval_shape(self.embed, self.variables, image).shape[-1])


def network(
    name: str, size: int = 32, channels: int = 3, num_classes: int = 10, norm: Any = "standard", **options: Any
) -> Network:
    """A network with its initial weights."""
    spec = models.ModelSpec(name, norm=norm, **options)
    shape = (size, size, channels)
    model = models.build(spec, num_classes)
    variables = jax.jit(lambda key: models.initialise(model, key, shape))(jax.random.key(0))
    title = {"vgg13": "VGG-13", "resnet18": "ResNet-18", "convnet4": "ConvNet-4"}.get(name, name)
    return Network(f"{title}, {size}×{size}×{channels}", spec, shape, num_classes, model, variables)


def pixels(count: int, image_shape: tuple[int, int, int]) -> np.ndarray:
    """Handwritten digits, enlarged, with noise: uint8 [count, h, w, c].

    Without noise flat areas would tie in every max-pool, where libraries choose different subgradients.
    """
    digits = data.load(data.DataSpec("digits"))
    images = np.concatenate([digits.train.images, digits.test.images])
    rows, columns = (np.arange(extent) * images.shape[1] // extent for extent in image_shape[:2])
    large = images[np.arange(count) % len(images)][:, rows][:, :, columns]
    noise = np.random.default_rng(0).integers(0, 64, (count, *image_shape), np.uint8)
    return large // 4 * 3 + noise


def normalised(images: np.ndarray) -> np.ndarray:
    """Images as a network receives them: zero mean, unit variance."""
    return ((images - images.mean()) / images.std()).astype(np.float32)


def flops_of(function: Any, *arguments: Any) -> float:
    """Floating-point operations of a function without loops, by XLA's cost analysis before any optimisation."""
    # The CUDA compiler counts nothing.
    with jax.default_device(jax.devices("cpu")[0]):
        analysis: Any = jax.jit(function).lower(*arguments).cost_analysis()
    return float(analysis["flops"])


def pass_flops(subject: Network, batch: int) -> tuple[float, float]:
    """Operations of one forward pass to the embedding and of one backward pass to the images, for a batch."""
    model, variables, images = _counted(subject, batch)

    def embed(variables: Any, x: Any) -> Any:
        return model.apply(variables, x)[1]["embedding"]

    def both(variables: Any, x: Any) -> Any:
        primal, pull = jax.vjp(lambda x: embed(variables, x), x)
        return pull(jnp.ones_like(primal))

    forward = flops_of(embed, variables, images)
    return forward, flops_of(both, variables, images) - forward


def training_flops(subject: Network, batch: int) -> float:
    """Operations of the loss and its gradient with respect to the parameters, for a batch."""
    model, variables, images = _counted(subject, batch)

    def loss(params: Any, averages: Any, x: Any) -> Any:
        (logits, _), _ = model.apply(
            {"params": params, "batch_stats": averages}, x, train=True, mutable=["batch_stats"]
        )
        return jax.nn.logsumexp(logits, axis=-1).mean()

    return flops_of(jax.value_and_grad(loss), variables["params"], variables["batch_stats"], images)


def _counted(subject: Network, batch: int) -> tuple[Any, Any, Any]:
    """The network with convolutions as convolutions, however they are computed; shapes of variables and images."""
    spec = models.ModelSpec(subject.spec.name, subject.spec.widths, subject.spec.norm, "xla")
    model = models.build(spec, subject.num_classes)
    variables = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), subject.image_shape))
    return model, variables, jax.ShapeDtypeStruct((batch, *subject.image_shape), jnp.float32)
