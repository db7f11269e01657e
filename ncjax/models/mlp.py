"""A fully connected network."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from ncjax.models.blocks import Norm, Stages, Taps, normalise
from ncjax.models.classifier import Classifier, classify
from ncjax.models.lowering import Lowering


class MLP(nn.Module):
    """Dense layers with ReLU; the embedding is the last hidden layer.

    Taps: ``dense1``, …, ``embedding``. ``lowering`` is accepted so that all models are made alike.
    """

    num_classes: int
    widths: tuple[int, ...] = (512, 512)
    norm: Norm = "none"
    lowering: Lowering = "auto"
    classifier: Classifier = "learned"

    @property
    def stages(self) -> Stages:
        """Names of layers by stage, input to output."""
        return tuple((f"dense{index}", f"norm{index}") for index in range(1, len(self.widths) + 1))

    @nn.compact
    def __call__(self, images: Float[Array, "n ..."], train: bool = False) -> tuple[Float[Array, "n classes"], Taps]:
        """Maps images of any shape to (logits, taps)."""
        hidden = images.reshape(images.shape[0], -1)
        taps: Taps = {}
        for (dense, norm), width in zip(self.stages, self.widths, strict=True):
            hidden = nn.Dense(width, kernel_init=nn.initializers.he_normal(), name=dense)(hidden)
            hidden = jax.nn.relu(normalise(hidden, self.norm, train, norm))
            taps[dense] = hidden
        taps["embedding"] = taps.pop(dense)
        return classify(hidden, self.num_classes, self.classifier), taps
