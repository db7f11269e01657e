import dataclasses

import numpy as np

from ncjax.data import Augmentation
from tests.training.test_run import run


def test_augmentation_changes_the_steps(small_spec, small_inputs):
    plain = run(small_spec, small_inputs, count=3).params["dense1"]["kernel"]
    cropped = dataclasses.replace(small_spec, augmentation=Augmentation(crop_padding=2))
    assert not np.allclose(run(cropped, small_inputs, count=3).params["dense1"]["kernel"], plain, rtol=1e-3)
