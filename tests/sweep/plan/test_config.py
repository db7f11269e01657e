import json

import pytest

from ncjax.sweep import Workdir, default_config, read_config


def with_value(key, value):
    config = default_config()
    section, _, name = key.rpartition(".")
    (config[section] if section else config)[name] = value
    return config


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.epochs", 0.0, r"config\.train\.epochs: got 0\.0, expected a number above 0"),
        ("train.loss", "hinge", r"config\.train\.loss: got 'hinge', expected one of cross_entropy, mse"),
        ("train.learning_rate", -1.0, r"config\.train\.learning_rate: got -1\.0"),
        ("train.optimizer", "adamax", r"config\.train\.optimizer: got 'adamax', expected one of sgd, adam, adamw"),
        ("train.schedule", "step", r"config\.train\.schedule: got 'step', expected one of constant, steps, cosine"),
        ("train.warmup_epochs", 31.0, r"config\.train\.warmup_epochs: got 31\.0, expected at most train\.epochs=30"),
        ("train.beta2", 0.5, r"config\.train\.beta2: got 0\.5 with optimizer sgd, which has no use for it"),
        ("train.sam_rho", -0.1, r"config\.train\.sam_rho: got -0\.1, expected a number of at least 0"),
        ("measure.checkpoints", 1, r"config\.measure\.checkpoints: got 1, expected a whole number of at least 2"),
        ("measure.first_epoch", 99.0, r"config\.measure\.first_epoch: got 99\.0, expected at most train\.epochs"),
        ("transfer.ways", 1, r"config\.transfer\.ways"),
        ("transfer.heads", ("ncmm",), r"config\.transfer\.head.*ncm"),
        ("data.train_per_class", -1, r"config\.data\.train_per_class"),
        ("model.norm", "layer", r"config\.model\.norm: got 'layer'"),
        ("model.lowering", "fast", r"config\.model\.lowering: got 'fast'"),
        ("model.widths", (8, 0), r"config\.model\.widths: got \(8, 0\)"),
        ("model.classifier", "cosine", r"config\.model\.classifier: got 'cosine', expected one of learned, etf"),
        ("compute_dtype", "float16", r"config\.compute_dtype: got 'float16', expected one of float32, bfloat16"),
        ("train.gradient_norm_penalty", -1.0, r"config\.train\.gradient_norm_penalty: got -1\.0"),
        ("runs_axis", "scan", r"config\.runs_axis: got 'scan', expected one of auto, map, vmap"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(key, value, message):
    with pytest.raises(ValueError, match=message):
        read_config(with_value(key, value))


def test_decoupled_decay_goes_with_adamw_not_with_adam():
    config = with_value("train.weight_decay", 0.1)
    config.train.optimizer = "adam"
    with pytest.raises(ValueError, match=r"config\.train\.weight_decay: got 0\.1 with optimizer adam, .*adamw"):
        read_config(config)
    config.train.optimizer = "adamw"
    assert read_config(config).runs[0].hyper.weight_decay == 0.1


def test_the_numbers_of_a_schedule_are_checked_where_it_is_used():
    config = with_value("train.decay_at", (0.5, 0.5))
    read_config(config)
    config.train.schedule = "steps"
    with pytest.raises(ValueError, match=r"config\.train\.decay_at: got \(0\.5, 0\.5\), expected ascending"):
        read_config(config)


def test_a_key_that_does_not_exist_suggests_the_nearest():
    with pytest.raises(AttributeError, match='Did you mean "learning_rate"'):
        default_config().sweep.lerning_rate = (0.1,)


def test_a_value_of_the_wrong_type_is_refused():
    with pytest.raises(TypeError):
        default_config().train.epochs = "many"


def test_the_default_config_is_valid():
    assert len(read_config(default_config()).runs) == 1


def test_no_episodes_leave_transfer_out():
    assert read_config(with_value("transfer.episodes", 0)).measure.transfer is None


def test_an_option_newer_than_a_workdir_was_at_its_default_there(tmp_path):
    config = default_config()
    stored = json.loads(json.dumps(config.to_dict()))
    del stored["measure"]["bounds"]
    (tmp_path / "config.json").write_text(json.dumps(stored))
    Workdir(tmp_path).check(config)
    config.measure.bounds = True
    with pytest.raises(ValueError, match=r"holds a sweep with config\.measure\.bounds=False, this one has True"):
        Workdir(tmp_path).check(config)
