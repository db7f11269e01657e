"""The pieces that the networks share: convolution, normalisation, pooling."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.models.lowering import Lowering, convolution

Norm = Literal["none", "batch", "group"]
Taps = dict[str, Array]
Stages = tuple[tuple[str, ...], ...]
"""Names of a network's layers by stage, input to output; all layers but the classifier, so that some can be frozen."""


def normalise(features: Array, norm: Norm, train: bool, name: str) -> Array:
    """Applies the normalisation layer called ``name`` inside a compact Flax module.

    Args:
        features: [..., channels].
        norm: ``none``, ``batch`` (running averages with decay 0.9) or ``group`` (32 groups, fewer for odd widths).
        train: whether batch normalisation uses the batch's statistics and updates its averages.
        name: of the layer.

    Returns:
        An array of the same shape.

    Raises:
        ValueError: if ``norm`` is none of the three.
    """
    if norm == "none":
        return features
    if norm == "batch":
        return nn.BatchNorm(momentum=0.9, epsilon=1e-5, name=name)(features, use_running_average=not train)
    if norm == "group":
        return nn.GroupNorm(num_groups=math.gcd(32, features.shape[-1]), epsilon=1e-5, name=name)(features)
    raise ValueError(f"norm: got {norm!r}, expected one of none, batch, group")


@contextlib.contextmanager
def frozen_averages(layers: tuple[str, ...]) -> Iterator[None]:
    """Makes batch normalisation inside some layers use its stored averages, in training too, for a ``with`` block.

    Args:
        layers: names of a network's layers, as in its parameters.

    Examples:
        >>> from ncjax import models
        >>> model = models.build(models.ModelSpec("mlp", widths=(2,), norm="batch"), num_classes=2)
        >>> variables = models.initialise(model, jax.random.key(0), (1, 1, 1))
        >>> with frozen_averages(("norm1",)):
        ...     _, updated = model.apply(variables, jax.numpy.ones((3, 1, 1, 1)), train=True, mutable=["batch_stats"])
        >>> updated["batch_stats"]["norm1"]["mean"].tolist()
        [0.0, 0.0]
    """

    def intercept(call: Callable[..., Any], arguments: Any, options: Any, context: nn.module.InterceptorContext) -> Any:
        path = context.module.path
        if isinstance(context.module, nn.BatchNorm) and path and path[0] in layers:
            options = {**options, "use_running_average": True}
        return call(*arguments, **options)

    with nn.intercept_methods(intercept) if layers else contextlib.nullcontext():
        yield


def block_names(depths: tuple[int, ...], kind: str = "block") -> Stages:
    """Names of the blocks of a network that is built of stages.

    Args:
        depths: blocks of each stage.
        kind: what a block is called.

    Returns:
        Names by stage.

    Examples:
        >>> block_names((1, 2))
        (('stage1_block1',), ('stage2_block1', 'stage2_block2'))
    """
    return tuple(
        tuple(f"stage{stage}_{kind}{number}" for number in range(1, depth + 1))
        for stage, depth in enumerate(depths, start=1)
    )


def check_halvings(images: Float[Array, "n h w c"], blocks: int) -> None:
    """Refuses images that a network of blocks, each of which halves height and width, would halve to nothing.

    Args:
        images: channels last.
        blocks: how often they are halved.

    Raises:
        ValueError: naming the size that would do.
    """
    if min(images.shape[1:3]) < 2**blocks:
        raise ValueError(
            f"images: got {images.shape[1]}x{images.shape[2]} pixels, a network of {blocks} blocks halves them "
            f"{blocks} times and needs at least {2**blocks}"
        )


def max_pool_2x2(maps: Float[Array, "n h w c"]) -> Float[Array, "n h2 w2 c"]:
    """Halves height and width by the maximum of each 2×2 square; an odd last row or column is dropped.

    The gradient goes to one of the four, the first of equal ones. It comes from the comparisons that chose it.
    `jnp.max` would look instead for what equals the maximum, and a compiler that computes a map twice may round it in
    two ways: then nothing equals it, and the gradient is 0/0.

    Written as a reshape, which is several times faster on CPU than a reduction window, forward and backward.

    Args:
        maps: feature maps, channels last.

    Returns:
        Maps of half the height and width, rounded down; NaN where one of the four is.

    Examples:
        >>> max_pool_2x2(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0].tolist()
        [[5.0, 7.0], [13.0, 15.0]]
    """
    n, height, width, channels = maps.shape
    even = maps[:, : height // 2 * 2, : width // 2 * 2].reshape(n, height // 2, 2, width // 2, 2, channels)
    rows = _larger(even[:, :, 0], even[:, :, 1])
    return _larger(rows[:, :, :, 0], rows[:, :, :, 1])


def _larger(first: Array, second: Array) -> Array:
    return jnp.where((first < second) | jnp.isnan(second), second, first)


class ConvNormRelu(nn.Module):
    """A 3×3 convolution, a normalisation and (unless told otherwise) a ReLU.

    The convolution has a bias unless ``use_bias`` is False; kernels start from He et al.'s normal distribution.
    """

    features: int
    norm: Norm = "none"
    lowering: Lowering = "auto"
    strides: int = 1
    kernel_size: int = 3
    use_bias: bool = True
    relu: bool = True

    @nn.compact
    def __call__(self, maps: Float[Array, "n h w c"], train: bool) -> Float[Array, "n oh ow features"]:
        """Applies the three layers to feature maps, channels last."""
        pad = self.kernel_size // 2
        maps = nn.Conv(
            self.features,
            (self.kernel_size, self.kernel_size),
            strides=(self.strides, self.strides),
            padding=((pad, pad), (pad, pad)),
            use_bias=self.use_bias,
            kernel_init=nn.initializers.he_normal(),
            conv_general_dilated=convolution(self.lowering),
            name="conv",
        )(maps)
        maps = normalise(maps, self.norm, train, "norm")
        return jax.nn.relu(maps) if self.relu else maps
