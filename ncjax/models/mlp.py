"""A fully connected network."""

import flax.linen as nn
import jax
from jaxtyping import Array, Float

from ncjax.cpu_convolution import Lowering
from ncjax.models.blocks import Norm, Taps, normalise
from ncjax.models.classifier import Classifier, classify


class MLP(nn.Module):
    """Dense layers with ReLU; the embedding is the last hidden layer.

    Taps: ``dense1``, …, ``embedding``. ``lowering`` is accepted so that all models are made alike.
    """

    num_classes: int
    widths: tuple[int, ...] = (512, 512)
    norm: Norm = "none"
    lowering: Lowering = "auto"
    classifier: Classifier = "learned"

    @nn.compact
    def __call__(self, images: Float[Array, "n ..."], train: bool = False) -> tuple[Float[Array, "n classes"], Taps]:
        """Maps images of any shape to (logits, taps)."""
        hidden = images.reshape(images.shape[0], -1)
        taps: Taps = {}
        for index, width in enumerate(self.widths, start=1):
            hidden = nn.Dense(width, kernel_init=nn.initializers.he_normal(), name=f"dense{index}")(hidden)
            hidden = jax.nn.relu(normalise(hidden, self.norm, train, f"norm{index}"))
            taps["embedding" if index == len(self.widths) else f"dense{index}"] = hidden
        return classify(hidden, self.num_classes, self.classifier), taps
