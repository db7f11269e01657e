"""What TensorBoard shows of a sweep: the measurements of each run, and its hyper-parameters beside them."""

import os
import struct
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.summary import hparams, scalar

from ncjax.results import column, find_column

# The columns that TensorBoard's HParams page lists beside the hyper-parameters, where they are measured.
_SHOWN = tuple(map(column, ("train/error", "test/error", "train/cdnv", "train/geometric_complexity", "target/cdnv")))


class EventFiles:
    """TensorBoard event files, one folder a run.

    Written and closed at once, without threads: a sweep has hundreds of runs, and a full disk must be an error here.
    """

    def __init__(self, directory: Path, varying: Collection[str]) -> None:
        """Takes the folder that holds the runs' folders, and the settings in which runs differ.

        TensorBoard shows the first few settings that it is given: those that are the same everywhere would hide others.
        """
        self._directory = directory
        self._varying = varying
        self._begun: set[int] = set()
        # A file of its own for each process: what a kill cut off must not stand in the middle of a file.
        self._name = f"events.out.tfevents.{time.time_ns()}.{os.getpid()}"

    def write(self, row: dict[str, Any]) -> None:
        """Adds the measured columns of a row of the results table."""
        run, step = row["run"], row["step"]
        folder = self._directory / f"run_{run:04d}"
        events = []
        if run not in self._begun:
            folder.mkdir(parents=True, exist_ok=True)
            events = [Event(file_version="brain.Event:2")]
            # What an interrupted sweep wrote from this step on is superseded.
            events.append(Event(step=step, session_log=SessionLog(status=SessionLog.START)))
            settings = {name: value for name, value in row.items() if name in self._varying}
            shown = dict.fromkeys((name for name in _SHOWN if name in row), 0.0)
            # The third part would say that the run is finished.
            events += [Event(summary=summary) for summary in hparams(settings, shown)[:2]]
        for name, value in row.items():
            if "/" in name:
                # TensorBoard keeps what it is told with a tag's first value.
                meaning = "" if run in self._begun else find_column(name).definition
                events.append(Event(step=step, summary=scalar(name, value, summary_description=meaning)))
        now = time.time()
        with (folder / self._name).open("ab") as file:
            for event in events:
                event.wall_time = now
                file.write(_record(event.SerializeToString()))
        self._begun.add(run)


def _record(data: bytes) -> bytes:
    """One record of a TFRecord file."""
    length = struct.pack("<Q", len(data))
    return length + _checksum(length) + data + _checksum(data)


def _checksum(data: bytes) -> bytes:
    checksum = crc32c(data)
    return struct.pack("<I", (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF)
