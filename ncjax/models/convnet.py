"""The four-block convolutional network of few-shot work."""

import flax.linen as nn
from jaxtyping import Array, Float

from ncjax.models.blocks import ConvNormRelu, Norm, Stages, Taps, check_halvings, max_pool_2x2
from ncjax.models.classifier import Classifier, classify
from ncjax.models.lowering import Lowering


class ConvNet(nn.Module):
    """Blocks of 3×3 convolution, normalisation, ReLU and 2×2 max-pool; the embedding is the last block, flattened.

    Four blocks of 64 channels with batch normalisation are the ConvNet-4 of Vinyals et al. 2016 (arXiv 1606.04080) and
    Snell et al. 2017 (arXiv 1703.05175). Taps: ``block1``, ``block2``, …, ``embedding``.
    """

    num_classes: int
    widths: tuple[int, ...] = (64, 64, 64, 64)
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
            maps = ConvNormRelu(width, self.norm, self.lowering, name=name)(maps, train)
            maps = max_pool_2x2(maps)
            taps[name] = maps
        del taps[name]
        embedding = maps.reshape(maps.shape[0], -1)
        taps["embedding"] = embedding
        return classify(embedding, self.num_classes, self.classifier), taps
