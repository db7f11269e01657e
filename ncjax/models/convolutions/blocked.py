"""A convolution as matrix products over shifted slices of a few images at a time: fast on CPUs, both ways.

The patches of a whole batch (im2col) do not fit in a CPU's cache and are written to memory and read back, nine times
the images' size. Made for a few images at a time they stay in the cache, and the products run near the speed of large
matrices. Automatic differentiation would lose that, so the convolution is a bilinear primitive of its own, whose two
transposes work in the same way. Being bilinear it has derivatives of every order, forward and reverse. For many images
of very few pixels the kernel is written out as one dense matrix instead.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Float

from ncjax.models.convolutions.dense import Pads, dense_kernel, dense_kernel_gradient, dense_pays

# Bytes of patches made at once: measured on two cores, half or twice as many are as good, the whole batch half as fast.
_PATCH_BYTES = 5 * 2**20


def blocked_convolution(
    inputs: Float[Array, "n h w c"], kernel: Float[Array, "kh kw c features"], pads: Pads, precision: Any = None
) -> Float[Array, "n oh ow features"]:
    """A two-dimensional convolution with unit strides.

    Args:
      inputs: images, channels last.
      kernel: one kernel per output feature.
      pads: (before, after) of rows and columns, each less than the kernel's size.
      precision: as in ``jax.lax.dot``.

    Returns:
      What ``jax.lax.conv_general_dilated`` returns for the same arguments.

    Example:
      >>> image = jnp.arange(9.0).reshape(1, 3, 3, 1)
      >>> blocked_convolution(image, jnp.ones((3, 3, 1, 1)), ((0, 0), (0, 0))).item()
      36.0
    """
    # Traced now, lowered later: a default precision that is in force here must not be lost.
    precision = precision or jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    inputs, kernel = _varying_alike(inputs, kernel)
    return _CONVOLUTION.bind(inputs, kernel, pads=tuple(map(tuple, pads)), precision=precision)


def _forward(x: Array, kernel: Array, *, pads: Pads, precision: Any) -> Array:
    kernel_height, kernel_width, _, features = kernel.shape
    flat_kernel = kernel.reshape(-1, features)
    images, height, width, _ = x.shape
    if dense_pays(images, height, width):
        out = height + sum(pads[0]) - kernel_height + 1, width + sum(pads[1]) - kernel_width + 1
        product = jnp.dot(x.reshape(images, -1), dense_kernel(kernel, height, width, pads), precision=precision)
        return product.reshape(images, *out, features)

    def of_block(x: Array) -> Array:
        padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
        shape = (len(x), padded.shape[1] - kernel_height + 1, padded.shape[2] - kernel_width + 1)
        slices = itertools.chain(*_slices(padded, kernel_height, kernel_width))
        patches = jnp.concatenate([*slices], axis=-1).reshape(-1, len(flat_kernel))
        product = jnp.dot(patches, flat_kernel, precision=precision)
        return product.reshape(*shape, features)

    return _in_blocks(of_block, x, _block(x, kernel, x.shape[-1]))


def _input_gradient(dy: Array, kernel: Array, *, pads: Pads, precision: Any) -> Array:
    """The product at every kernel position first, then the sum of its shifted slices."""
    kernel_height, kernel_width, channels, features = kernel.shape
    flat_kernel = kernel.reshape(-1, features).T
    (top, bottom), (left, right) = pads
    images, out_height, out_width, _ = dy.shape
    height, width = out_height + kernel_height - 1 - top - bottom, out_width + kernel_width - 1 - left - right
    if dense_pays(images, height, width):
        product = jnp.dot(dy.reshape(images, -1), dense_kernel(kernel, height, width, pads).T, precision=precision)
        return product.reshape(images, height, width, channels)

    def of_block(dy: Array) -> Array:
        products = jnp.dot(dy.reshape(-1, features), flat_kernel, precision=precision)
        products = products.reshape(*dy.shape[:3], kernel_height, kernel_width, channels)
        total = jnp.zeros((), dy.dtype)
        for row in range(kernel_height):
            for column in range(kernel_width):
                around = ((0, 0), (row, kernel_height - 1 - row), (column, kernel_width - 1 - column), (0, 0))
                total = total + jnp.pad(products[:, :, :, row, column], around)
        return total[:, top : top + height, left : left + width]

    return _in_blocks(of_block, dy, _block(dy, kernel, channels))


def _kernel_gradient(x: Array, dy: Array, *, pads: Pads, precision: Any) -> Array:
    """For each kernel position and pair of channels, the sum over images and pixels of input times dy."""
    images, height, width, features = dy.shape
    channels = x.shape[-1]
    kernel_height = x.shape[1] + sum(pads[0]) - height + 1
    kernel_width = x.shape[2] + sum(pads[1]) - width + 1
    shape = (kernel_height, kernel_width, channels, features)
    kernel = jax.ShapeDtypeStruct(shape, x.dtype)
    _, in_height, in_width, _ = x.shape
    if dense_pays(images, in_height, in_width):
        product = jnp.dot(x.reshape(images, -1).T, dy.reshape(images, -1), precision=precision)
        return dense_kernel_gradient(product, kernel, in_height, in_width, pads)
    padded = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    block = _block(dy, kernel, channels)

    def of_block(x: Array, dy: Array) -> Array:
        # Turned by itself, a ninth of the patches' size: a product with its first factor turned is half as fast.
        turned = lax.optimization_barrier(dy.reshape(-1, features).T)
        slices = _slices(x, kernel_height, kernel_width)
        # One product a kernel row copies less; with few channels it is too thin.
        groups = slices if channels >= 16 else [list(itertools.chain(*slices))]
        parts = [jnp.concatenate(group, axis=-1).reshape(turned.shape[1], -1) for group in groups]
        return jnp.concatenate([jnp.dot(turned, part, precision=precision) for part in parts], axis=1)

    def add_block(total: Array, start: Array) -> tuple[Array, None]:
        part = (lax.dynamic_slice_in_dim(array, start, block) for array in (padded, dy))
        return total + of_block(*part), None

    whole = images // block * block
    # The first block begins the sum, since a loop's carry must have the type of what the loop makes.
    total = of_block(padded[:block], dy[:block])
    if whole > block:
        total, _ = lax.scan(add_block, total, jnp.arange(block, whole, block))
    if whole < images:
        total = total + of_block(padded[whole:], dy[whole:])
    return total.T.reshape(shape)


def _slices(padded: Array, kernel_height: int, kernel_width: int) -> list[list[Array]]:
    """What each position of the kernel sees, by rows and columns of the kernel."""
    height, width = padded.shape[1] - kernel_height + 1, padded.shape[2] - kernel_width + 1
    return [
        [padded[:, row : row + height, column : column + width] for column in range(kernel_width)]
        for row in range(kernel_height)
    ]


def _block(maps: Array, kernel: Any, channels: int) -> int:
    """How many images' patches stay in the cache."""
    patch_bytes = maps.shape[1] * maps.shape[2] * kernel.shape[0] * kernel.shape[1] * channels * maps.dtype.itemsize
    most = max(1, min(len(maps), _PATCH_BYTES // patch_bytes))
    dividing = max(size for size in range(1, most + 1) if len(maps) % size == 0)
    # Blocks of one size spare a copy, if they need not be much smaller for it.
    return dividing if 2 * dividing > most else most


def _in_blocks(of_block: Callable[[Array], Array], maps: Array, block: int) -> Array:
    """Applies a function of images to all of them, some at a time."""
    whole = len(maps) // block * block
    if whole == block == len(maps):
        return of_block(maps)
    done = lax.map(of_block, maps[:whole].reshape(-1, block, *maps.shape[1:]))
    done = done.reshape(whole, *done.shape[2:])
    return done if whole == len(maps) else jnp.concatenate([done, of_block(maps[whole:])])


def _bilinear(name: str, function: Callable[..., Array]) -> Primitive:
    """A primitive that is computed by a function of two arrays and batched over the first as more images."""
    primitive = Primitive(name)
    primitive.def_impl(jax.jit(function, static_argnames=("pads", "precision")))

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
        if second_axis is None and primitive is not _KERNEL_GRADIENT:
            first = jnp.moveaxis(first, first_axis, 0)
            out = primitive.bind(first.reshape(-1, *first.shape[2:]), second, **options)
            return out.reshape(*first.shape[:2], *out.shape[1:]), 0
        return jax.vmap(lambda *pair: function(*pair, **options), in_axes=tuple(axes))(*operands), 0

    batching.primitive_batchers[primitive] = rule


def _varying_alike(*arrays: Array) -> tuple[Array, ...]:
    """The same arrays, each declared to vary over the mesh axes that any of them varies over, for ``shard_map``."""
    varying = [_varying_axes(array) for array in arrays]
    every = frozenset[Any]().union(*varying)
    return tuple(
        lax.pcast(array, tuple(every - its), to="varying") if every - its else array
        for array, its in zip(arrays, varying, strict=True)
    )


def _varying_axes(array: Array) -> frozenset[Any]:
    kind = jax.typeof(array)
    # Newer versions of JAX hold it inside the type of manual axes.
    mesh_axes: Any = kind.vma if hasattr(kind, "vma") else getattr(getattr(kind, "mat", None), "varying", ())
    return frozenset(mesh_axes)


_CONVOLUTION = _bilinear("blocked_convolution", _forward)
_INPUT_GRADIENT = _bilinear("blocked_convolution_input_gradient", _input_gradient)
_KERNEL_GRADIENT = _bilinear("blocked_convolution_kernel_gradient", _kernel_gradient)
_batch(_CONVOLUTION, _forward)
_batch(_INPUT_GRADIENT, _input_gradient)
_batch(_KERNEL_GRADIENT, _kernel_gradient)

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
