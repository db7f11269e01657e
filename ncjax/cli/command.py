"""The console command ``ncjax``: its subcommands take the flags of ``python -m experiments.NAME``."""

import difflib
import importlib
import sys

# Module and summary of each subcommand.
COMMANDS = {
    "sweep": ("ncjax.cli.sweep", "train, measure and transfer a grid of runs"),
    "plan": ("ncjax.cli.plan", "compile a sweep for accelerators that are not here"),
    "report": ("ncjax.cli.report", "judge the claims on sweeps' results, with figures and a page"),
    "runs": ("ncjax.cli.runs", "list and pick the runs of a sweep"),
    "rivals": ("ncjax.cli.rivals", "rank every measure by how well it predicts transfer"),
    "measure": ("ncjax.cli.measure", "measure the collapse of saved features, or of a run"),
    "few-shot": ("ncjax.cli.few_shot", "few-shot accuracy of saved features, or of a sweep's runs"),
    "prepare-data": ("ncjax.cli.prepare_data", "prepare a data set once, so that sweeps find it"),
    "results": ("ncjax.cli.results", "run the papers' experiments, with a page for each"),
    "benchmark": ("experiments.benchmark", "time ncjax, and PyTorch where it is installed"),
}
# As for a wrong flag.
_BAD_INPUT = 2


def main() -> None:
    """Runs the subcommand that the command line names."""
    name, rest = (sys.argv[1] if len(sys.argv) > 1 else "--help"), sys.argv[2:]
    if name in ("--help", "-h", "help"):
        print(usage())
        return
    if name == "--version":
        from ncjax import __version__

        print(f"ncjax {__version__}")
        return
    if name not in COMMANDS:
        nearest = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {nearest[0]!r}?" if nearest else f"there are {', '.join(COMMANDS)}"
        _end(f"ncjax: got {name!r}, expected a subcommand: {hint}")
    sys.argv = [f"ncjax {name}", *rest]
    try:
        module = importlib.import_module(COMMANDS[name][0])
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("ncjax", "experiments"):
            raise
        _end(f"ncjax {name}: the package {error.name!r} is not installed; pip install 'ncjax[experiments]'")
    module.start()


def usage() -> str:
    """What the command can do, a line for each subcommand."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:{width}}  {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(
        ["usage: ncjax SUBCOMMAND [--FLAG=VALUE]...", "", *lines, "", "ncjax SUBCOMMAND --help lists the flags."]
    )


def _end(line: str) -> None:
    print(f"error: {line}", file=sys.stderr)
    sys.exit(_BAD_INPUT)
