"""Convolutions a few images at a time, and of very small maps, against XLA's: values and derivatives of every kind."""

import pytest

from ncjax.cpu_convolution import blocked
from tests.cpu_convolution.cases import assert_derivatives_agree


@pytest.mark.parametrize(
    ("case", "block"), [("same", 2), ("uneven", 5), ("valid", 3)], ids=["rest of one", "one block", "rest of two"]
)
def test_all_derivatives_are_those_of_the_native_convolution(case, block, monkeypatch):
    monkeypatch.setattr(blocked, "_block", lambda *_: block)
    assert_derivatives_agree(case)


def test_all_derivatives_of_very_small_maps_by_a_dense_kernel(monkeypatch):
    monkeypatch.setattr(blocked, "dense_pays", lambda *_: True)
    assert_derivatives_agree("small")
