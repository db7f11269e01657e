"""What a user writes in a module of their own: two networks, a data set and a head. Nothing of it is in the package."""

import dataclasses
from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from sklearn.datasets import load_digits

from ncjax import claims, measurement, transfer


class LinenNet(nn.Module):
    num_classes: int

    @nn.compact
    def __call__(self, images):
        embedding = nn.tanh(nn.Dense(6)(images.reshape(images.shape[0], -1)))
        return nn.Dense(self.num_classes)(embedding), embedding


class NNXNet(nnx.Module):
    def __init__(self, num_classes, image_shape, rngs):
        self.hidden = nnx.Linear(int(np.prod(image_shape)), 6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, rngs=rngs)
        self.classifier = nnx.Linear(6, num_classes, rngs=rngs)

    def __call__(self, images):
        hidden = jax.nn.relu(self.norm(self.hidden(images.reshape(images.shape[0], -1))))
        return self.classifier(hidden), {"embedding": hidden}


def digits():
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8) * 15).astype(np.uint8)
    known, new = labels < 6, labels >= 7
    first = np.arange(len(labels)) < 900
    return {
        "train": (images[known & first], labels[known & first]),
        "test": (images[known & ~first], labels[known & ~first]),
        "target": (images[new], labels[new] - 7),
    }


@dataclass(frozen=True)
class Cityblock:
    """Nearest mean in the city-block distance."""

    def prepare(self, features, _center=None):
        return features

    def scores(self, support, query):
        means = support.mean(axis=1)
        return -jnp.sum(jnp.abs(query[:, None, :] - means[None, :, :]), axis=-1)


def three():
    return 1, 2, 3


class NoEmbedding(nn.Module):
    num_classes: int

    @nn.compact
    def __call__(self, images):
        return nn.Dense(self.num_classes)(images.reshape(images.shape[0], -1))


def largest(features, labels, num_classes):
    return jnp.abs(features).max()


transfer.HEADS["cityblock"] = Cityblock()
measurement.add_measure("largest_feature", largest, "largest entry of the embedding, in absolute value")
claims.add_claim(dataclasses.replace(claims.CLAIMS[0], key="X1"))
