"""What a person sees while a sweep runs, and what TensorBoard keeps of it."""

import sys
from pathlib import Path
from typing import Any

from tensorboardX import SummaryWriter
from tqdm import tqdm


def progress_bar(total_samples: int, num_runs: int) -> "tqdm[Any]":
    """A bar that counts training samples over all runs, with samples a second and time left.

    Args:
      total_samples: of the whole sweep.
      num_runs: of the whole sweep.

    Returns:
      The bar; call ``update`` with samples done.
    """
    return tqdm(
        total=total_samples,
        unit=" samples",
        unit_scale=True,
        desc=f"{num_runs} runs",
        dynamic_ncols=True,
        smoothing=0.1,
        # A log file gets a line now and then, not a frame a second.
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
    )


class EventFiles:
    """TensorBoard event files, one folder a run."""

    def __init__(self, directory: Path) -> None:
        """Takes the folder that holds the runs' folders."""
        self._directory = directory
        self._writers: dict[int, SummaryWriter] = {}

    def write(self, row: dict[str, Any]) -> None:
        """Adds the measured columns of a row of the results table, and flushes them."""
        run = row["run"]
        if run not in self._writers:
            # On resume, what an interrupted sweep wrote from this step on is superseded.
            self._writers[run] = SummaryWriter(str(self._directory / f"run_{run:04d}"), purge_step=row["step"])
        for name, value in row.items():
            if "/" in name:
                self._writers[run].add_scalar(name, value, global_step=row["step"])
        self._writers[run].flush()

    def close(self) -> None:
        """Closes every file; a run written to later is opened again."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
