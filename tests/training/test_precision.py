import dataclasses

import jax
import numpy as np

from ncjax.training import Hyper
from tests.training.test_run import run, start_of


def test_training_in_half_precision_keeps_its_state_in_single_and_comes_close(small_spec, small_inputs):
    spec = dataclasses.replace(small_spec, model=dataclasses.replace(small_spec.model, norm="batch"))
    half = dataclasses.replace(spec, compute_dtype="bfloat16", terms=("gc_penalty",))
    hyper, start = Hyper(learning_rate=0.1, momentum=0.5, l2=0.01), start_of(spec)
    reference, found = (run(s, small_inputs, hyper, state=start, count=3) for s in (spec, half))
    assert {leaf.dtype for leaf in jax.tree.leaves(found)} == {np.dtype("float32"), np.dtype("bool")}
    moved, expected = (
        np.concatenate(
            [np.ravel(a - b) for a, b in zip(jax.tree.leaves(s.params), jax.tree.leaves(start.params), strict=True)]
        )
        for s in (found, reference)
    )
    error = np.linalg.norm(moved - expected) / np.linalg.norm(expected)
    # Eight bits of mantissa: neither the single-precision step nor anything far from it.
    assert 1e-5 < error < 0.1
