"""The points of a sweep: explicit ones, times the product of its axes."""

import itertools
from collections.abc import Sequence
from typing import Any

from ncjax.options import known
from ncjax.sweep.plan.options import AXES

# What the section holds beside the axes, and what a point holds beside theirs.
POINTS, NAME = "points", "sweep"


def span(section: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The product of a section's points and axes.

    Args:
        section: holds, by the name of an axis, a tuple of values, or None; under ``points``, dicts from axes to one
            value each, and from ``sweep`` to the name of what the point belongs to, such as a row of a figure.

    Returns:
        The name ("" for none) and the values by axis of every point, for the axes that the section speaks of: explicit
        points slowest, then the axes in the order of ``AXES``, the last one fastest.

    Raises:
        ValueError: if an axis is unknown, empty, given twice or repeats a value, or a value is out of range; one line
            that names the key.

    Examples:
        >>> span({"l2": (0.0, 0.1), "seed": (0, 1)})
        [('', {'l2': 0.0, 'seed': 0}), ('', {'l2': 0.0, 'seed': 1}),
         ('', {'l2': 0.1, 'seed': 0}), ('', {'l2': 0.1, 'seed': 1})]
        >>> span({"points": ({"l2": 0, "sweep": "strengths"}, {"momentum": 0.9})})
        [('strengths', {'l2': 0.0}), ('', {'momentum': 0.9})]
    """
    known("config.sweep", section, (*AXES, POINTS))
    axes = {name: _values(name, section[name]) for name in AXES if section.get(name) is not None}
    listed: Sequence[Any] = section.get(POINTS) or ({},)
    points = [_point(point, axes) for point in listed]
    product = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [(name, {**point, **values}) for name, point in points for values in product]


def _values(name: str, values: Any) -> tuple[Any, ...]:
    """The checked values of an axis."""
    key = f"config.sweep.{name}"
    if not isinstance(values, tuple | list):
        raise ValueError(f"{key}: got {values!r}, expected a tuple of values")
    if not values:
        raise ValueError(f"{key}: got an empty axis (), expected at least one value, or None for no axis")
    checked = tuple(AXES[name].checked(key, value) for value in values)
    if len(set(checked)) < len(checked):
        raise ValueError(f"{key}: got {values}, expected values that all differ")
    return checked


def _point(point: Any, axes: dict[str, tuple[Any, ...]]) -> tuple[str, dict[str, Any]]:
    """The name and the checked values of an explicit point."""
    key = f"config.sweep.{POINTS}"
    if not isinstance(point, dict):
        raise ValueError(f"{key}: got {point!r}, expected dicts from axes to values, as in ({{'l2': 0.1}},)")
    known(key, point, (*AXES, NAME))
    name = point.get(NAME, "")
    if not isinstance(name, str) or "+" in name:
        raise ValueError(f"{key}: got the name {name!r}, expected a text without '+', which joins names")
    if twice := [axis for axis in point if axis in axes]:
        raise ValueError(f"{key}: got {twice[0]!r}, expected only axes that config.sweep leaves at None")
    return name, {axis: AXES[axis].checked(key, value) for axis, value in point.items() if axis != NAME}
