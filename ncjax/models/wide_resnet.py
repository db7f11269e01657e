"""Wide residual networks: few layers, many channels, normalisation before each convolution."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from ncjax.models.blocks import ConvNormRelu, Norm, Stages, Taps, block_names, normalise
from ncjax.models.classifier import Classifier, classify
from ncjax.models.lowering import Lowering


class PreActivationBlock(nn.Module):
    """Twice normalisation, ReLU and 3×3 convolution, and a shortcut, projected where the number of channels changes."""

    features: int
    strides: int
    norm: Norm
    lowering: Lowering

    @nn.compact
    def __call__(self, maps: Float[Array, "n h w c"], train: bool) -> Float[Array, "n oh ow features"]:
        """Applies the block to feature maps, channels last."""
        bias = self.norm == "none"
        active = jax.nn.relu(normalise(maps, self.norm, train, "norm1"))
        # The convolution layer brings normalisation and ReLU along behind it: those before the second one.
        out = ConvNormRelu(self.features, self.norm, self.lowering, strides=self.strides, use_bias=bias, name="conv1")(
            active, train
        )
        out = _bare(self.features, self.lowering, bias, "conv2")(out, train)
        if maps.shape == out.shape:
            return maps + out
        return _bare(self.features, self.lowering, bias, "shortcut", 1, self.strides)(active, train) + out


class WideResNet28x4(nn.Module):
    """WRN-28-4 (Zagoruyko & Komodakis 2016, arXiv 1605.07146), without dropout.

    Three stages of four blocks, four times as wide as the thin network's 16, 32 and 64 channels; the embedding is the
    average-pooled last stage. WRN-28-10 is ``widths=(160, 320, 640)``. Taps: ``stage0`` (the stem) to ``stage2``,
    ``stage3`` (normalised and rectified), ``embedding``.
    """

    num_classes: int
    widths: tuple[int, ...] = (64, 128, 256)
    norm: Norm = "batch"
    lowering: Lowering = "auto"
    classifier: Classifier = "learned"
    depths: tuple[int, ...] = (4, 4, 4)

    @property
    def stages(self) -> Stages:
        """Names of layers by stage, input to output."""
        blocks = block_names(self.depths)
        # The normalisation behind the last stage goes with it.
        return (("stem",), *blocks[:-1], (*blocks[-1], "norm"))

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"], train: bool = False) -> tuple[Float[Array, "n classes"], Taps]:
        """Maps images, channels last, to (logits, taps)."""
        maps = _bare(16, self.lowering, self.norm == "none", "stem")(images, train)
        taps: Taps = {"stage0": maps}
        for stage, (names, width) in enumerate(zip(block_names(self.depths), self.widths, strict=True), start=1):
            for name in names:
                strides = 2 if stage > 1 and name == names[0] else 1
                maps = PreActivationBlock(width, strides, self.norm, self.lowering, name=name)(maps, train)
            taps[f"stage{stage}"] = maps
        maps = jax.nn.relu(normalise(maps, self.norm, train, "norm"))
        taps[f"stage{len(self.depths)}"] = maps
        embedding = maps.mean(axis=(1, 2))
        taps["embedding"] = embedding
        return classify(embedding, self.num_classes, self.classifier), taps


def _bare(
    features: int, lowering: Lowering, bias: bool, name: str, kernel_size: int = 3, strides: int = 1
) -> ConvNormRelu:
    """A convolution and nothing behind it."""
    return ConvNormRelu(
        features, "none", lowering, strides=strides, kernel_size=kernel_size, use_bias=bias, relu=False, name=name
    )
