"""The data set that a config names, and its variants on an axis of the sweep."""

import dataclasses
from typing import Any

from ncjax import data
from ncjax.sweep.launch.group import naming
from ncjax.sweep.plan.sweep_plan import SweepPlan

_OPTIONS = tuple(field.name for field in dataclasses.fields(data.DataSpec))


def load_dataset(spec: data.DataSpec, verify: bool = False) -> data.Dataset:
    """Loads a data set.

    Args:
        spec: which.
        verify: read all of it and compare it with its checksum.

    Returns:
        The data set.

    Raises:
        ValueError: naming the key of the config that is wrong.
    """
    with naming("config.data", _OPTIONS):
        return data.load(spec, verify=True) if verify else data.load(spec)


def load_variant(
    plan: SweepPlan, dataset: data.Dataset, options: tuple[tuple[str, Any], ...], verify: bool = False
) -> data.Dataset:
    """Loads a data set with other options.

    Args:
        plan: of the sweep.
        dataset: that it names.
        options: in which the variant differs from it, by name.
        verify: as for ``load_dataset``.

    Returns:
        The variant: of the same pixels, so that geometric complexity is in the same unit.
    """
    if not options:
        return dataset
    variant = load_dataset(dataclasses.replace(plan.data, **dict(options)), verify)
    return dataclasses.replace(variant, mean=dataset.mean, std=dataset.std)
