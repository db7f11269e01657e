import jax
import jax.numpy as jnp
import pytest

from ncjax import models
from ncjax.metrics.platform import platform, tracing_for
from ncjax.training import images_at_once


def test_block_sizes_and_convolutions_follow_the_platform_that_is_compiled_for():
    assert (images_at_once(), models.resolve_lowering("auto")) == (32, "matmul")
    with tracing_for("tpu"):
        assert (images_at_once(), models.resolve_lowering("auto")) == (256, "xla")
    assert platform() == "cpu"


def test_what_was_traced_for_one_platform_is_not_taken_for_another():
    @jax.jit
    def blocks(x):
        return x + images_at_once()

    assert float(blocks(jnp.float32(0))) == 32
    with tracing_for("gpu"):
        assert float(blocks(jnp.float32(0))) == 256
    assert float(blocks(jnp.float32(0))) == 32


def test_an_error_inside_leaves_the_platform_as_it_was():
    with pytest.raises(RuntimeError), tracing_for("tpu"):
        raise RuntimeError
    assert platform() == jax.default_backend()
