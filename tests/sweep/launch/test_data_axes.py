"""Axes that change the data: the same images divided, labelled and measured alike."""

import numpy as np
import pytest

from ncjax.sweep import Workdir, default_config, expand, groups
from ncjax.sweep.launch.preparation import prepare
from ncjax.sweep.workdir.ledger import extend_ledger


def sample_sizes(*sizes):
    config = default_config()
    config.data.name = "digits"
    config.model.name = "mlp"
    config.sweep.train_samples = sizes
    config.sweep.seed = (0, 1)
    config.measure.complexity_samples = 20
    return config


def test_each_value_is_a_group_of_its_own():
    runs = expand(sample_sizes(50, 100))
    assert [[run.columns()["train_samples"] for run in group] for group in groups(runs)] == [[50, 50], [100, 100]]


def test_the_table_has_the_column_only_where_it_is_swept():
    config = default_config()
    config.sweep.seed = (0, 1)
    assert "train_samples" not in expand(config)[0].columns()


def test_each_group_sees_its_own_data_in_the_same_unit(tmp_path):
    config = sample_sizes(50, 100)
    config.measure.fine_probes = True
    sweep = prepare(config, Workdir(tmp_path))
    found = sweep.groups(extend_ledger(None, sweep.plan))
    assert [len(group.dataset.train) for group in found] == [50, 100]
    assert [len(sweep.inputs(group).train_labels) for group in found] == [50, 100]
    assert [group.spec.measure.fine_classes for group in found] == [10, 10]
    np.testing.assert_array_equal(found[0].dataset.mean, found[1].dataset.mean)
    assert [group.steps_per_epoch for group in found] == [1, 3]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("first_layer", True, r"config\.measure\.first_layer: got True with model convnet4, expected mlp"),
        ("hessian_probes", 1, r"config\.measure\.hessian_probes: got 1, expected 0 or at least 2"),
        ("estimator_sizes", (4, 1), r"config\.measure\.estimator_sizes: got \(4, 1\), expected ascending"),
    ],
)
def test_a_measure_that_cannot_be_taken_is_named(key, value, message):
    from ncjax.sweep import read_config

    config = default_config()
    config.measure[key] = value
    with pytest.raises(ValueError, match=message):
        read_config(config)
