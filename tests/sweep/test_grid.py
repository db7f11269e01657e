import pytest

from ncjax.sweep import default_config, expand, groups


def test_the_grid_is_the_product_of_the_axes_and_numbered():
    config = default_config()
    config.sweep.learning_rate = (0.1, 1)
    config.sweep.seed = (5, 6, 7)
    runs = expand(config)
    assert [(run.index, run.hyper.learning_rate, run.seed) for run in runs] == [
        (0, 0.1, 5),
        (1, 0.1, 6),
        (2, 0.1, 7),
        (3, 1.0, 5),
        (4, 1.0, 6),
        (5, 1.0, 7),
    ]


def test_an_axis_that_is_not_swept_takes_its_value_from_the_training_section():
    config = default_config()
    config.train.l2 = 0.25
    assert expand(config)[0].columns()["l2"] == 0.25


def test_only_what_changes_shapes_divides_the_grid():
    config = default_config()
    config.sweep.learning_rate = (0.1, 0.2)
    config.sweep.batch_size = (16, 32)
    config.sweep.model = ("mlp", "convnet4")
    config.sweep.seed = (0, 1)
    assert [len(group) for group in groups(expand(config))] == [4, 4, 4, 4]


@pytest.mark.parametrize(
    ("axis", "values", "message"),
    [
        ("learning_rate", (), r"config\.sweep\.learning_rate: got an empty axis"),
        ("learning_rate", (0.1, -0.1), r"config\.sweep\.learning_rate: got -0\.1, expected a number above 0"),
        ("learning_rate", ("0.1",), r"config\.sweep\.learning_rate: got '0\.1'"),
        ("learning_rate", (float("nan"),), r"config\.sweep\.learning_rate: got nan"),
        ("momentum", (1.0,), r"config\.sweep\.momentum: got 1\.0, expected a number from 0, below 1"),
        ("batch_size", (0,), r"config\.sweep\.batch_size: got 0, expected a whole number of at least 1"),
        ("batch_size", (8.5,), r"config\.sweep\.batch_size: got 8\.5"),
        ("seed", (1, 1), r"config\.sweep\.seed: got \(1, 1\), expected values that all differ"),
        ("model", ("vgg12",), r"config\.sweep\.model: got 'vgg12', expected one of .*vgg11"),
    ],
)
def test_a_wrong_axis_is_named_with_what_would_be_right(axis, values, message):
    config = default_config()
    config.sweep[axis] = values
    with pytest.raises(ValueError, match=message):
        expand(config)
