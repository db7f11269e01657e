"""The directory of a sweep: whose it is, and what describes it."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import ml_collections

from ncjax.data import Dataset
from ncjax.files import read_object, write_json
from ncjax.paths import StrPath
from ncjax.results import rows as results
from ncjax.sweep.plan.config import default_config
from ncjax.sweep.plan.options import AXES
from ncjax.sweep.workdir.environment import environment
from ncjax.sweep.workdir.ledger import Ledger, write_ledger


def check_workdir(config: ml_collections.ConfigDict, workdir: StrPath) -> None:
    """Makes sure that a workdir is free, or holds the same sweep or one that this one extends.

    An extension has more values on its axes or more epochs; how runs are spread over devices may differ too. An option
    that the workdir's config lacks, since it is newer, was at its default there.

    Args:
        config: of the sweep to run.
        workdir: where it is to run.

    Raises:
        ValueError: naming the first key whose difference is not an extension.

    Examples:
        >>> import tempfile
        >>> workdir = Path(tempfile.mkdtemp())
        >>> (workdir / "config.json").write_text('{"seed": 1}')
        11
        >>> check_workdir(ml_collections.ConfigDict({"seed": 1}), workdir)
    """
    workdir = Path(workdir)
    path = workdir / "config.json"
    if workdir.parts[:1] and workdir.parts[0].endswith(":") and not workdir.drive:
        raise ValueError(
            f"--workdir: got {workdir}, expected a path; ncjax.sweep.launch.bucket_copies.writing makes one of a URL"
        )
    nearest = next(place for place in (workdir, *workdir.absolute().parents) if place.exists())
    if not nearest.is_dir():
        raise ValueError(f"--workdir: got {workdir}, but {nearest} is a file, expected a directory or a new name")
    if not path.is_file():
        if (workdir / results.FILE_NAME).exists():
            raise ValueError(f"--workdir: {workdir} holds results but no config.json; expected a new directory")
        return
    stored = _flat(_own(path, {}))
    ours = _flat(_plain(config))
    theirs = _flat(_plain(default_config())) | stored
    for key in sorted(stored.keys() | ours.keys()):
        before, now = theirs.get(key), ours.get(key)
        if before != now and not _extends(key, theirs, ours):
            raise ValueError(
                f"--workdir: {workdir} holds a sweep with config.{key}={before}, this one has {now}; expected the same "
                f"config, one that extends it (more values on an axis, more epochs) or a new directory"
            )


def _own(path: Path, like: dict[str, Any], needed: str | None = None) -> dict[str, Any]:
    """What a file that describes the sweep holds; of some values ``like`` gives the kind, and the value if it lacks."""
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


@contextlib.contextmanager
def locked(workdir: Path, wait: bool = False) -> Iterator[None]:
    """Keeps other processes out of a workdir, which is made if it is not there, for a ``with`` block.

    What is written in the lock's file stays there where the block has no end: see ``was_cut_off``.

    Args:
        workdir: of the sweep.
        wait: until it is free.

    Raises:
        ValueError: if another process has it.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    with (workdir / ".lock").open("a") as file:
        if wait:
            fcntl.flock(file, fcntl.LOCK_EX)
        elif not _lock(file):
            raise ValueError(
                f"--workdir: another process is running a sweep in {workdir}; wait for it or use a new directory"
            )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        # It is there after a failure of power too.
        os.fsync(file.fileno())
        try:
            yield
        finally:
            file.truncate(0)


def was_cut_off(workdir: StrPath) -> bool:
    """Whether the last process that had a workdir to itself neither finished nor stopped: it or its machine crashed.

    Args:
        workdir: of the sweep.

    Returns:
        Whether it was so; not while a process is running there.

    Examples:
        >>> import tempfile
        >>> workdir = Path(tempfile.mkdtemp())
        >>> with locked(workdir):
        ...     during = was_cut_off(workdir)
        >>> during, was_cut_off(workdir)
        (False, False)
    """
    lock = Path(workdir) / ".lock"
    return lock.is_file() and lock.stat().st_size > 0 and not is_running(workdir)


def _lock(file: IO[str]) -> bool:
    """Locks a file unless another process holds it for longer than the moment that a look takes."""
    for _ in range(5):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.1)
    return False


def is_running(workdir: StrPath) -> bool:
    """Whether a process is running a sweep in a workdir.

    Args:
        workdir: of the sweep.

    Returns:
        Whether its lock is held.

    Examples:
        >>> import tempfile
        >>> workdir = Path(tempfile.mkdtemp())
        >>> with locked(workdir):
        ...     is_running(workdir)
        True
        >>> is_running(workdir)
        False
    """
    try:
        with (Path(workdir) / ".lock").open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def claim_workdir(config: ml_collections.ConfigDict, workdir: StrPath, dataset: Dataset, ledger: Ledger) -> None:
    """Writes what describes a sweep: ``config.json``, ``environment.json``, ``data.json``, ``runs.json``.

    Where the sweep has begun before, its first environment stays and another one is added to ``resumed_in``.

    Args:
        config: of the sweep.
        workdir: a directory that is there.
        dataset: that the sweep trains on.
        ledger: of its runs.

    Raises:
        ValueError: if the sweep began on other data.
    """
    workdir = Path(workdir)
    description = describe_data(dataset)
    data_path, environment_path = workdir / "data.json", workdir / "environment.json"
    if data_path.is_file() and (before := _own(data_path, {"sha256": ""}, "sha256")["sha256"]) != description["sha256"]:
        raise ValueError(
            f"--workdir: {workdir} holds a sweep on {dataset.name} with sha256 {before[:12]}…, this is "
            f"{description['sha256'][:12]}…; expected the same images and labels or a new directory"
        )
    present = environment()
    if environment_path.is_file():
        first = _own(environment_path, {"resumed_in": []})
        known = [each for each in (first, *first["resumed_in"]) if isinstance(each, dict)]
        if not any(all(env.get(key) == present[key] for key in present if key != "command") for env in known):
            write_json(environment_path, {**first, "resumed_in": [*known[1:], present]})
    else:
        write_json(environment_path, present)
    write_json(data_path, description)
    write_ledger(workdir, ledger)
    # Last: without it the workdir counts as free.
    write_json(workdir / "config.json", config.to_dict())


def add_to_summary(workdir: Path, costs: dict[str, float], facts: dict[str, int]) -> dict[str, Any]:
    """Adds what a call of a sweep cost to what earlier calls did, in ``summary.json``.

    Args:
        workdir: of the sweep.
        costs: amounts that add up over calls.
        facts: of the sweep as it is now; ``peak_memory_bytes`` keeps its largest value.

    Returns:
        What the file holds now.
    """
    path = workdir / "summary.json"
    before = _own(path, dict.fromkeys(("peak_memory_bytes", *costs), 0.0)) if path.is_file() else {}
    summary: dict[str, Any] = {name: round(before.get(name, 0) + cost, 1) for name, cost in costs.items()}
    peak = max(before.get("peak_memory_bytes", 0), facts["peak_memory_bytes"])
    summary |= {**facts, "peak_memory_bytes": peak}
    write_json(path, summary)
    return summary


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
