"""What the files that describe a sweep hold, and which differences between two configs are extensions."""

import json
from pathlib import Path
from typing import Any

import ml_collections

from ncjax.data import Dataset
from ncjax.files import read_object
from ncjax.sweep.plan.config import default_config
from ncjax.sweep.plan.options import AXES


def read_description(path: Path, like: dict[str, Any], needed: str | None = None) -> dict[str, Any]:
    """Reads a file that describes a sweep.

    Args:
        path: of the file.
        like: values whose kind the file's are to have, and which stand in for those that it lacks.
        needed: a name that it must hold.

    Returns:
        Its content.

    Raises:
        ValueError: if it is no such file.
    """
    try:
        content = read_object(path)
        if needed is not None and needed not in content:
            raise ValueError(f"{path}: lacks {needed}")
        for key, example in like.items():
            kind = (int, float) if isinstance(example, float) else type(example)
            if not isinstance(content.setdefault(key, example), kind):
                raise ValueError(f"{path}: {key} is {content[key]!r}, expected something like {example!r}")
    except ValueError as error:
        raise ValueError(f"--workdir: {error}; restore the file or use a new directory") from None
    return content


def difference(stored: dict[str, Any], config: ml_collections.ConfigDict) -> str | None:
    """The first difference of a config from a stored one that is not an extension of it.

    Args:
        stored: as it comes back from JSON. An option that it lacks, since it is newer, was at its default.
        config: of the sweep to run.

    Returns:
        The key and both values in words, or None.

    Examples:
        >>> config = default_config()
        >>> stored = json.loads(json.dumps(config.to_dict()))
        >>> config.train.l2, config.sweep.seed = 0.5, (0, 1)
        >>> difference(stored, config) is None
        True
        >>> config.data.name = "digits"
        >>> difference(stored, config)
        'config.data.name=glyphs, this one has digits'
    """
    before = _flat(_plain(default_config())) | _flat(stored)
    now = _flat(_plain(config))
    for key in sorted(_flat(stored).keys() | now.keys()):
        if before.get(key) != now.get(key) and not _extends(key, before, now):
            return f"config.{key}={before.get(key)}, this one has {now.get(key)}"
    return None


def _plain(config: ml_collections.ConfigDict) -> Any:
    """Through JSON, so that tuples and lists compare alike."""
    return json.loads(json.dumps(config.to_dict()))


def _extends(key: str, before: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a key may differ: whatever names runs is compared run by run elsewhere."""
    section = key.partition(".")[0]
    # Configs of an earlier version held rows of points in "sweeps".
    names_runs = section in ("sweep", "sweeps") or key in {about.key for about in AXES.values()}
    if names_runs or section in ("mesh", "runs_axis", "stream"):
        return True
    longer = now["train.epochs"] > before["train.epochs"]
    # A schedule that is stretched over the epochs makes other runs of longer ones.
    schedules = [value for name, value in now.items() if name.rpartition(".")[2] == "schedule"]
    constant = all(value in (None, "constant", ["constant"]) for value in schedules)
    return key in ("train.epochs", "measure.checkpoints", "measure.first_epoch") and longer and constant


def stored_config(path: Path) -> ml_collections.ConfigDict:
    """Reads ``config.json``.

    Args:
        path: of the file.

    Returns:
        The config, with the defaults of options that are newer.

    Raises:
        ValueError: if it is no config.
    """
    config = default_config()
    content = read_object(path)
    for section, old in ((content, "sweeps"), (content.get("sweep"), "zipped")):
        if isinstance(section, dict) and section.pop(old, None):
            raise ValueError(
                f"--workdir: {path}: {old!r} is of an earlier version; go on with this sweep under a config that says "
                f"the same in config.sweep.points, and it is read again"
            )
    with config.ignore_type():
        try:
            config.update(_tuples(content))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = str(error).partition("\n")[0]
            raise ValueError(f"--workdir: {path}: {reason}; restore the file") from None
    return config


def _tuples(value: Any) -> Any:
    """JSON's lists as the tuples that they were."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(_tuples(inner) for inner in value) if isinstance(value, list) else value


def describe_data(dataset: Dataset) -> dict[str, Any]:
    """What ``data.json`` says of a data set.

    Args:
        dataset: that a sweep trains on.

    Returns:
        Its name, checksum, sizes, classes and pixel statistics.
    """
    splits = {"train": dataset.train, "test": dataset.test, "target": dataset.target}
    return {
        "name": dataset.name,
        "sha256": dataset.sha256,
        "image_shape": dataset.train.images.shape[1:],
        "splits": {
            name: {"images": len(split), "classes": split.class_names}
            for name, split in splits.items()
            if split is not None
        },
        # Geometric complexity is taken with respect to normalised pixels; divide by input_std² for pixels in [0, 1].
        "input_mean": dataset.mean.tolist(),
        "input_std": dataset.std.tolist(),
    }


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested dict with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
