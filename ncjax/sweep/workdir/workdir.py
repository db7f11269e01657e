"""The directory of a sweep: what lies where, and how it is read and written."""

import dataclasses
import shutil
from collections.abc import Collection
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import ml_collections
import numpy as np
from flax import traverse_util

from ncjax.data import Dataset
from ncjax.files import read_object, replace_arrays, write_json
from ncjax.paths import StrPath
from ncjax.results import rows as results
from ncjax.sweep.plan.sweep_plan import SweepPlan
from ncjax.sweep.workdir import descriptions, lock
from ncjax.sweep.workdir.checkpoints import GroupCheckpoints
from ncjax.sweep.workdir.environment import environment
from ncjax.sweep.workdir.event_files import EventFiles
from ncjax.sweep.workdir.ledger import Ledger, extend_ledger, from_json
from ncjax.sweep.workdir.network import Network, read_network, write_network
from ncjax.training import TrainedWeights


class Workdir:
    """The directory of a sweep.

    It holds ``config.json``, ``environment.json``, ``data.json``, ``runs.json``, ``results.jsonl``, ``summary.json``,
    ``sweep.log``, ``checkpoints/``, ``tensorboard/`` and, where runs start from other weights, ``init.npz``.

    Attributes:
        path: of the directory.
        table: of results, to which rows are appended.
    """

    def __init__(self, path: StrPath, group: int | None = None) -> None:
        """Names a directory, and writes nothing.

        Args:
            path: of the directory.
            group: on another machine, whose rows go to a table of their own until they are gathered.
        """
        self.path = Path(path)
        self.table = self.path / results.FILE_NAME if group is None else self._table_of(group)

    # Who has it.

    def locked(self) -> AbstractContextManager[None]:
        """Keeps other processes out for a ``with`` block; a ValueError if one is in."""
        return lock.locked(self.path)

    def locked_group(self, number: int) -> AbstractContextManager[None]:
        """Keeps out other tasks that would advance the same group, for a ``with`` block; waits for them."""
        return lock.locked(self._lock_of(number), wait=True)

    def was_cut_off(self, number: int | None = None) -> bool:
        """Whether the last process here, or the last task of a group, crashed."""
        return lock.was_cut_off(self.path if number is None else self._lock_of(number))

    # What describes the sweep.

    def check(self, config: ml_collections.ConfigDict) -> None:
        """Makes sure that it is free, or holds the same sweep or one that this one extends.

        An extension has more values on its axes or more epochs; how runs are spread over devices may differ too. An
        option that the recorded config lacks, since it is newer, was at its default there.

        Args:
            config: of the sweep to run.

        Raises:
            ValueError: naming the first key whose difference is not an extension.

        Examples:
            >>> import tempfile
            >>> workdir = Workdir(tempfile.mkdtemp())
            >>> (workdir.path / "config.json").write_text('{"seed": 1}')
            11
            >>> workdir.check(ml_collections.ConfigDict({"seed": 1}))
        """
        path = self.path
        if path.parts[:1] and path.parts[0].endswith(":") and not path.drive:
            raise ValueError(
                f"--workdir: got {path}, expected a path; ncjax.sweep.launch.bucket_copies.writing makes one of a URL"
            )
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
        if not nearest.is_dir():
            raise ValueError(f"--workdir: got {path}, but {nearest} is a file, expected a directory or a new name")
        if not self._is_claimed():
            if self.table.exists():
                raise ValueError(f"--workdir: {path} holds results but no config.json; expected a new directory")
            return
        stored = descriptions.read_description(path / "config.json", {})
        if (difference := descriptions.difference(stored, config)) is not None:
            raise ValueError(
                f"--workdir: {path} holds a sweep with {difference}; expected the same config, one that extends it "
                f"(more values on an axis, more epochs) or a new directory"
            )

    def claim(self, config: ml_collections.ConfigDict, dataset: Dataset, ledger: Ledger) -> None:
        """Writes what describes a sweep: ``config.json``, ``environment.json``, ``data.json``, ``runs.json``.

        Where the sweep has begun before, its first environment stays and another one is added to ``resumed_in``.

        Args:
            config: of the sweep.
            dataset: that the sweep trains on.
            ledger: of its runs.

        Raises:
            ValueError: if the sweep began on other data.
        """
        described = descriptions.describe_data(dataset)
        data_path, environment_path = self.path / "data.json", self.path / "environment.json"
        if data_path.is_file():
            before = descriptions.read_description(data_path, {"sha256": ""}, "sha256")["sha256"]
            if before != described["sha256"]:
                raise ValueError(
                    f"--workdir: {self.path} holds a sweep on {dataset.name} with sha256 {before[:12]}…, this is "
                    f"{described['sha256'][:12]}…; expected the same images and labels or a new directory"
                )
        present = environment()
        if environment_path.is_file():
            first = descriptions.read_description(environment_path, {"resumed_in": []})
            known = [each for each in (first, *first["resumed_in"]) if isinstance(each, dict)]
            if not any(all(env.get(key) == present[key] for key in present if key != "command") for env in known):
                write_json(environment_path, {**first, "resumed_in": [*known[1:], present]})
        else:
            write_json(environment_path, present)
        write_json(data_path, described)
        self.write_ledger(ledger)
        # Last: without it the directory counts as free.
        write_json(self.path / "config.json", config.to_dict())

    def config(self) -> ml_collections.ConfigDict:
        """The config that it describes; a ValueError if that is none."""
        return descriptions.stored_config(self.path / "config.json")

    def plugins(self) -> tuple[str, ...]:
        """Names of modules of others that the sweep was run with, for ``ncjax.plugins.import_plugins``."""
        return tuple(read_object(self.path / "config.json").get("plugins", ())) if self._is_claimed() else ()

    def add_to_summary(self, costs: dict[str, float], facts: dict[str, int]) -> dict[str, Any]:
        """Adds what a call of a sweep cost to what earlier calls did, in ``summary.json``.

        Args:
            costs: amounts that add up over calls.
            facts: of the sweep as it is now; ``peak_memory_bytes`` keeps its largest value.

        Returns:
            What the file holds now.
        """
        path, like = self.path / "summary.json", dict.fromkeys(("peak_memory_bytes", *costs), 0.0)
        before = descriptions.read_description(path, like) if path.is_file() else {}
        summary: dict[str, Any] = {name: round(before.get(name, 0) + cost, 1) for name, cost in costs.items()}
        peak = max(before.get("peak_memory_bytes", 0), facts["peak_memory_bytes"])
        summary |= {**facts, "peak_memory_bytes": peak}
        write_json(path, summary)
        return summary

    # Its runs, and the weights that they start from.

    def ledger(self) -> Ledger | None:
        """Its runs, their groups and when they are measured; None if nothing is recorded.

        Raises:
            ValueError: if ``runs.json`` is no ledger.
        """
        path = self.path / "runs.json"
        if not path.is_file():
            return None
        try:
            return from_json(read_object(path))
        except ValueError as error:
            reason = str(error).removeprefix(f"{path}: ")
            raise ValueError(f"--workdir: {path}: {reason}; restore the file or use a new directory") from None

    def planned_ledger(self, config: ml_collections.ConfigDict, plan: SweepPlan) -> Ledger:
        """What it is to hold: the runs that it holds, and those that a config adds.

        Args:
            config: with the keys of ``default_config``.
            plan: the config, read.

        Returns:
            The runs and their groups.

        Raises:
            ValueError: if it holds another config.
        """
        self.check(config)
        recorded = self.ledger() if self._is_claimed() else None
        if recorded is None and self._is_claimed():
            raise ValueError(
                f"--workdir: {self.path} holds a sweep without runs.json; restore it or use a new directory"
            )
        return extend_ledger(recorded, plan, plan.runs_per_program)

    def write_ledger(self, ledger: Ledger) -> None:
        """Writes ``runs.json`` in one step, and removes the checkpoints of groups that it does not know."""
        write_json(self.path / "runs.json", dataclasses.asdict(ledger))
        known = {self.checkpoints_path(number).name for number in ledger.groups}
        for directory in (self.path / "checkpoints").glob("group_*"):
            if directory.name not in known:
                shutil.rmtree(directory)

    def source(self) -> TrainedWeights | None:
        """The weights that its runs began with; None where they began with fresh ones, or it is free."""
        path = self.path / "init.npz"
        if not (path.is_file() and self._is_claimed()):
            return None
        with np.load(path) as arrays:
            weights: dict[str, Any] = traverse_util.unflatten_dict(dict(arrays), sep="/")
        return {"params": weights["params"], "batch_stats": weights.get("batch_stats", {})}

    def keep_source(self, weights: TrainedWeights) -> None:
        """Writes the weights that its runs begin with, by names such as ``params/block1/conv/kernel``."""
        if self.source() is None:
            replace_arrays(self.path / "init.npz", traverse_util.flatten_dict(weights, sep="/"))

    # Rows of results.

    def rows(self) -> list[dict[str, Any]]:
        """All rows of its table; none if nothing has been measured."""
        return results.read_rows(self.table) if self.table.is_file() else []

    def table_lines(self) -> set[bytes]:
        """The lines of its table, to tell later what has been added: rows made again have other times."""
        return set(self.table.read_bytes().splitlines()) if self.table.is_file() else set()

    def settle_rows(self, runs: Collection[int], steps: Collection[int], step: int | None) -> bool:
        """Drops the rows of runs past their checkpoint, and makes sure that those before it are there.

        Args:
            runs: numbers of a group's runs.
            steps: at which they are measured.
            step: of their checkpoint, or None.

        Returns:
            Whether the runs are measured at the checkpoint, if its step is one to measure at.

        Raises:
            ValueError: if rows are missing.
        """
        results.keep_rows(self.table, lambda _: True)
        there = {(row["run"], row["step"]) for row in self.rows()}
        # A state that was saved on a request to stop, or before its rows were lost, may still have to be measured.
        measured = step is not None and all((run, step) in there for run in runs)

        def keep(row: dict[str, Any]) -> bool:
            done = step is not None and (row["step"] < step or (row["step"] == step and measured))
            return row["run"] not in runs or done

        results.keep_rows(self.table, keep)
        missing = sum((run, due) not in there for run in runs for due in steps if step is not None and due < step)
        if missing:
            raise ValueError(
                f"--workdir: {self.table} lacks {missing} rows that checkpoints/ says were written; restore the file, "
                f"or remove checkpoints/ to begin again"
            )
        return measured

    def begin_group_table(self, runs: Collection[int]) -> None:
        """Begins the table of a group on another machine with what the one table holds of its runs."""
        if not self.table.exists():
            results.append_rows(self.table, [row for row in Workdir(self.path).rows() if row["run"] in runs])

    def gather_rows(self, ledger: Ledger) -> None:
        """Brings rows that tasks on other machines wrote into the one table."""
        tables = {self._table_of(number): set(members.runs) for number, members in ledger.groups.items()}
        results.gather_tables(self.table, tables)

    def remove_group_tables(self) -> None:
        """Removes the tables of tasks, once they are gathered."""
        for table in (self.path / "checkpoints").glob("rows_*.jsonl"):
            table.unlink()

    # Checkpoints of groups, and what TensorBoard reads.

    def checkpoints_path(self, number: int) -> Path:
        """The directory of a group's checkpoints."""
        return self.path / "checkpoints" / f"group_{number:03d}"

    def checkpoints(self, number: int) -> GroupCheckpoints:
        """Opens (or makes) the checkpoints of a group."""
        return GroupCheckpoints(self.checkpoints_path(number))

    def network(self, number: int) -> Network | None:
        """What a group's networks were built from; None in a directory of an earlier version."""
        return read_network(self.checkpoints_path(number))

    def write_network(self, number: int, network: Network) -> None:
        """Writes what a group's networks are built from beside its checkpoints."""
        write_network(self.checkpoints_path(number), network)

    def event_files(self, varying: Collection[str]) -> EventFiles:
        """Event files of TensorBoard, with the settings in which runs differ."""
        return EventFiles(self.path / "tensorboard", varying)

    def _is_claimed(self) -> bool:
        return (self.path / "config.json").is_file()

    def _table_of(self, number: int) -> Path:
        return self.path / "checkpoints" / f"rows_{number:03d}.jsonl"

    def _lock_of(self, number: int) -> Path:
        return self.path / "checkpoints" / f"lock_{number:03d}"
