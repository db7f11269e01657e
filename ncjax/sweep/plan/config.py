"""The one default config, with every key, and its reading into a checked plan."""

from typing import Any

import ml_collections
from ml_collections import config_dict

from ncjax.data import DataSpec
from ncjax.measurement import MeasureSpec
from ncjax.plugins import import_plugins
from ncjax.sweep.plan.grid import expand, named
from ncjax.sweep.plan.options import AXES, OPTIONS, option_values
from ncjax.sweep.plan.sweep_plan import Run, StreamSpec, SweepPlan
from ncjax.training import InitSpec, images_at_once
from ncjax.transfer import EpisodeSpec

SWEEP_AXES = tuple(AXES)


def default_config() -> ml_collections.ConfigDict:
    """Every key of a sweep's config with its default value; a config file starts from here and changes some.

    Returns:
        A ``ConfigDict``, locked: a key that is not here cannot be added.

    Examples:
        >>> config = default_config()
        >>> config.sweep.learning_rate = (0.01, 0.1)
        >>> len(read_config(config).runs)
        2
    """
    config = ml_collections.ConfigDict()
    for key, about in OPTIONS.items():
        section, _, name = key.rpartition(".")
        if section and section not in config:
            config[section] = {}
        (config[section] if section else config)[name] = about.default
    # Each axis replaces the value of the same name above; the runs are the product of the axes. None: not swept.
    config.sweep = {name: config_dict.placeholder(tuple) for name in AXES}
    # Points multiply the axes: dicts from axes to one value each, and from "sweep" to the name of a figure's row.
    config.sweep.points = ()
    config.lock()
    return config


def read_config(config: ml_collections.ConfigDict) -> SweepPlan:
    """Checks a config's values and makes typed objects of them.

    Args:
        config: with the keys of ``default_config``.

    Returns:
        The plan of the sweep.

    Raises:
        ValueError: one line that names the key, what came and what would be right.

    Examples:
        >>> config = default_config()
        >>> config.train.epochs = -1.0
        >>> read_config(config)
        Traceback (most recent call last):
        ValueError: config.train.epochs: got -1.0, expected a number above 0
    """
    _check_keys(default_config(), config, "config")
    import_plugins(config.plugins)
    plan = option_values(SweepPlan, config)
    if plan["first_epoch"] > plan["epochs"]:
        raise ValueError(
            f"config.measure.first_epoch: got {plan['first_epoch']}, expected at most train.epochs={plan['epochs']}"
        )
    data, runs = named(DataSpec, option_values(DataSpec, config)), expand(config)
    return SweepPlan(
        data=data,
        runs=runs,
        measure=_measure(config, runs),
        init=named(InitSpec, option_values(InitSpec, config)),
        stream=StreamSpec(**option_values(StreamSpec, config)),
        **plan,
    )


def _check_keys(wanted: ml_collections.ConfigDict, there: Any, place: str) -> None:
    """Makes sure that a config begins as the default does."""
    for key, value in wanted.items():
        if not isinstance(there, ml_collections.ConfigDict) or key not in there:
            raise ValueError(f"{place}.{key}: missing; expected a config that begins as ncjax.sweep.default_config()")
        if isinstance(value, ml_collections.ConfigDict):
            _check_keys(value, there[key], f"{place}.{key}")


def _measure(config: ml_collections.ConfigDict, runs: tuple[Run, ...]) -> MeasureSpec:
    """What to measure, or an error if that cannot be measured of the networks in question."""
    options = option_values(MeasureSpec, config)
    other = sorted({run.train.model.name for run in runs} - {"mlp"})
    if options["first_layer"] and other:
        raise ValueError(
            f"config.measure.first_layer: got True with model {other[0]}, expected mlp: of a convolution the "
            f"inequality does not speak"
        )
    few_shot = named(EpisodeSpec, option_values(EpisodeSpec, config)) if config.transfer.episodes else None
    return MeasureSpec(**{**options, "chunk": options["chunk"] or images_at_once()}, transfer=few_shot)
