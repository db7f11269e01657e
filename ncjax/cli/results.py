"""Runs the papers' experiments as far as a small machine can, and writes a page for each with its claims and figures.

python -m experiments.results [--experiment=limits_paper/cascade:small]... [--runs=DIR] [--pages=DIR2]

Without --experiment it takes every one that has a small variant, and writes an index. A sweep that has come to its end
under --runs is not run again, one that was interrupted goes on. A file notes.md beside a page is set into it.
"""

import contextlib
import difflib
import json
import runpy
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags

from ncjax.cli import entry as launch

EXPERIMENTS = flags.DEFINE_multi_string("experiment", None, "Config and variant; may be given several times.")
RUNS = flags.DEFINE_string("runs", "runs/results", "Directory that holds a workdir for each sweep.")
PAGES = flags.DEFINE_string("pages", "runs/results/pages", "Directory for the pages.")

ROOT = Path(__file__).resolve().parents[2]


class Experiment(NamedTuple):
    """A variant of a config.

    Attributes:
        path: of the file, from the root of the project. variant: behind the colon. claims: keys of the claims that it
            is about.
        ran: network and data of this variant.
        setting: networks and data of the file's full settings, which the variant stands in for.
    """

    path: str
    variant: str
    claims: tuple[str, ...]
    ran: tuple[str, str]
    setting: tuple[tuple[str, ...], str]

    @property
    def name(self) -> str:
        """Of its workdir and its page: a file that is called by its setting says first what ran instead."""
        stem = Path(self.path).stem
        name = stem if self.variant == "small" else f"{stem}_{self.variant or 'full'}"
        if self.variant and self.setting[0][0] in stem:
            name = f"{'_'.join(self.ran)}_for_{name}".replace("/", "_")
        return name

    @property
    def stands_for(self) -> str:
        """The full setting in words; nothing where it is what ran."""
        *others, last = self.setting[0]
        return f"{', '.join(others)}{' and ' * bool(others)}{last} on {self.setting[1]}" if self.variant else ""

    @property
    def config(self) -> str:
        """As the flags --config and --experiment take it."""
        name = _name(self.path)
        return f"{name}:{self.variant}" if self.variant else name


def main() -> None:
    """Runs what the flags ask for and writes the pages."""
    every = list(experiments())
    asked = [chosen(name, every) for name in EXPERIMENTS.value or ()]
    runs, pages = Path(str(RUNS.value)), Path(str(PAGES.value))
    offline = asked or [each for each in every if each.variant]
    shared = (launch.PLATFORM, launch.COMPILATION_CACHE)
    passed_on = [f"--{flag.name}={flag.value}" for flag in shared if flag.value]
    results = []
    for number, experiment in enumerate(offline, 1):
        print(f"[{number}/{len(offline)}] {experiment.config}", flush=True)
        run_sweep(experiment, runs / experiment.name, passed_on)
        results.append(write_page(experiment, runs / experiment.name, pages / experiment.name))
        print(pages / experiment.name / "README.md", flush=True)
    if not asked:
        write_index(results, [each.config for each in every if not each.variant], pages)
        print(pages / "README.md")


def write_index(results: list[Any], waiting: list[str], pages: Path) -> None:
    """Writes the page that leads to the others.

    Args:
        results: the `ncjax.report.SweepResults` of all.
        waiting: experiments that have not been run.
        pages: folder of the pages.
    """
    from ncjax.report import index_page

    (pages / "README.md").write_text(index_page(results, waiting), encoding="utf-8")


def experiments() -> Iterable[Experiment]:
    """Every config that is about claims: its full settings and the variants that a small machine can run.

    Yields:
        Those of one file together.
    """
    from configs import variants

    for path in sorted((ROOT / "configs").rglob("*.py")):
        module = runpy.run_path(str(path))
        if "CLAIMS" in module:
            full = module["get_config"]()
            setting = (tuple(full.sweep.model or (full.model.name,)), full.data.name)
            for variant in ("", *(name for name in module["VARIANTS"] if name in variants.OFFLINE)):
                config = module["get_config"](variant)
                ran = (config.model.name, config.data.name)
                yield Experiment(path.relative_to(ROOT).as_posix(), variant, module["CLAIMS"], ran, setting)


def chosen(name: str, every: Iterable[Experiment]) -> Experiment:
    """The experiment of a name.

    Args:
        name: of a config, as ``limits_paper/cascade``, or its file, and the variant after a colon.
        every: to choose from.

    Returns:
        The experiment.

    Raises:
        ValueError: if there is none, naming the nearest.
    """
    found = {each.config: each for each in every}
    path, colon, variant = name.partition(":")
    short = f"{_name(path)}{colon}{variant}"
    if short not in found:
        near = difflib.get_close_matches(short, found, n=3, cutoff=0.3) or list(found)[:1]
        raise ValueError(f"--experiment: got {name!r}, expected an experiment about claims, such as {', '.join(near)}")
    return found[short]


def _name(path: str) -> str:
    return path.removeprefix("configs/").removesuffix(".py")


def run_sweep(experiment: Experiment, workdir: Path, flags_of_jax: Sequence[str] = ()) -> None:
    """Runs a sweep to its end in a process of its own, or as far as is missing; ends with it if it ends early.

    Args:
        experiment: to run.
        workdir: of the sweep.
        flags_of_jax: to pass on, such as --platform=cpu.
    """
    command = ["-m", "experiments.sweep", f"--config={experiment.config}", f"--workdir={workdir.absolute()}"]
    process = subprocess.Popen([sys.executable, *command, *flags_of_jax], cwd=ROOT)
    before = signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    try:
        status = _ended(process)
    finally:
        signal.signal(signal.SIGTERM, before)
    if status:
        print(f"stopped: {experiment.config} ended with status {status}, as said above", file=sys.stderr)
        sys.exit(status if status > 0 else 128 - status)


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit status of a process, which gets Ctrl-C too and is given the time to save."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return process.wait()


def write_page(experiment: Experiment, workdir: Path, page: Path) -> Any:
    """Writes the page and the figures of a sweep.

    Args:
        experiment: that was run.
        workdir: of the sweep.
        page: folder for the page.

    Returns:
        The `ncjax.report.SweepResults`.
    """
    from ncjax.claims import evaluate
    from ncjax.report import FIGURES, SweepResults, draw_figures, read_descriptions, read_tables, sweep_page

    table = read_tables([workdir])
    page.mkdir(parents=True, exist_ok=True)
    figures = [wanted for wanted in FIGURES if set(wanted.claims) & set(experiment.claims)]
    drawn, _ = draw_figures(table, page, figures)
    for figure in drawn:
        # A page shows the PNG; experiments.report keeps both.
        figure.image.with_suffix(".pdf").unlink()
    config, environment, summary = (
        read_descriptions([workdir], name) for name in ("config.json", "environment.json", "summary.json")
    )
    commands = (f"ncjax results --experiment={experiment.config}",)
    findings = evaluate(table)
    results = SweepResults(
        experiment.name, commands, experiment.claims, findings, drawn, config, environment, summary,
        experiment.stands_for,
    )  # fmt: skip
    notes = page / "notes.md"
    text = sweep_page(results, notes.read_text(encoding="utf-8") if notes.is_file() else "")
    (page / "README.md").write_text(text, encoding="utf-8")
    (page / "claims.json").write_text(
        json.dumps([each.as_dict() for each in findings], ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    return results


def start() -> None:
    """Runs the command."""
    # The sweeps run in processes of their own, which need the devices.
    launch.run(main, devices=False)
