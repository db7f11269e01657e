import pytest

from configs import quickstart
from ncjax.sweep import SWEEP_AXES, default_config, expand, groups


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


def test_a_value_is_checked_even_where_every_run_has_another():
    config = default_config()
    config.train.learning_rate = -1.0
    config.sweep.learning_rate = (0.1,)
    with pytest.raises(ValueError, match=r"config.train.learning_rate: got -1.0, expected a number above 0"):
        expand(config)


def test_only_what_changes_shapes_divides_the_grid():
    config = default_config()
    config.sweep.learning_rate = (0.1, 0.2)
    config.sweep.batch_size = (16, 32)
    config.sweep.model = ("mlp", "convnet4")
    config.sweep.seed = (0, 1)
    assert [len(group) for group in groups(expand(config))] == [4, 4, 4, 4]


def test_the_quickstart_is_one_group_and_so_two_programs():
    # One begins the runs, one advances and measures them; tests/cli/test_sweep.py counts them.
    (runs,) = groups(expand(quickstart.get_config()))
    assert len(runs) == 12


def test_what_is_compiled_divides_the_grid_and_what_is_traced_does_not():
    config = default_config()
    config.sweep.weight_decay = (0.0, 0.1)
    config.sweep.warmup_epochs = (0, 2)
    config.sweep.sam_rho = (0.0, 0.05, 0.1)
    config.sweep.schedule = ("constant", "cosine")
    divided = groups(expand(config))
    assert [len(group) for group in divided] == [4, 4, 8, 8]
    assert [group[0].train_spec(3).terms for group in divided] == [(), (), ("sam_rho",), ("sam_rho",)]
    assert divided[1][0].columns()["schedule"] == "cosine"


def test_every_axis_can_be_swept_and_stands_in_the_table():
    second: dict[str, object] = {"model": "mlp", "norm": "batch", "classifier": "etf", "optimizer": "adamw"}
    second |= {"schedule": "cosine", "loss": "mse", "nesterov": True, "batch_size": 16, "seed": 1}
    second |= {"train_samples": 40, "coarse": "case"}
    for axis in SWEEP_AXES:
        config, value = default_config(), second.get(axis, 0.25)
        # Adam's betas have no place in SGD.
        config.train.optimizer = "adamw" if axis.startswith("beta") else "sgd"
        config.sweep[axis] = (value,)
        assert expand(config)[0].columns()[axis] == value


def test_a_constant_rate_does_not_depend_on_the_length_of_training():
    config = default_config()
    before = expand(config)
    config.train.epochs = 90.0
    assert expand(config) == before


def test_explicit_points_multiply_the_axes():
    config = default_config()
    config.sweep.points = ({"optimizer": "adam", "learning_rate": 1e-3}, {"momentum": 0.9})
    config.sweep.seed = (0, 1)
    found = [(run.train.optimizer, run.hyper.learning_rate, run.hyper.momentum, run.seed) for run in expand(config)]
    assert found == [("adam", 1e-3, 0.0, 0), ("adam", 1e-3, 0.0, 1), ("sgd", 0.1, 0.9, 0), ("sgd", 0.1, 0.9, 1)]


def test_the_rows_of_a_figure_share_their_base_point():
    config = default_config()
    config.train.learning_rate = 0.2
    config.sweep.seed = (0, 1)
    config.sweep.points = (
        {"sweep": "batches", "batch_size": 16},
        {"sweep": "batches", "batch_size": 32},
        {"sweep": "rates", "learning_rate": 0.1},
        {"sweep": "rates", "learning_rate": 0.2},
        {"sweep": "strengths", "l2": 0.0},
        {"sweep": "strengths", "l2": 0.5, "momentum": 0.9},
    )
    runs = expand(config)
    assert [run.index for run in runs] == list(range(8))
    by_row = {
        name: [(run.hyper.learning_rate, run.train.batch_size, run.hyper.l2) for run in runs if name in run.sweeps]
        for name in ("batches", "rates", "strengths")
    }
    base = [(0.2, 32, 0.0)] * 2
    assert by_row["rates"] == [*base, *[(0.1, 32, 0.0)] * 2]
    assert by_row["batches"] == [(0.2, 16, 0.0)] * 2 + base
    assert by_row["strengths"] == base + [(0.2, 32, 0.5)] * 2
    assert {run.columns()["sweep"] for run in runs} == {"rates", "batches+rates+strengths", "batches", "strengths"}
    assert "sweep" not in expand(default_config())[0].columns()


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"lr": 0.1}, r"config\.sweep\.points: got 'lr', expected one of learning_rate, "),
        ({"momentun": 0.1}, r"did you mean 'momentum'"),
        ({"seed": 0}, r"points: got 'seed', expected only axes that config\.sweep leaves at None"),
        ({"l2": -1}, r"config\.sweep\.points: got -1, expected a number of at least 0"),
        ({"sweep": "a+b"}, r"points: got the name 'a\+b', expected a text without '\+'"),
        (3, r"config\.sweep\.points: got 3, expected dicts"),
    ],
)
def test_a_wrong_point_is_named_with_what_would_be_right(point, message):
    config = default_config()
    config.sweep.seed = (0, 1)
    config.sweep.points = (point,)
    with pytest.raises(ValueError, match=message):
        expand(config)


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
