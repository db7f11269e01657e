"""Judges the claims on the results of one or more sweeps, draws the figures and writes the report page.

python -m experiments.report --workdir=DIR [--workdir=DIR2] [--output=DIR3] [--follow] [--compare]
"""

import contextlib
import shlex
import time
from pathlib import Path

from absl import flags

from ncjax.cli import entry as launch

WORKDIR = flags.DEFINE_multi_string(
    "workdir", None, "Directory of a sweep; may be given several times.", **launch.SHARED
)
FOLLOW = flags.DEFINE_boolean("follow", False, "Write the report again whenever rows are added; ends with the sweeps.")
OUTPUT = flags.DEFINE_string("output", None, "Directory of the report; by default report/ in the first workdir.")
COMPARE = flags.DEFINE_boolean("compare", False, "Judge each workdir apart and lay them side by side on one page.")
flags.mark_flag_as_required("workdir")


# Seconds between two looks at the tables.
_LOOK_SECONDS = 5.0


def main() -> None:
    """Writes the report that the flags ask for, again and again if they say so."""
    from ncjax.sweep.launch import bucket_copies as cloud

    if OUTPUT.value and Path(OUTPUT.value).is_file():
        raise ValueError(f"--output: got {OUTPUT.value}, a file, expected a directory or a new name")
    with contextlib.ExitStack() as stack:
        first, *others = dict.fromkeys(WORKDIR.value or ())
        report = stack.enter_context(cloud.reading(first, back="" if OUTPUT.value else "report"))
        workdirs = [report, *(stack.enter_context(cloud.reading(name)) for name in others)]
        write_again(workdirs, bool(FOLLOW.value))


def write_again(workdirs: list[Path], following: bool) -> None:
    """Writes the report once, or whenever rows have been added until the sweeps end.

    Args:
        workdirs: of the sweeps.
        following: whether to go on as long as one of them runs.
    """
    written = None
    while True:
        # In this order: rows that come between the two looks are seen by the next.
        running, sizes = following and _running(workdirs), _sizes(workdirs)
        if sizes != written and not (running and not all(sizes)):
            write(workdirs)
            written = sizes
        if not running:
            return
        time.sleep(_LOOK_SECONDS)


def _running(workdirs: list[Path]) -> bool:
    """Whether a sweep is running in one of the workdirs."""
    from ncjax.sweep import is_running

    return any(is_running(workdir) for workdir in workdirs)


def _sizes(workdirs: list[Path]) -> list[int]:
    tables = [workdir / "results.jsonl" for workdir in workdirs]
    return [table.stat().st_size if table.is_file() else 0 for table in tables]


def write(workdirs: list[Path]) -> None:
    """Writes the report, prints the claims and says where the files lie.

    Args:
        workdirs: of the sweeps.
    """
    from ncjax.plugins import import_plugins
    from ncjax.report import claims_text, read_descriptions, read_states, read_tables, write_comparison, write_report
    from ncjax.sweep import recorded_plugins

    for workdir in workdirs:
        import_plugins(recorded_plugins(workdir))
    table = read_tables(workdirs)
    output = Path(OUTPUT.value) if OUTPUT.value else workdirs[0] / "report"
    arguments = [*(f"--workdir={workdir}" for workdir in workdirs), *([f"--output={output}"] if OUTPUT.value else [])]
    if COMPARE.value:
        command = shlex.join(["python", "-m", "experiments.report", "--compare", *arguments])
        names = [workdir.absolute().name or str(workdir) for workdir in workdirs]
        tables = {name: read_tables([workdir]) for name, workdir in zip(names, workdirs, strict=True)}
        if len(tables) < max(2, len(workdirs)):
            raise ValueError(f"--compare: got {len(tables)} names of workdirs, expected two or more that all differ")
        found = (read_descriptions([workdir], "config.json") for workdir in workdirs)
        configs = dict(zip(names, found, strict=True))
        states = read_states(workdirs, table)
        print(write_comparison(tables, output, command=command, states=states, configs=configs))
        return
    report = write_report(
        table,
        output,
        title="ncjax report: " + ", ".join(workdir.name or str(workdir) for workdir in workdirs),
        command=shlex.join(["python", "-m", "experiments.report", *arguments]),
        config=read_descriptions(workdirs, "config.json"),
        environment=read_descriptions(workdirs, "environment.json"),
        states=read_states(workdirs, table),
    )
    print(claims_text(report.findings))
    for note in report.notes:
        print(f"note: {note}")
    for path in [*report.figures, report.claims, report.page]:
        print(path)


def start() -> None:
    """Runs the command."""
    # A sweep that is being followed has the devices.
    launch.run(main, devices=False)
