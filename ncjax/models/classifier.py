"""The last layer: learned, or fixed at a simplex equiangular tight frame."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import scipy.linalg
from jaxtyping import Array, Float, PRNGKeyArray

from ncjax.models.plugged_in import CLASSES, plugged_in_classifier

Classifier = Literal["learned", "etf"]


def simplex_etf(key: PRNGKeyArray, dim: int, num_classes: int) -> Float[Array, "d classes"]:
    """A simplex equiangular tight frame in a random orientation.

    Args:
        key: of the orientation, uniform over all of them.
        dim: d, at least C − 1.
        num_classes: C, at least 2.

    Returns:
        [d, C] columns of length 1 that sum to zero, any two with the cosine −1/(C − 1).

    Raises:
        ValueError: if so many dimensions do not hold such a frame.

    Source:
        Papyan, Han & Donoho 2020 (https://arxiv.org/abs/2008.08186), definition of the general simplex ETF.

    Examples:
        >>> kernel = simplex_etf(jax.random.key(0), dim=5, num_classes=3)
        >>> jnp.round(kernel.T @ kernel, 4).tolist()
        [[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0]]
    """
    if num_classes < 2 or dim < num_classes - 1:
        raise ValueError(
            f"classifier: got 'etf' for {num_classes} classes on an embedding of {dim} dimensions, expected at least "
            f"2 classes and one dimension less than classes"
        )
    # Helmert's rows are an orthonormal basis of what is orthogonal to the vector of ones.
    basis = jnp.asarray(scipy.linalg.helmert(num_classes), jnp.float32)
    orientation = jax.random.orthogonal(key, dim, m=num_classes - 1, dtype=jnp.float32)
    return math.sqrt(num_classes / (num_classes - 1)) * jnp.dot(orientation, basis, precision="highest")


class FixedClassifier(nn.Module):
    """A classifier without bias whose kernel is a simplex ETF, drawn with the initial weights and never trained.

    The kernel stands in the collection ``constants``, out of reach of optimizer, L2, weight decay and penalties (Zhu et
    al. 2021, arXiv 2105.02375).
    """

    num_classes: int

    @nn.compact
    def __call__(self, embedding: Float[Array, "n d"]) -> Float[Array, "n classes"]:
        """Maps an embedding to logits."""
        draw = lambda: simplex_etf(self.make_rng("params"), embedding.shape[-1], self.num_classes)  # noqa: E731
        return jnp.dot(embedding, self.variable("constants", "kernel", draw).value)


def classify(
    embedding: Float[Array, "n d"], num_classes: int, classifier: Classifier = "learned"
) -> Float[Array, "n classes"]:
    """Applies the last layer, named ``classifier``; called inside a compact Flax module.

    Args:
        embedding: [n, d].
        num_classes: C.
        classifier: ``learned``, a dense layer with bias, or ``etf``.

    Returns:
        Logits.

    Raises:
        ValueError: if ``classifier`` is neither.
    """
    if classifier == "learned":
        return nn.Dense(num_classes, name="classifier")(embedding)
    if classifier == "etf":
        return FixedClassifier(num_classes, name="classifier")(embedding)
    raise ValueError(f"classifier: got {classifier!r}, expected one of learned, etf")


def classifier_weights(variables: Mapping[str, Any]) -> tuple[Float[Array, "d classes"], Float[Array, " classes"]]:
    """The kernel and bias of a network's last layer, wherever they stand.

    Args:
        variables: of any network of this package.

    Returns:
        The [d, C] kernel, and the bias: zeros where there is none.

    Examples:
        >>> from ncjax.models import ModelSpec, build, initialise
        >>> model = build(ModelSpec("mlp", widths=(4,), classifier="etf"), num_classes=3)
        >>> kernel, bias = classifier_weights(initialise(model, jax.random.key(0), (2, 2, 1)))
        >>> kernel.shape, bias.tolist()
        ((4, 3), [0.0, 0.0, 0.0])
    """
    if CLASSES in variables.get("constants", {}):
        return plugged_in_classifier(variables)
    if "classifier" in variables["params"]:
        layer = variables["params"]["classifier"]
        return layer["kernel"], layer["bias"]
    kernel = variables["constants"]["classifier"]["kernel"]
    return kernel, jnp.zeros(kernel.shape[-1], kernel.dtype)
