"""Numbers are asserted of the programs that users run."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp

MAKEFILE = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")


def test_the_optimizer_has_been_over_a_program():
    compiled = jax.jit(lambda x: jnp.sin(x) * 2 + 1).lower(jnp.ones(8)).compile().as_text()
    assert compiled is not None
    assert "fusion" in compiled


def test_only_what_asserts_no_number_is_compiled_without_the_optimizer():
    without = re.findall(r"^\t.*JAX_DISABLE_MOST_OPTIMIZATIONS=.*$", MAKEFILE, flags=re.MULTILINE)
    assert [line.partition(" -m ")[2] for line in without] == [
        "'structure and not extras and not slow'",
        "'slow and structure and not extras'",
    ]
