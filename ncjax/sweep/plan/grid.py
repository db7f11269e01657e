"""The grid of runs that a config asks for, and its division into groups that share a compiled program."""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, get_args

import ml_collections

from ncjax.models import Lowering, ModelSpec, build
from ncjax.sweep.plan.axes import AXES, DATA_AXES, checked
from ncjax.sweep.plan.points import span
from ncjax.training import HYPER_NAMES, Hyper, Loss, Optimizer, Schedule, TrainSpec, active_terms, make_schedule


@dataclass(frozen=True)
class Run:
    """One point of the grid.

    Attributes:
      index: its number in the results table.
      seed: of its initial weights and order of samples.
      hyper: its traced hyper-parameters, as floats.
      batch_size: samples a step.
      model: its network.
      optimizer: as in ``TrainSpec``; so are the next three.
      nesterov: whether momentum is Nesterov's.
      schedule: of the learning rate.
      loss: that it minimises.
      sweeps: names of the sweeps that it belongs to, where a config has several.
      data: options of the data set in which it differs from others of its sweep, by name.
    """

    index: int
    seed: int
    hyper: Hyper
    batch_size: int
    model: ModelSpec
    optimizer: Optimizer = "sgd"
    nesterov: bool = False
    schedule: Schedule = dataclasses.field(default_factory=Schedule)
    loss: Loss = "cross_entropy"
    sweeps: tuple[str, ...] = ()
    data: tuple[tuple[str, Any], ...] = ()

    def columns(self) -> dict[str, Any]:
        """Its hyper-parameters as they stand in the results table."""
        hyper = {name: getattr(self.hyper, name) for name in HYPER_NAMES}
        names = {
            "batch_size": self.batch_size,
            "model": self.model.name,
            "norm": self.model.norm,
            "classifier": self.model.classifier,
            "optimizer": self.optimizer,
            "nesterov": self.nesterov,
            "schedule": self.schedule.name,
            "loss": self.loss,
            **dict(self.data),
            "seed": self.seed,
        }
        # A run that several sweeps share, such as the point where rows of a figure cross, is one run.
        return {**hyper, **names, **({"sweep": "+".join(self.sweeps)} if self.sweeps else {})}

    def train_spec(self, num_classes: int, **shared: Any) -> TrainSpec:
        """What its training is compiled for.

        Args:
          num_classes: classes to train on.
          **shared: what all runs of a sweep have in common.

        Returns:
          The static choices of training.
        """
        return TrainSpec(
            model=self.model,
            num_classes=num_classes,
            batch_size=self.batch_size,
            optimizer=self.optimizer,
            nesterov=self.nesterov,
            schedule=self.schedule,
            loss=self.loss,
            terms=active_terms(self.hyper),
            **shared,
        )


def expand(config: ml_collections.ConfigDict) -> tuple[Run, ...]:
    """All runs of a config.

    The runs of a section of axes are the product of its points, its zipped axes and its other axes. ``config.sweep`` is
    one section; each entry of ``config.sweeps`` is another, which ``config.sweep`` multiplies. A run that comes up more
    than once is one run.

    Args:
      config: of a sweep; an axis that is None takes its one value from ``config.train`` or ``config.model``.

    Returns:
      The runs, numbered by the names of the sweeps and then in the order of the product, the last axis fastest.

    Raises:
      ValueError: if an axis is unknown, empty, swept twice or repeats a value, a value is out of range, or values do
        not go together.

    Example:
      >>> from ncjax.sweep import default_config
      >>> config = default_config()
      >>> config.sweep.seed = (3, 4)
      >>> [(run.index, run.seed, run.hyper.learning_rate) for run in expand(config)]
      [(0, 3, 0.1), (1, 4, 0.1)]
      >>> config.sweeps = {"rates": {"learning_rate": (0.1, 0.2)}, "strengths": {"l2": (0.0, 0.1)}}
      >>> [run.columns()["sweep"] for run in expand(config) if run.seed == 3]
      ['rates+strengths', 'rates', 'strengths']
    """
    # Also where every run has another value: a wrong one would come into force when the axis is taken off.
    for name, axis in AXES.items():
        checked(axis.home, name, _value(config, axis.home))
    found: dict[Run, list[str]] = {}
    for name, point in _points(config):
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

    Example:
      >>> from ncjax.sweep import default_config
      >>> config = default_config()
      >>> config.sweep.points = ({"l2": 0.1, "momentum": 0.9}, {"l2": 0.0})
      >>> swept_axes(config)
      frozenset({'l2'})
    """
    return frozenset.intersection(*(frozenset(point) for _, point in _points(config)))


def _points(config: ml_collections.ConfigDict) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every point of every sweep, with the sweep's name where there are several."""
    common = {"sweep": config.sweep.to_dict()}
    for name, section in config.sweeps.items():
        if not hasattr(section, "to_dict"):
            raise ValueError(f"config.sweeps.{name}: got {section!r}, expected a dict from axes to their values")
        if "+" in name:
            raise ValueError(f"config.sweeps: got the name {name!r}, expected one without '+', which joins names")
        yield from ((name, point) for point in span({f"sweeps.{name}": section.to_dict(), **common}))
    if not config.sweeps:
        yield from (("", point) for point in span(common))


