"""Convolutions as matrix products that are fast on CPUs, one image or many rows of a Jacobian at a time.

**Why it exists.** XLA's convolution on a CPU is fast at the top level of a program, and slow where this package needs
it: inside the loop that trains many steps and under ``vmap`` over runs. Measured on two cores with JAX 0.10.2, in
GFLOP/s outside a loop, inside one, and under ``vmap`` over kernels (8×8 pixels, 256 channels): forward 94, 112, 18;
input gradient 92, 20, 18; kernel gradient 73, 0.6, 18. Maps of 2×2 pixels run at 3 anywhere. A matrix product runs at
125 to 180 in all three places. Exact geometric complexity needs hundreds of rows of a Jacobian, all with the same zeros
behind their ReLUs; no library leaves those products out. On GPU and TPU none of this applies, and nothing here is used.

**What is in it.** ``convolution.py`` has the signature of ``jax.lax.conv_general_dilated`` and calls ``primitive.py``,
a bilinear primitive: the convolution and its two transposes. They are computed by ``blocked.py`` (unit strides, patches
of a few images that stay in the cache), ``dense.py`` (maps of a few pixels), ``sliced.py`` (any strides) and
``shared_zeros.py`` (many rows of a Jacobian). ``geometry.py`` holds sizes, ``varying.py`` types under ``shard_map``.

**What it leans on in JAX**, beside the public API: ``jax.extend.core.Primitive``; ``jax.interpreters.ad.defbilinear``,
``batching.primitive_batchers``, ``mlir.register_lowering`` and ``mlir.lower_fun``; the ``update`` of abstract values;
``vma``, or ``mat.varying``, of ``jax.typeof``; ``jax.experimental.layout.with_layout_constraint``;
``lax.padtype_to_pads``; ``jax.config.jax_default_matmul_precision``. ``tests/cpu_convolution/test_known_jax.py`` names
the versions of JAX with which all of it was tried, and says what to do with another one.

**How it goes.** Run one sweep with ``--config.model.lowering=xla`` and one with ``matmul`` on a CPU, and compare the
``time/`` columns. On the day XLA's is as fast, delete this folder and its tests, and make ``auto`` and ``xla`` the only
lowerings: ``ncjax/models/lowering.py`` alone imports from here.
"""

from ncjax.cpu_convolution.convolution import matmul_convolution

__all__ = ["matmul_convolution"]
