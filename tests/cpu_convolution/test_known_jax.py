"""The parts of JAX below its public API that this room is built on."""

import importlib

import jax
import pytest

# Versions with which all tests of this folder passed.
KNOWN = ("0.10", "0.11", "0.12")

INTERNALS = (
    "jax.extend.core:Primitive.def_impl",
    "jax.extend.core:Primitive.def_abstract_eval",
    "jax.interpreters.ad:defbilinear",
    "jax.interpreters.batching:primitive_batchers",
    "jax.interpreters.mlir:register_lowering",
    "jax.interpreters.mlir:lower_fun",
    "jax.experimental.layout:Layout",
    "jax.experimental.layout:with_layout_constraint",
    "jax.core:ShapedArray.update",
    "jax.lax:pcast",
    "jax.lax:padtype_to_pads",
    "jax:typeof",
    "jax:config.jax_default_matmul_precision",
)


def test_this_version_of_jax_is_known():
    version = ".".join(jax.__version__.split(".")[:2])
    assert version in KNOWN, f"""
JAX {jax.__version__} has not been tried with ncjax.cpu_convolution, which leans on parts of JAX that may change.
1. Run: python -m pytest tests/cpu_convolution tests/models tests/metrics/test_complexity.py
2. What fails there besides this test: see "What it leans on in JAX" in ncjax/cpu_convolution/__init__.py.
3. Is XLA's own convolution as fast now, inside loops and under vmap? The same page says how to find out, under "How it
   goes", and how to delete the folder if it is.
4. Otherwise add "{version}" to KNOWN in {__file__}.
"""


@pytest.mark.parametrize("name", INTERNALS)
def test_what_is_leaned_on_is_there(name):
    module, _, path = name.partition(":")
    found = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)


def test_the_axes_over_which_an_array_varies_are_part_of_its_type():
    mesh = jax.make_mesh((1,), ("runs",), axis_types=(jax.sharding.AxisType.Auto,))
    kinds = []

    def look(x):
        kinds.append(jax.typeof(x))
        return x

    jax.eval_shape(jax.shard_map(look, mesh=mesh, in_specs=jax.P("runs"), out_specs=jax.P("runs")), jax.numpy.ones(1))
    (kind,) = kinds
    varying = kind.vma if hasattr(kind, "vma") else kind.mat.varying
    assert set(varying) == {"runs"}
