"""Convolutions as XLA's own, or as matrix products that are fast on CPUs, one image or many Jacobian rows at a time."""

from ncjax.cpu_convolution.lowering import Lowering, convolution, matmul_convolution, resolve_lowering

__all__ = ["Lowering", "convolution", "matmul_convolution", "resolve_lowering"]
