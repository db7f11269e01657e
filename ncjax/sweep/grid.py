"""The grid of runs that a config asks for, and its division into groups that share a compiled program."""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, get_args

import ml_collections

from ncjax.models import MODELS, Lowering, ModelSpec, Norm, build
from ncjax.training import HYPER_NAMES, Hyper


@dataclass(frozen=True)
class Run:
    """One point of the grid.

    Attributes:
      index: its number in the results table.
      seed: of its initial weights and order of samples.
      hyper: its traced hyper-parameters, as floats.
      batch_size: samples a step.
      model: its network.
    """

    index: int
    seed: int
    hyper: Hyper
    batch_size: int
    model: ModelSpec

    def columns(self) -> dict[str, Any]:
        """Its hyper-parameters as they stand in the results table."""
        hyper = {name: getattr(self.hyper, name) for name in HYPER_NAMES}
        return {**hyper, "batch_size": self.batch_size, "model": self.model.name, "seed": self.seed}


def expand(config: ml_collections.ConfigDict) -> tuple[Run, ...]:
    """The product of the sweep's axes.

    Args:
      config: of a sweep; an axis that is None takes its one value from ``config.train`` (or ``config.model.name``).

    Returns:
      The runs, numbered in the order of the product, the last axis fastest.

    Raises:
      ValueError: if an axis is empty or repeats a value, or a value is out of range.

    Example:
      >>> from ncjax.sweep import default_config
      >>> config = default_config()
      >>> config.sweep.seed = (3, 4)
      >>> [(run.index, run.seed, run.hyper.learning_rate) for run in expand(config)]
      [(0, 3, 0.1), (1, 4, 0.1)]
    """
    axes: dict[str, tuple[Any, ...]] = {}
    for name, values in config.sweep.items():
        if values is None:
            single = config.model.name if name == "model" else config.train[name]
            axes[name] = (_checked(f"train.{name}" if name != "model" else "model.name", name, single),)
            continue
        key = f"sweep.{name}"
        if not values:
            raise ValueError(f"config.{key}: got an empty axis (), expected at least one value, or None for no axis")
        axes[name] = tuple(_checked(key, name, value) for value in values)
        if len(set(axes[name])) < len(axes[name]):
            raise ValueError(f"config.{key}: got {values}, expected values that all differ")
    runs = []
    for index, point in enumerate(itertools.product(*axes.values())):
        value = dict(zip(axes, point, strict=True))
        model = _model(config, value["model"])
        hyper = Hyper(**{name: value[name] for name in HYPER_NAMES})
        runs.append(Run(index, value["seed"], hyper, value["batch_size"], model))
    return tuple(runs)


def groups(runs: Iterable[Run]) -> list[tuple[Run, ...]]:
    """Divides runs into groups that one compiled program can advance together.

    Args:
      runs: of a grid.

    Returns:
      Groups of equal model, batch size and use of the complexity penalty, in the order in which they first appear.

    Example:
      >>> runs = [Run(i, 0, Hyper(), batch, ModelSpec()) for i, batch in enumerate([32, 64, 32])]
      >>> [[run.index for run in group] for group in groups(runs)]
      [[0, 2], [1]]
    """
    divided: dict[Any, list[Run]] = {}
    for run in runs:
        # A program either computes the complexity penalty or does not: 0 times an overflow would not be 0.
        penalised = run.hyper.gc_penalty > 0
        divided.setdefault((run.model, run.batch_size, penalised), []).append(run)
    return [tuple(group) for group in divided.values()]


# The values that each axis allows, as a test and in words.
_ALLOWED = {
    "learning_rate": (lambda x: x > 0, "a number above 0"),
    "momentum": (lambda x: 0 <= x < 1, "a number from 0, below 1"),
    "l2": (lambda x: x >= 0, "a number of at least 0"),
    "gc_penalty": (lambda x: x >= 0, "a number of at least 0"),
    "label_smoothing": (lambda x: 0 <= x < 1, "a number from 0, below 1"),
    "batch_size": (lambda x: x >= 1, "a whole number of at least 1"),
    "seed": (lambda x: 0 <= x < 2**31, "a whole number from 0, below 2**31"),
}


def _checked(key: str, name: str, value: Any) -> Any:
    """The value in its axis's type, or an error that names the key."""
    if name == "model":
        if value not in MODELS:
            raise ValueError(f"config.{key}: got {value!r}, expected one of {', '.join(MODELS)}")
        return value
    allowed, words = _ALLOWED[name]
    whole = name in ("batch_size", "seed")
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or (whole and not isinstance(value, int)) or not allowed(value):
        raise ValueError(f"config.{key}: got {value!r}, expected {words}")
    return value if whole else float(value)


def _model(config: ml_collections.ConfigDict, name: str) -> ModelSpec:
    """The network of that name with the config's options, or an error that names the key."""
    options = config.model
    for key, choices in (("norm", (*get_args(Norm), "standard")), ("lowering", get_args(Lowering))):
        if options[key] not in choices:
            raise ValueError(f"config.model.{key}: got {options[key]!r}, expected one of {', '.join(choices)}")
    widths = tuple(options.widths)
    if any(not isinstance(width, int) or isinstance(width, bool) or width < 1 for width in widths):
        raise ValueError(f"config.model.widths: got {widths}, expected whole numbers of at least 1")
    spec = ModelSpec(name, widths, options.norm, options.lowering)
    try:
        build(spec, num_classes=2)
    except ValueError as error:
        raise ValueError(f"config.{error}") from None
    return spec
