import dataclasses

import jax
import numpy as np
import pytest

from ncjax import training
from ncjax.measurement import MeasureSpec
from ncjax.sweep import default_config, make_mesh, read_config, stack_runs
from ncjax.sweep.plan.sweep_plan import StreamSpec
from ncjax.sweep.program import streamed as module
from ncjax.sweep.program.group_program import ProgramSpec, init_group
from ncjax.sweep.program.mesh import replicate
from ncjax.sweep.program.resident import ResidentGroup
from ncjax.sweep.program.streamed import StreamedGroup
from ncjax.training import Hyper

pytestmark = pytest.mark.slow

STEPS = 7


@pytest.fixture(scope="module")
def programs(small_spec, small_dataset):
    """The same group of three runs on two devices, with its data there and with its train images streamed to them."""
    # Seven images at once divide fifteen unevenly; blocks of two steps divide seven steps unevenly.
    spec = ProgramSpec(small_spec, MeasureSpec(chunk=7), (4, 4, 1))
    dataset = dataclasses.replace(small_dataset, target=None)
    mesh = make_mesh(3, max_devices=2)
    hyper, seeds = stack_runs(mesh, [Hyper(0.05), Hyper(0.2), Hyper(0.1)], [0, 0, 5])
    shared = (spec, mesh, hyper, seeds, init_group(spec, mesh, hyper, seeds))
    resident = ResidentGroup(*shared, replicate(mesh, training.run_inputs(dataset, 9)), 3)
    without_images = replicate(mesh, training.run_inputs(dataset, 9, stream_train=True))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST_STEPS", 2)
        streamed = StreamedGroup(
            *shared, without_images, 3, small_dataset.train, StreamSpec("always", buffer_mib=1, threads=2), STEPS
        )
    return lambda: init_group(spec, mesh, hyper, seeds), resident, streamed


@pytest.fixture(scope="module")
def measured(programs):
    start, resident, streamed = programs
    # Into the middle of a block and on from there, over two ends of an epoch.
    state = streamed.train(streamed.train(start(), 0, 3), 3, STEPS - 3)
    return resident.measure(resident.train(start(), 0, STEPS), STEPS), streamed.measure(state, STEPS)


def test_streamed_steps_are_those_on_data_that_lies_on_the_device(measured):
    (expected, _), (state, _) = measured
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), state.params, expected.params)


def test_streamed_images_are_measured_to_the_same_values(measured):
    (_, expected), (_, values) = measured
    assert values.keys() == expected.keys()
    for name, value in values.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-3, atol=1e-5, err_msg=name)


def test_a_train_split_is_streamed_only_where_it_would_crowd_the_device():
    stream = read_config(default_config()).stream
    assert stream.applies(image_bytes=9, device_bytes=16)
    assert not stream.applies(image_bytes=8, device_bytes=16)


@pytest.mark.parametrize(("key", "value"), [("train", "sometimes"), ("buffer_mib", 0), ("threads", 0)])
def test_a_wrong_choice_is_named(key, value):
    config = default_config()
    config.stream[key] = value
    with pytest.raises(ValueError, match=rf"^config\.stream\.{key}: got {value!r}, expected"):
        read_config(config)
