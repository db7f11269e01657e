"""The directory of a sweep: whose it is, and what describes it."""

import json
from pathlib import Path
from typing import Any

import ml_collections

from ncjax.data import Dataset
from ncjax.sweep import results
from ncjax.sweep.environment import environment


def check_workdir(config: ml_collections.ConfigDict, workdir: Path) -> None:
    """Makes sure that a workdir is free or holds the same config.

    Args:
      config: of the sweep to run.
      workdir: where it is to run.

    Raises:
      ValueError: naming the first key that differs.
    """
    path = workdir / "config.json"
    if not path.is_file():
        if (workdir / results.FILE_NAME).exists():
            raise ValueError(f"--workdir: {workdir} holds results but no config.json; expected a new directory")
        return
    try:
        theirs = _flat(json.loads(path.read_text(encoding="utf-8")))
    except json.JSONDecodeError as error:
        raise ValueError(f"--workdir: {path} is not JSON ({error.msg}); expected a new directory") from None
    # Through JSON, so that tuples and lists compare alike.
    ours = _flat(json.loads(json.dumps(config.to_dict())))
    for key in sorted(theirs.keys() | ours.keys()):
        if theirs.get(key) != ours.get(key):
            raise ValueError(
                f"--workdir: {workdir} holds a sweep with config.{key}={theirs.get(key)}, this one has "
                f"{ours.get(key)}; expected the same config or a new directory"
            )


def claim_workdir(config: ml_collections.ConfigDict, workdir: Path, dataset: Dataset) -> None:
    """Makes the workdir and writes what describes the sweep: ``config.json``, ``environment.json``, ``data.json``.

    Args:
      config: of the sweep.
      workdir: made if it is not there.
      dataset: that the sweep trains on.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    write_json(workdir / "config.json", config.to_dict())
    write_json(workdir / "environment.json", environment())
    splits = {"train": dataset.train, "test": dataset.test, "target": dataset.target}
    description = {
        "name": dataset.name,
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
    write_json(workdir / "data.json", description)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, replacing an older one in one step.

    Args:
      path: of the file.
      content: to write.
    """
    scratch = path.with_suffix(".partial")
    scratch.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    scratch.replace(path)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested dict with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
