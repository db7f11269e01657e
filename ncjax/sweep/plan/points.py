"""The points that sections of axes span: products, zipped axes and explicit points."""

import functools
import itertools
import operator
from dataclasses import dataclass
from typing import Any

from ncjax.options import known
from ncjax.sweep.plan.options import AXES

# What a section holds beside its axes.
ARRANGEMENTS = ("zipped", "points")


@dataclass(frozen=True)
class _Swept:
    """An axis that a section gives values."""

    key: str
    values: tuple[Any, ...]


def span(sections: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The product of sections of axes.

    Args:
        sections: by the key under which each stands in a config. A section holds, by the name of an axis, a tuple of
            values, or None; under ``zipped``, tuples of axes that advance together; under ``points``, dicts from axes
            to one value each.

    Returns:
        Values by axis, for the axes that the sections speak of: points slowest, then the axes in the order of ``AXES``,
        zipped ones where the first of them stands, the last axis fastest.

    Raises:
        ValueError: if an axis is unknown, empty, given twice or repeats a value, or a value is out of range; one line
            that names the key.

    Examples:
        >>> span({"sweep": {"l2": (0.0, 0.1), "momentum": (0.5, 0.9), "seed": (0, 1), "zipped": (("l2", "momentum"),)}})
        [{'momentum': 0.5, 'l2': 0.0, 'seed': 0}, {'momentum': 0.5, 'l2': 0.0, 'seed': 1},
         {'momentum': 0.9, 'l2': 0.1, 'seed': 0}, {'momentum': 0.9, 'l2': 0.1, 'seed': 1}]
        >>> span({"sweep": {"points": ({"l2": 0}, {"momentum": 0.9})}})
        [{'l2': 0.0}, {'momentum': 0.9}]
    """
    axes = _swept(sections)
    together = _zipped(sections, axes)
    blocks = [
        [_point(f"{key}.points", point, axes) for point in section["points"]]
        for key, section in sections.items()
        if section.get("points")
    ]
    for names in dict.fromkeys(together[name] for name in AXES if name in axes):
        values = list(zip(*(axes[name].values for name in names), strict=True))
        if len(set(values)) < len(values):
            got = values if len(names) > 1 else axes[names[0]].values
            raise ValueError(f"config.{axes[names[0]].key}: got {got}, expected values that all differ")
        blocks.append([dict(zip(names, point, strict=True)) for point in values])
    return [functools.reduce(operator.or_, parts, {}) for parts in itertools.product(*blocks)]


def _swept(sections: dict[str, dict[str, Any]]) -> dict[str, _Swept]:
    """All axes that have values, which are checked."""
    axes: dict[str, _Swept] = {}
    for section_key, section in sections.items():
        known(f"config.{section_key}", section, (*AXES, *ARRANGEMENTS))
        for name, values in section.items():
            if name in ARRANGEMENTS or values is None:
                continue
            key = f"{section_key}.{name}"
            if name in axes:
                raise ValueError(
                    f"config.{key}: got {values}, expected None where config.{axes[name].key} is an axis too"
                )
            if not isinstance(values, tuple | list):
                raise ValueError(f"config.{key}: got {values!r}, expected a tuple of values")
            if not values:
                raise ValueError(
                    f"config.{key}: got an empty axis (), expected at least one value, or None for no axis"
                )
            axes[name] = _Swept(key, tuple(AXES[name].checked(f"config.{key}", value) for value in values))
    return axes


def _zipped(sections: dict[str, dict[str, Any]], axes: dict[str, _Swept]) -> dict[str, tuple[str, ...]]:
    """For every axis, those with which it advances together, itself among them."""
    together: dict[str, tuple[str, ...]] = {name: (name,) for name in axes}
    for section_key, section in sections.items():
        key = f"config.{section_key}.zipped"
        for names in section.get("zipped") or ():
            if not isinstance(names, tuple | list) or len(names) < 2:
                raise ValueError(
                    f"{key}: got {names!r}, expected tuples of two axes or more, as in (('l2', 'momentum'),)"
                )
            known(key, names, AXES)
            for name in names:
                if name not in axes:
                    raise ValueError(f"{key}: got {name!r}, which is not swept, expected axes that are")
                if len(together[name]) > 1 or names.count(name) > 1:
                    raise ValueError(f"{key}: got {name!r} more than once, expected each axis once")
            lengths = [len(axes[name].values) for name in names]
            if len(set(lengths)) > 1:
                counts = ", ".join(f"{length} of {name}" for name, length in zip(names, lengths, strict=True))
                raise ValueError(f"{key}: got {counts}, expected as many values of each")
            together |= dict.fromkeys(names, tuple(sorted(names, key=list(AXES).index)))
    return together


def _point(key: str, point: Any, axes: dict[str, _Swept]) -> dict[str, Any]:
    """The checked values of an explicit point."""
    if not isinstance(point, dict):
        raise ValueError(f"config.{key}: got {point!r}, expected dicts from axes to values, as in ({{'l2': 0.1}},)")
    known(f"config.{key}", point, AXES)
    for name in point:
        if name in axes:
            raise ValueError(f"config.{key}: got {name!r}, expected only axes that config.{axes[name].key} leaves out")
    return {name: AXES[name].checked(f"config.{key}", value) for name, value in point.items()}