def groups(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Divides runs into groups that one compiled program can advance together.

    Args:
      runs: of a grid.

    Returns:
      Groups that differ in traced hyper-parameters and seeds alone, in the order in which they first appear.

    Example:
      >>> runs = [Run(i, 0, Hyper(), batch, ModelSpec()) for i, batch in enumerate([32, 64, 32])]
      >>> [[run.index for run in group] for group in groups(runs)]
      [[0, 2], [1]]
    """
    divided: dict[tuple[TrainSpec, Any], list[Run]] = {}
    for run in runs:
        divided.setdefault((run.train_spec(num_classes=0), run.data), []).append(run)
    return [tuple(group) for group in divided.values()]


def _run(config: ml_collections.ConfigDict, point: dict[str, Any]) -> Run:
    """The run at a point, not yet numbered; what the point does not say stands elsewhere in the config."""
    values = {
        name: point[name] if name in point else checked(axis.home, name, _value(config, axis.home))
        for name, axis in AXES.items()
    }
    train = config.train
    _check_together(values, train.epochs)
    try:
        schedule = make_schedule(values["schedule"], train.epochs, tuple(train.decay_at), train.decay_factor)
    except ValueError as error:
        raise ValueError(f"config.train.{error}") from None
    return Run(
        index=0,
        hyper=Hyper(**{name: values[name] for name in HYPER_NAMES}),
        model=_model(config, values),
        schedule=schedule,
        **{name: values[name] for name in ("seed", "batch_size", "optimizer", "nesterov", "loss")},
        data=tuple((name, point[name]) for name in DATA_AXES if name in point),
    )


# What each optimizer has no use for.
_UNUSED = {
    "sgd": ("beta1", "beta2"),
    "adam": ("momentum", "nesterov", "weight_decay"),
    "adamw": ("momentum", "nesterov"),
}


def _check_together(values: dict[str, Any], epochs: float) -> None:
    """Refuses what would have no effect, so that no column of the results table says what is not so."""
    optimizer = values["optimizer"]
    for name in _UNUSED[optimizer]:
        neutral = getattr(Hyper, name, False)
        if values[name] != neutral:
            reason = "whose decay is l2; adamw decouples it" if name == "weight_decay" else "which has no use for it"
            raise ValueError(
                f"config.train.{name}: got {values[name]} with optimizer {optimizer}, {reason}; expected {neutral}"
            )
    if values["warmup_epochs"] > epochs:
        raise ValueError(
            f"config.train.warmup_epochs: got {values['warmup_epochs']}, expected at most train.epochs={epochs}"
        )


def _model(config: ml_collections.ConfigDict, values: dict[str, Any]) -> ModelSpec:
    """The network at a point with the config's options, or an error that names the key."""
    options = config.model
    if options.lowering not in get_args(Lowering):
        choices = ", ".join(get_args(Lowering))
        raise ValueError(f"config.model.lowering: got {options.lowering!r}, expected one of {choices}")
    widths = tuple(options.widths)
    if any(not isinstance(width, int) or isinstance(width, bool) or width < 1 for width in widths):
        raise ValueError(f"config.model.widths: got {widths}, expected whole numbers of at least 1")
    spec = ModelSpec(values["model"], widths, values["norm"], options.lowering, values["classifier"])
    try:
        build(spec, num_classes=2)
    except ValueError as error:
        raise ValueError(f"config.{error}") from None
    return spec


def _value(config: ml_collections.ConfigDict, key: str) -> Any:
    """The value of a dotted key."""
    for part in key.split("."):
        config = config[part]
    return config
