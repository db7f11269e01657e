import dataclasses
import functools

import jax
import numpy as np

from ncjax.measurement import MeasureSpec, measure
from ncjax.training import Hyper
from tests.training.test_run import run, start_of


def test_a_fixed_classifier_stays_as_it_was_while_the_rest_learns(small_spec, small_inputs):
    spec = dataclasses.replace(small_spec, model=dataclasses.replace(small_spec.model, classifier="etf"))
    start = start_of(spec)
    after = run(spec, small_inputs, Hyper(l2=0.1, weight_decay=0.1, momentum=0.9), state=start, count=6)
    kernel = after.constants["classifier"]["kernel"]
    np.testing.assert_array_equal(kernel, start.constants["classifier"]["kernel"])
    assert "classifier" not in after.params
    assert not np.allclose(after.params["dense2"]["kernel"], start.params["dense2"]["kernel"], rtol=1e-3)
    row = jax.eval_shape(functools.partial(measure, spec, MeasureSpec(target_classes=2)), after, small_inputs)
    assert {"train/nc3", "train/nc4", "train/nc2_equinorm_classifier"} <= row.keys()


def test_seeds_fix_different_classifiers(small_spec):
    spec = dataclasses.replace(small_spec, model=dataclasses.replace(small_spec.model, classifier="etf"))
    first, second = (start_of(spec, seed=seed).constants["classifier"]["kernel"] for seed in (0, 1))
    assert not np.allclose(first, second, atol=1e-2)
