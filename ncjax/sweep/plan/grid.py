"""The grid of runs that a config asks for, and its division into groups that share a compiled program."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import ml_collections

from ncjax.data import Augmentation
from ncjax.models import ModelSpec, build
from ncjax.sweep.plan.options import AXES, DATA_AXES, OPTIONS, SECTIONS, checked_value, option_values
from ncjax.sweep.plan.points import span
from ncjax.sweep.plan.sweep_plan import Run
from ncjax.training import Hyper, Schedule, TrainSpec, active_terms, make_schedule


def expand(config: ml_collections.ConfigDict) -> tuple[Run, ...]:
    """All runs of a config.

    They are the product of the points and the axes of ``config.sweep``. Points may bear the name of what they belong
    to, such as a row of a figure; a run that comes up more than once is one run, with all its names.

    Args:
        config: of a sweep; an axis that is None takes its one value from ``config.train`` or ``config.model``.

    Returns:
        The runs, numbered in the order of the points and then of the product of the axes, the last axis fastest.

    Raises:
        ValueError: if an axis is unknown, empty, swept twice or repeats a value, a value is out of range, or values do
            not go together.

    Examples:
        >>> from ncjax.sweep import default_config
        >>> config = default_config()
        >>> config.sweep.seed = (3, 4)
        >>> [(run.index, run.seed, run.hyper.learning_rate) for run in expand(config)]
        [(0, 3, 0.1), (1, 4, 0.1)]
        >>> rows = {"learning_rate": (0.1, 0.2), "l2": (0.0, 0.1)}
        >>> config.sweep.points = tuple({"sweep": axis, axis: value} for axis in rows for value in rows[axis])
        >>> [run.columns()["sweep"] for run in expand(config) if run.seed == 3]
        ['learning_rate+l2', 'learning_rate', 'l2']
    """
    # Also where every run has another value: a wrong one would come into force when the axis is taken off.
    for about in AXES.values():
        checked_value(about, config)
    found: dict[Run, list[str]] = {}
    for name, point in span(config.sweep.to_dict()):
        found.setdefault(_run(config, point), []).extend([name] if name else [])
    return tuple(
        dataclasses.replace(run, index=index, sweeps=tuple(dict.fromkeys(names)))
        for index, (run, names) in enumerate(found.items())
    )


def swept_axes(config: ml_collections.ConfigDict) -> frozenset[str]:
    """Axes that every run of a config takes from a sweep, so that their values elsewhere in it have no effect.

    Args:
        config: of a sweep.

    Returns:
        Names of axes.

    Raises:
        ValueError: if the sweeps are wrong, as ``expand`` says.

    Examples:
        >>> from ncjax.sweep import default_config
        >>> config = default_config()
        >>> config.sweep.points = ({"l2": 0.1, "momentum": 0.9}, {"l2": 0.0})
        >>> swept_axes(config)
        frozenset({'l2'})
    """
    return frozenset.intersection(*(frozenset(point) for _, point in span(config.sweep.to_dict())))


def groups(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Divides runs into groups that one compiled program can advance together.

    Args:
        runs: of a grid.

    Returns:
        Groups that differ in traced hyper-parameters and seeds alone, in the order in which they first appear.

    Examples:
        >>> runs = [Run(i, Hyper(), TrainSpec(ModelSpec(), 0, batch)) for i, batch in enumerate([32, 64, 32])]
        >>> [[run.index for run in group] for group in groups(runs)]
        [[0, 2], [1]]
    """
    divided: dict[tuple[TrainSpec, Any], list[Run]] = {}
    for run in runs:
        divided.setdefault((run.train, run.data), []).append(run)
    return [tuple(group) for group in divided.values()]


def _run(config: ml_collections.ConfigDict, point: dict[str, Any]) -> Run:
    """The run at a point, not yet numbered; what the point does not say stands elsewhere in the config."""
    epochs = checked_value(OPTIONS["train.epochs"], config)
    _check_together({**{name: checked_value(about, config) for name, about in AXES.items()}, **point}, epochs)
    hyper = Hyper(**option_values(Hyper, config, point))
    try:
        schedule = make_schedule(epochs=epochs, **option_values(Schedule, config, point))
    except ValueError as error:
        raise ValueError(f"config.train.{error}") from None
    train = TrainSpec(
        model=_model(option_values(ModelSpec, config, point)),
        num_classes=0,
        schedule=schedule,
        terms=active_terms(hyper),
        augmentation=named(Augmentation, option_values(Augmentation, config)),
        **option_values(TrainSpec, config, point),
    )
    data = tuple((name, point[name]) for name in DATA_AXES if name in point)
    return Run(0, hyper, train, data=data, **option_values(Run, config, point))


def _check_together(values: dict[str, Any], epochs: float) -> None:
    """Refuses what would have no effect, so that no column of the results table says what is not so."""
    optimizer = values["optimizer"]
    for name, about in AXES.items():
        if about.used_by and optimizer not in about.used_by and values[name] != about.default:
            raise ValueError(
                f"config.{about.key}: got {values[name]} with optimizer {optimizer}, which has no use for it; expected "
                f"{about.default}, or optimizer {' or '.join(about.used_by)}"
            )
    if values["warmup_epochs"] > epochs:
        raise ValueError(
            f"config.train.warmup_epochs: got {values['warmup_epochs']}, expected at most train.epochs={epochs}"
        )


def _model(options: dict[str, Any]) -> ModelSpec:
    """The network at a point, or an error that names the key."""
    spec = ModelSpec(**options)
    try:
        build(spec, num_classes=2)
    except ValueError as error:
        raise ValueError(f"config.{error}") from None
    return spec


def named(kind: Any, options: dict[str, Any]) -> Any:
    """Makes a dataclass of options, so that its errors begin with its section of the config."""
    try:
        return kind(**options)
    except ValueError as error:
        raise ValueError(f"config.{SECTIONS[kind]}.{error}") from None
