"""Every option of a sweep's config by its key, as the dataclasses that use them define them, and the axes of sweeps."""

from collections.abc import Mapping
from typing import Any

import ml_collections

from ncjax.data import Augmentation, DataSpec
from ncjax.measurement import MeasureSpec
from ncjax.models import ModelSpec
from ncjax.options import Option, options_of
from ncjax.sweep.plan.sweep_plan import Run, StreamSpec, SweepPlan
from ncjax.training import Hyper, InitSpec, Schedule, TrainSpec
from ncjax.transfer import EpisodeSpec

# Who defines options, and the section of a config in which these stand.
SECTIONS: dict[Any, str] = {
    DataSpec: "data",
    ModelSpec: "model",
    Hyper: "train",
    TrainSpec: "train",
    Schedule: "train",
    Run: "train",
    InitSpec: "init",
    MeasureSpec: "measure",
    EpisodeSpec: "transfer",
    Augmentation: "augmentation",
    StreamSpec: "stream",
    SweepPlan: "",
}

OPTIONS: dict[str, Option] = {
    about.key: about for kind, section in SECTIONS.items() for about in options_of(kind, section).values()
}
"""Options by their keys in a config."""

# Runs are numbered with the last axis fastest. Those that are not here come first, as they are defined.
_LAST = ("schedule", "loss", "classifier", "norm", "model", "train_samples", "coarse", "seed")

AXES: dict[str, Option] = {
    about.axis: about
    for about in sorted(
        (about for about in OPTIONS.values() if about.axis),
        key=lambda about: _LAST.index(about.axis) if about.axis in _LAST else -1,
    )
}
"""Options that a sweep may vary, by the names of its axes, in the order in which runs are numbered."""

DATA_AXES = tuple(about.axis for about in options_of(DataSpec, "data").values() if about.axis)
"""Axes that change the data: runs that differ in one are of different groups. The table has their columns only where
they are swept."""


def option_values(
    kind: Any, config: ml_collections.ConfigDict, point: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The checked options of a dataclass as a config holds them.

    Args:
        kind: one of ``SECTIONS``.
        config: of a sweep.
        point: checked values by the names of axes, which come before what the config says elsewhere.

    Returns:
        Values by the names of the dataclass's fields.

    Raises:
        ValueError: one line that names the key, what came and what would be right.
    """
    point = point or {}
    return {
        name: point[about.axis] if about.axis in point else checked_value(about, config)
        for name, about in options_of(kind, SECTIONS[kind]).items()
    }


def checked_value(about: Option, config: ml_collections.ConfigDict) -> Any:
    """What a config says of an option, checked.

    Args:
        about: the option.
        config: of a sweep.

    Returns:
        The value.

    Raises:
        ValueError: one line that names the key, what came and what would be right.
    """
    value: Any = config
    for part in about.key.split("."):
        value = value[part]
    return about.checked(f"config.{about.key}", tuple(value) if isinstance(value, list) else value)
