"""ResNet for small images: a 3×3 stem and no max-pool."""

import functools

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from ncjax.models.blocks import ConvNormRelu, Norm, Stages, Taps, block_names
from ncjax.models.classifier import Classifier, classify
from ncjax.models.lowering import Lowering


class BasicBlock(nn.Module):
    """Two 3×3 convolutions and a shortcut, projected by a 1×1 convolution where the shape changes."""

    features: int
    strides: int
    norm: Norm
    lowering: Lowering

    @nn.compact
    def __call__(self, maps: Float[Array, "n h w c"], train: bool) -> Float[Array, "n oh ow features"]:
        """Applies the block to feature maps, channels last."""
        # A convolution followed by a normalisation needs no bias; without one it keeps it.
        bias = self.norm == "none"
        layer = functools.partial(ConvNormRelu, self.features, self.norm, self.lowering, use_bias=bias)
        out = layer(strides=self.strides, name="conv1")(maps, train)
        out = layer(relu=False, name="conv2")(out, train)
        if maps.shape != out.shape:
            maps = layer(strides=self.strides, kernel_size=1, relu=False, name="shortcut")(maps, train)
        return jax.nn.relu(out + maps)


class BottleneckBlock(nn.Module):
    """1×1, 3×3 and 1×1 convolution, the last to four times as many channels, and a shortcut as in `BasicBlock`."""

    features: int
    strides: int
    norm: Norm
    lowering: Lowering

    @nn.compact
    def __call__(self, maps: Float[Array, "n h w c"], train: bool) -> Float[Array, "n oh ow wide"]:
        """Applies the block to feature maps, channels last."""
        layer = functools.partial(ConvNormRelu, norm=self.norm, lowering=self.lowering, use_bias=self.norm == "none")
        out = layer(self.features, kernel_size=1, name="conv1")(maps, train)
        out = layer(self.features, strides=self.strides, name="conv2")(out, train)
        out = layer(4 * self.features, kernel_size=1, relu=False, name="conv3")(out, train)
        if maps.shape != out.shape:
            shortcut = layer(4 * self.features, strides=self.strides, kernel_size=1, relu=False, name="shortcut")
            maps = shortcut(maps, train)
        return jax.nn.relu(out + maps)


class ResNet18(nn.Module):
    """ResNet-18 (He et al. 2015, arXiv 1512.03385) with the stem that CIFAR work and Papyan et al. 2020 use.

    The embedding is the average-pooled last stage. Taps: ``stage0`` (the stem) to ``stage4``, ``embedding``.
    """

    num_classes: int
    widths: tuple[int, ...] = (64, 128, 256, 512)
    norm: Norm = "batch"
    lowering: Lowering = "auto"
    classifier: Classifier = "learned"
    depths: tuple[int, ...] = (2, 2, 2, 2)
    block: type[nn.Module] = BasicBlock

    @property
    def stages(self) -> Stages:
        """Names of layers by stage, input to output."""
        return (("stem",), *block_names(self.depths))

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"], train: bool = False) -> tuple[Float[Array, "n classes"], Taps]:
        """Maps images, channels last, to (logits, taps)."""
        maps = ConvNormRelu(self.widths[0], self.norm, self.lowering, use_bias=self.norm == "none", name="stem")(
            images, train
        )
        taps: Taps = {"stage0": maps}
        for stage, (names, width) in enumerate(zip(self.stages[1:], self.widths, strict=True), start=1):
            for name in names:
                strides = 2 if stage > 1 and name == names[0] else 1
                maps = self.block(width, strides, self.norm, self.lowering, name=name)(maps, train)
            taps[f"stage{stage}"] = maps
        embedding = maps.mean(axis=(1, 2))
        taps["embedding"] = embedding
        return classify(embedding, self.num_classes, self.classifier), taps


class ResNet50(ResNet18):
    """ResNet-50 (He et al. 2015, arXiv 1512.03385) with the 3×3 stem, no max-pool; widths are before the fourfold."""

    depths: tuple[int, ...] = (3, 4, 6, 3)
    block: type[nn.Module] = BottleneckBlock
