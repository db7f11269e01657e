"""VGG with the head that CIFAR work uses: one dense layer on 512 features."""

import flax.linen as nn
from jaxtyping import Array, Float

from ncjax.models.blocks import ConvNormRelu, Norm, Stages, Taps, block_names, max_pool_2x2
from ncjax.models.classifier import Classifier, classify
from ncjax.models.lowering import Lowering


class VGG(nn.Module):
    """Stages of 3×3 convolutions, each ended by a 2×2 max-pool (Simonyan & Zisserman 2014, arXiv 1409.1556).

    A stage whose input is a single pixel wide is not pooled further, so that 28×28 images work too. What is left of the
    maps is averaged; at 32×32 pixels nothing is left to average. Taps: ``stage1``, …, ``stage4``, ``embedding``.
    """

    num_classes: int
    depths: tuple[int, ...]
    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    norm: Norm = "none"
    lowering: Lowering = "auto"
    classifier: Classifier = "learned"

    @property
    def stages(self) -> Stages:
        """Names of layers by stage, input to output."""
        return block_names(self.depths, "conv")

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"], train: bool = False) -> tuple[Float[Array, "n classes"], Taps]:
        """Maps images, channels last, to (logits, taps)."""
        maps, taps = images, Taps()
        for stage, (names, width) in enumerate(zip(self.stages, self.widths, strict=True), start=1):
            for name in names:
                maps = ConvNormRelu(width, self.norm, self.lowering, name=name)(maps, train)
            if min(maps.shape[1:3]) > 1:
                maps = max_pool_2x2(maps)
            if stage < len(self.depths):
                taps[f"stage{stage}"] = maps
        embedding = maps.mean(axis=(1, 2))
        taps["embedding"] = embedding
        return classify(embedding, self.num_classes, self.classifier), taps


class VGG11(VGG):
    """VGG-11 (configuration A)."""

    depths: tuple[int, ...] = (1, 1, 2, 2, 2)


class VGG13(VGG):
    """VGG-13 (configuration B)."""

    depths: tuple[int, ...] = (2, 2, 2, 2, 2)


class VGG16(VGG):
    """VGG-16 (configuration D)."""

    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
