"""The convolution as a bilinear primitive: it and its two transposes are computed by functions of our own.

Being bilinear it has derivatives of every order, forward and reverse.
"""

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from ncjax.cpu_convolution import blocked, sliced
from ncjax.cpu_convolution.geometry import Geometry
from ncjax.cpu_convolution.shared_zeros import input_gradients, sharing_pays
from ncjax.cpu_convolution.varying import varying_alike


def bilinear_convolution(
    inputs: Float[Array, "n h w c"], kernel: Float[Array, "kh kw c features"], geometry: Geometry, precision: Any = None
) -> Float[Array, "n oh ow features"]:
    """A two-dimensional convolution.

    Args:
        inputs: images, channels last.
        kernel: one kernel per output feature.
        geometry: sizes, strides and pads.
        precision: as in ``jax.lax.dot``.

    Returns:
        What ``jax.lax.conv_general_dilated`` returns for the same arguments.

    Examples:
        >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
        >>> valid = Geometry((3, 3), (3, 3), (1, 1), ((0, 0), (0, 0)))
        >>> bilinear_convolution(image, jnp.ones((3, 3, 1, 1)), valid).item()
        36.0
    """
    # Traced now, lowered later: a default precision that is in force here must not be lost.
    precision = precision or jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    inputs, kernel = varying_alike(inputs, kernel)
    return _CONVOLUTION.bind(inputs, kernel, geometry=geometry, precision=precision)


def _way(geometry: Geometry) -> ModuleType:
    return blocked if blocked.blocks_pay(geometry) else sliced


def _forward(x: Array, kernel: Array, *, geometry: Geometry, precision: Any) -> Array:
    return _way(geometry).forward(x, kernel, geometry=geometry, precision=precision)


def _input_gradient(dy: Array, kernel: Array, *, geometry: Geometry, precision: Any) -> Array:
    return _way(geometry).input_gradient(dy, kernel, geometry=geometry, precision=precision)


def _kernel_gradient(x: Array, dy: Array, *, geometry: Geometry, precision: Any) -> Array:
    return _way(geometry).kernel_gradient(x, dy, geometry=geometry, precision=precision)


def _bilinear(name: str, function: Callable[..., Array]) -> Primitive:
    """A primitive that is computed by a function of two arrays."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(function, static_argnames=("geometry", "precision")))

    def abstract(x: Any, y: Any, **options: Any) -> Any:
        shape = jax.eval_shape(
            lambda *arrays: function(*arrays, **options),
            *(jax.ShapeDtypeStruct(array.shape, array.dtype) for array in (x, y)),
        )
        # Whatever else the type holds (mesh axes it varies over) stays that of the operands, made alike before.
        return x.update(shape=shape.shape, dtype=shape.dtype, weak_type=False)

    primitive.def_abstract_eval(abstract)
    mlir.register_lowering(primitive, mlir.lower_fun(function, multiple_results=False))
    return primitive


def _batch(primitive: Primitive, function: Callable[..., Array]) -> None:
    """More images for the same kernel are a larger batch; anything else is many convolutions side by side."""

    def rule(operands: Sequence[Array], axes: Sequence[Any], **options: Any) -> tuple[Array, int]:
        (first, second), (first_axis, second_axis) = operands, axes
        may_share = second_axis is None and primitive is _INPUT_GRADIENT
        if may_share and sharing_pays(first.shape[first_axis], second.shape[-1]):
            # The new axis stays the last from here to the images: to turn large maps takes as long as convolving them.
            return _INPUT_GRADIENTS.bind(jnp.moveaxis(first, first_axis, -1), second, **options), first.ndim - 1
        if second_axis is None and primitive is not _KERNEL_GRADIENT:
            return _larger_batch(primitive, first, first_axis, second, options), 0
        return jax.vmap(lambda *pair: function(*pair, **options), in_axes=tuple(axes))(*operands), 0

    batching.primitive_batchers[primitive] = rule


def _batch_input_gradients(operands: Sequence[Array], axes: Sequence[Any], **options: Any) -> tuple[Array, int]:
    """More images for the same kernel are a larger batch; several kernels take turns, each as long as it needs."""
    (cotangents, kernel), (cotangents_axis, kernel_axis) = operands, axes
    if kernel_axis is None:
        return _larger_batch(_INPUT_GRADIENTS, cotangents, cotangents_axis, kernel, options), 0

    def one(index: Array) -> Array:
        pair = (
            array if axis is None else lax.dynamic_index_in_dim(array, index, axis, keepdims=False)
            for array, axis in zip(operands, axes, strict=True)
        )
        return _INPUT_GRADIENTS.bind(*pair, **options)

    return lax.map(one, jnp.arange(kernel.shape[kernel_axis])), 0


def _larger_batch(primitive: Primitive, first: Array, axis: int, second: Array, options: Any) -> Array:
    """Applies a primitive to several batches of images as to one; the batches are the first axis of the result."""
    first = jnp.moveaxis(first, axis, 0)
    out = primitive.bind(first.reshape(-1, *first.shape[2:]), second, **options)
    return out.reshape(*first.shape[:2], *out.shape[1:])


def _images_first(cotangents: Float[Array, "n h w c d"]) -> Float[Array, "dn h w c"]:
    turned = jnp.moveaxis(cotangents, -1, 0)
    return turned.reshape(-1, *turned.shape[2:])


_CONVOLUTION = _bilinear("convolution", _forward)
_INPUT_GRADIENT = _bilinear("convolution_input_gradient", _input_gradient)
_KERNEL_GRADIENT = _bilinear("convolution_kernel_gradient", _kernel_gradient)
# The input gradient for many cotangents of the same images, which are the last axis.
_INPUT_GRADIENTS = _bilinear("convolution_input_gradients", input_gradients)
_batch(_CONVOLUTION, _forward)
_batch(_INPUT_GRADIENT, _input_gradient)
_batch(_KERNEL_GRADIENT, _kernel_gradient)
batching.primitive_batchers[_INPUT_GRADIENTS] = _batch_input_gradients

# With y = x * k, dx = T(dy, k) and dk = G(x, dy), each of the three is bilinear, and the transposes of each are the
# other two: ⟨u, x * k⟩ = ⟨T(u, k), x⟩ = ⟨G(x, u), k⟩.
ad.defbilinear(
    _CONVOLUTION,
    lambda ct, _, kernel, **options: _INPUT_GRADIENT.bind(ct, kernel, **options),
    lambda ct, x, _, **options: _KERNEL_GRADIENT.bind(x, ct, **options),
)
ad.defbilinear(
    _INPUT_GRADIENT,
    lambda ct, _, kernel, **options: _CONVOLUTION.bind(ct, kernel, **options),
    lambda ct, dy, _, **options: _KERNEL_GRADIENT.bind(ct, dy, **options),
)
ad.defbilinear(
    _KERNEL_GRADIENT,
    lambda ct, _, dy, **options: _INPUT_GRADIENT.bind(dy, ct, **options),
    lambda ct, x, _, **options: _CONVOLUTION.bind(x, ct, **options),
)
ad.defbilinear(
    _INPUT_GRADIENTS,
    lambda ct, _, kernel, **options: jax.vmap(
        lambda ct: _CONVOLUTION.bind(ct, kernel, **options), in_axes=-1, out_axes=-1
    )(ct),
    lambda ct, dy, _, **options: _KERNEL_GRADIENT.bind(_images_first(ct), _images_first(dy), **options),
)
