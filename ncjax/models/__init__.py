"""Pure Flax networks: ``apply`` returns ``(logits, taps)``, where taps names every stage up to ``embedding``."""

from ncjax.models.blocks import Norm
from ncjax.models.convolution import Lowering, convolution, matmul_convolution, resolve_lowering
from ncjax.models.registry import MODELS, ModelSpec, build, initialise

__all__ = [
    "MODELS",
    "Lowering",
    "ModelSpec",
    "Norm",
    "build",
    "convolution",
    "initialise",
    "matmul_convolution",
    "resolve_lowering",
]
