"""The axes along which a sweep may vary: where each has its value in a config, and what values it allows."""

import difflib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from ncjax.models import MODELS, Classifier, Norm
from ncjax.training import Loss, Optimizer, ScheduleName


@dataclass(frozen=True)
class Axis:
    """What can be swept under one name.

    Attributes:
      home: key of the value that holds where the axis is not swept.
      kind: of the values: float, int, bool or str.
      allows: whether a value of that kind is in range.
      expected: the same in words.
    """

    home: str
    kind: type
    allows: Callable[[Any], bool]
    expected: str


def _number(home: str, allows: Callable[[float], bool], expected: str) -> Axis:
    return Axis(home, float, allows, f"a number {expected}")


def _strength(name: str) -> Axis:
    return _number(f"train.{name}", lambda x: x >= 0, "of at least 0")


def _share(name: str) -> Axis:
    return _number(f"train.{name}", lambda x: 0 <= x < 1, "from 0, below 1")


def _choice(home: str, choices: Sequence[str]) -> Axis:
    return Axis(home, str, lambda x: x in choices, f"one of {', '.join(choices)}")


# In the order in which runs are numbered, the last axis fastest.
AXES: dict[str, Axis] = {
    "learning_rate": _number("train.learning_rate", lambda x: x > 0, "above 0"),
    "momentum": _share("momentum"),
    "l2": _strength("l2"),
    "gc_penalty": _strength("gc_penalty"),
    "gradient_norm_penalty": _strength("gradient_norm_penalty"),
    "spectral_penalty": _strength("spectral_penalty"),
    "label_smoothing": _share("label_smoothing"),
    "weight_decay": _strength("weight_decay"),
    "beta1": _share("beta1"),
    "beta2": _share("beta2"),
    "warmup_epochs": _strength("warmup_epochs"),
    "sam_rho": _strength("sam_rho"),
    "batch_size": Axis("train.batch_size", int, lambda x: x >= 1, "a whole number of at least 1"),
    "optimizer": _choice("train.optimizer", get_args(Optimizer)),
    "nesterov": Axis("train.nesterov", bool, lambda _: True, "True or False"),
    "schedule": _choice("train.schedule", get_args(ScheduleName)),
    "loss": _choice("train.loss", get_args(Loss)),
    "classifier": _choice("model.classifier", get_args(Classifier)),
    "norm": _choice("model.norm", (*get_args(Norm), "standard")),
    "model": _choice("model.name", tuple(MODELS)),
    "train_samples": Axis("data.train_samples", int, lambda x: x >= 0, "a whole number from 0 (0: all)"),
    "coarse": Axis("data.coarse", str, lambda _: True, "the name of a grouping of the classes"),
    "seed": Axis("train.seed", int, lambda x: 0 <= x < 2**31, "a whole number from 0, below 2**31"),
}


DATA_AXES = ("train_samples", "coarse")
"""Axes that change the data: runs that differ in one are of different groups. The table has their columns only where
they are swept."""


def checked(key: str, name: str, value: Any) -> Any:
    """A value in its axis's type.

    Args:
      key: of the config, for the error.
      name: of the axis.
      value: as it stands in the config.

    Returns:
      The value; whole numbers become floats where the axis has floats.

    Raises:
      ValueError: if the value is not of the axis's kind, or out of range.

    Example:
      >>> checked("sweep.l2", "l2", 0)
      0.0
      >>> checked("sweep.l2", "l2", -1)
      Traceback (most recent call last):
      ValueError: config.sweep.l2: got -1, expected a number of at least 0
    """
    axis = AXES[name]
    # A bool is an int to Python, and an int will do for a float.
    fits = type(value) is axis.kind or (axis.kind is float and type(value) is int)
    if not fits or (axis.kind is float and not math.isfinite(value)) or not axis.allows(value):
        raise ValueError(f"config.{key}: got {value!r}, expected {axis.expected}")
    return axis.kind(value)


def known(key: str, names: Iterable[str], choices: Iterable[str] = AXES) -> None:
    """Makes sure that names are among the choices.

    Args:
      key: of the config, for the error.
      names: to look up.
      choices: what there is.

    Raises:
      ValueError: naming the first that is not, and the nearest that is.

    Example:
      >>> known("sweep.zipped", ["lr"], ["l2", "seed"])
      Traceback (most recent call last):
      ValueError: config.sweep.zipped: got 'lr', expected one of l2, seed
    """
    choices = tuple(choices)
    for name in names:
        if name not in choices:
            nearest = difflib.get_close_matches(str(name), choices, n=1)
            suggestion = f" (did you mean {nearest[0]!r}?)" if nearest else ""
            raise ValueError(f"config.{key}: got {name!r}, expected one of {', '.join(choices)}{suggestion}")
