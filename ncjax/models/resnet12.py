"""The twelve-layer residual network of few-shot work."""

import functools

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from ncjax.models.blocks import ConvNormRelu, Norm, Stages, Taps, check_halvings, max_pool_2x2
from ncjax.models.classifier import Classifier, classify
from ncjax.models.lowering import Lowering

_SLOPE = 0.1


class WideBlock(nn.Module):
    """Three 3×3 convolutions with leaky ReLU, a 1×1 convolution as shortcut, and a 2×2 max-pool."""

    features: int
    norm: Norm
    lowering: Lowering

    @nn.compact
    def __call__(self, maps: Float[Array, "n h w c"], train: bool) -> Float[Array, "n oh ow features"]:
        """Applies the block to feature maps, channels last."""
        # A convolution followed by a normalisation needs no bias; without one it keeps it.
        bias = self.norm == "none"
        layer = functools.partial(ConvNormRelu, self.features, self.norm, self.lowering, use_bias=bias, relu=False)
        out = maps
        for index in (1, 2):
            out = jax.nn.leaky_relu(layer(name=f"conv{index}")(out, train), _SLOPE)
        out = layer(name="conv3")(out, train) + layer(kernel_size=1, name="shortcut")(maps, train)
        return max_pool_2x2(jax.nn.leaky_relu(out, _SLOPE))


class ResNet12(nn.Module):
    """ResNet-12 as in MetaOptNet (Lee et al. 2019, arXiv 1904.03758) and RFS (Tian et al. 2020, arXiv 2003.11539).

    Four blocks of 64, 160, 320 and 640 channels; the embedding is the average-pooled last block. DropBlock, with which
    those works regularise the last two blocks, is left out. Taps: ``block1``, ``block2``, ``block3``, ``embedding``.
    """

    num_classes: int
    widths: tuple[int, ...] = (64, 160, 320, 640)
    norm: Norm = "batch"
    lowering: Lowering = "auto"
    classifier: Classifier = "learned"

    @property
    def stages(self) -> Stages:
        """Names of layers by stage, input to output."""
        return tuple((f"block{index}",) for index in range(1, len(self.widths) + 1))

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"], train: bool = False) -> tuple[Float[Array, "n classes"], Taps]:
        """Maps images, channels last, to (logits, taps)."""
        check_halvings(images, len(self.widths))
        maps, taps = images, Taps()
        for (name,), width in zip(self.stages, self.widths, strict=True):
            maps = WideBlock(width, self.norm, self.lowering, name=name)(maps, train)
            taps[name] = maps
        del taps[name]
        embedding = maps.mean(axis=(1, 2))
        taps["embedding"] = embedding
        return classify(embedding, self.num_classes, self.classifier), taps
