"""Judges the claims on the results of one or more sweeps, draws the figures and writes the report page.

python -m experiments.report --workdir=DIR [--workdir=DIR2] [--output=DIR3]
"""

import shlex
from pathlib import Path

from absl import flags

from experiments import launch

WORKDIR = flags.DEFINE_multi_string("workdir", None, "Directory of a sweep; may be given several times.")
OUTPUT = flags.DEFINE_string("output", None, "Directory of the report; by default report/ in the first workdir.")
flags.mark_flag_as_required("workdir")


def main() -> None:
    """Writes the report that the flags ask for, prints the claims and says where the files lie."""
    from ncjax.report import claims_text, read_descriptions, read_tables, write_report

    workdirs = [Path(name) for name in dict.fromkeys(WORKDIR.value or ())]
    table = read_tables(workdirs)
    output = Path(OUTPUT.value) if OUTPUT.value else workdirs[0] / "report"
    arguments = [*(f"--workdir={workdir}" for workdir in workdirs), *([f"--output={output}"] if OUTPUT.value else [])]
    report = write_report(
        table,
        output,
        title="ncjax report: " + ", ".join(workdir.name or str(workdir) for workdir in workdirs),
        command=shlex.join(["python", "-m", "experiments.report", *arguments]),
        config=read_descriptions(workdirs, "config.json"),
        environment=read_descriptions(workdirs, "environment.json"),
    )
    print(claims_text(report.findings))
    for note in report.notes:
        print(f"note: {note}")
    for path in [*report.figures, report.claims, report.page]:
        print(path)


if __name__ == "__main__":
    launch.run(main)
