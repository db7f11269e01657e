"""Pure Flax networks: ``apply`` returns ``(logits, taps)``, where taps names every stage up to ``embedding``."""

from ncjax.models.blocks import Norm, frozen_averages
from ncjax.models.classifier import Classifier, classifier_weights, simplex_etf
from ncjax.models.lowering import Lowering, convolution, matmul_convolution, resolve_lowering
from ncjax.models.registry import MODELS, ModelSpec, build, initialise

__all__ = [
    "MODELS",
    "Classifier",
    "Lowering",
    "ModelSpec",
    "Norm",
    "build",
    "classifier_weights",
    "convolution",
    "frozen_averages",
    "initialise",
    "matmul_convolution",
    "resolve_lowering",
    "simplex_etf",
]
