"""Holds three small sweeps to rows that were written earlier, bit for bit but for times.

python -m tests.sweep.unchanged --write=DIR      before a change that must not change results
python -m tests.sweep.unchanged --against=DIR    after it, on the same machine with the same JAX

The sweeps are the quickstart on one seed, a streamed one with a target, and one that fine-tunes a run of the streamed
one. Rows are compared by run and step; a column that one side lacks is named, and is a difference unless
``--allow_new`` is given and the newer side has it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "--config.data.name=digits",
    "--config.data.target_classes=('7','8','9')",
    "--config.model.name=mlp",
    "--config.model.norm=standard",
    "--config.model.widths=(24,16)",
    "--config.train.epochs=4.0",
    "--config.train.batch_size=16",
    "--config.measure.checkpoints=4",
    "--config.measure.complexity_samples=40",
    "--config.transfer.ways=3",
    "--config.transfer.episodes=50",
    "--config.sweep.learning_rate=(0.05,0.1)",
    "--config.sweep.l2=(0.0,)",
    "--config.sweep.seed=(0,)",
)
SWEEPS: dict[str, tuple[str, ...]] = {
    "quickstart": ("--config.sweep.seed=(0,)",),
    "streamed": (*SMALL, "--config.stream.train=always", "--config.measure.bounds=True"),
    "fine_tuned": (*SMALL, "--config.init.workdir={directory}/streamed", "--config.init.run=1"),
}


def run_sweeps(directory: Path) -> None:
    """Runs all sweeps, each by the command that a user types."""
    for name, flags in SWEEPS.items():
        command = [sys.executable, "-m", "experiments.sweep", "--config=configs/quickstart.py"]
        command += [f"--workdir={directory / name}", *(flag.format(directory=directory) for flag in flags)]
        subprocess.run(command, cwd=ROOT, check=True, stdout=sys.stderr)


def rows(workdir: Path) -> dict[tuple[int, int], dict[str, object]]:
    """The rows of a results table by run and step, without times."""
    lines = (workdir / "results.jsonl").read_text(encoding="utf-8").splitlines()
    read = [json.loads(line) for line in lines]
    return {
        (row["run"], row["step"]): {name: value for name, value in row.items() if not name.startswith("time/")}
        for row in read
    }


def differences(before: Path, after: Path, allow_new: bool = False) -> list[str]:
    """What differs between two results tables, a line each."""
    old, new = rows(before), rows(after)
    found = [f"row {key} is on one side only" for key in sorted(old.keys() ^ new.keys())]
    columns: dict[str, int] = {}
    for key in old.keys() & new.keys():
        for name in old[key].keys() | new[key].keys():
            if allow_new and name not in old[key]:
                continue
            missing = object()
            if old[key].get(name, missing) != new[key].get(name, missing):
                columns[name] = columns.get(name, 0) + 1
    return found + [f"{name} differs in {count} rows" for name, count in sorted(columns.items())]


def main() -> None:
    """Runs the sweeps and writes or compares their rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--allow_new", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        run_sweeps(arguments.write.absolute())
        return
    different = False
    with tempfile.TemporaryDirectory() as scratch:
        run_sweeps(Path(scratch))
        for name in SWEEPS:
            found = differences(arguments.against / name, Path(scratch) / name, arguments.allow_new)
            print(f"{name}: {'; '.join(found) or 'the same, bit for bit'}")
            different |= bool(found)
    sys.exit(different)


if __name__ == "__main__":
    main()
