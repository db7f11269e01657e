"""Results of several sweeps as Markdown, to be kept beside the code: a page a sweep, an index, a table of verdicts."""

import dataclasses
import math
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

from ncjax.claims import CLAIMS, LEVEL, RULE, Finding, Verdict, When
from ncjax.report.pages.page import DrawnFigure
from ncjax.report.pages.tables import Cell, Column, Table, rounded
from ncjax.report.pages.terminal import claims_text
from ncjax.report.pages.verdict_tables import MARKS, interval_text, verdict_cell


@dataclasses.dataclass(frozen=True)
class SweepResults:
    """What a sweep that has come to its end says.

    Attributes:
        name: of its page's folder.
        commands: that make the results, one a line.
        claims: keys of the claims that it is about, the first foremost.
        findings: on every claim.
        figures: of its claims.
        config: of the sweep, nested.
        environment: versions and devices, nested.
        summary: runs, groups and seconds.
        stands_for: the paper's setting in whose place it ran, in words, or nothing.

    Examples:
        >>> SweepResults("cascade", (), ("B5",), [], [], {"data": {"name": "glyphs"}, "model": {"name": "vgg11",
        ...              "widths": [8, 16]}}, {}, {}).subject
        'glyphs, vgg11 (8-16)'
    """

    name: str
    commands: tuple[str, ...]
    claims: tuple[str, ...]
    findings: Sequence[Finding]
    figures: Sequence[DrawnFigure]
    config: dict[str, Any]
    environment: dict[str, Any]
    summary: dict[str, Any]
    stands_for: str = ""

    @property
    def title(self) -> str:
        """What ran and what it stands in for, after the page's name where that is a question."""
        network, data = self.config["model"]["name"], self.config["data"]["name"]
        question = "" if self.name.startswith(network) else f"{self.name}: "
        return f"{question}{network} on {data}" + (f", in place of {self.stands_for}" if self.stands_for else "")

    @property
    def subject(self) -> str:
        """Data and network in a few words."""
        widths = "-".join(map(str, self.config["model"]["widths"]))
        network = self.config["model"]["name"] + (f" ({widths})" if widths else "")
        norm = self.config["model"].get("norm", "standard")
        if "norm" in _swept(self.config):
            network += ", norm varied"
        elif norm != "standard":
            network += ", no norm" if norm == "none" else f", {norm} norm"
        return f"{self.config['data']['name']}, {network}"

    @property
    def illustrations(self) -> Sequence[DrawnFigure]:
        """The earlier name of ``figures``."""
        warnings.warn("SweepResults.illustrations is now SweepResults.figures", DeprecationWarning, stacklevel=2)
        return self.figures

    def headline(self, claim: str, when: When = When.END) -> Finding | None:
        """The line that speaks for a claim, if there is one.

        Args:
            claim: its key.
            when: where in training runs were compared.

        Returns:
            The finding.
        """
        own = [finding for finding in self.findings if finding.claim == claim]
        lines = {finding.line for finding in own if finding.headline}
        return next((finding for finding in own if finding.line in lines and finding.when == when), None)


def sweep_page(results: SweepResults, notes: str = "") -> str:
    """The page of one sweep: commands, what ran, the claims that it is about, the figures.

    Args:
        results: of the sweep; figures are linked by their file names.
        notes: Markdown to set before the claims.

    Returns:
        Markdown.
    """
    versions = results.environment.get("versions", {})
    summary = results.summary
    packages = ", ".join(
        f"{title} {versions[name]}"
        for name, title in (("jax", "JAX"), ("flax", "Flax"), ("optax", "optax"), ("numpy", "NumPy"))
        if name in versions
    )
    devices = ", ".join(device.split()[0] for device in results.environment.get("devices", []))
    cores = results.environment.get("cpu_cores")
    own = [finding for finding in results.findings if finding.claim in results.claims]
    ran = (
        f"{summary['runs']} runs on {results.subject}: {summary['seconds']:.0f} s on {devices}"
        f"{f' ({cores} cores)' if cores else ''}, of which "
        f"{summary['compile_seconds']:.0f} s compiled {summary['compilations']} programs. Python "
        f"{results.environment.get('python', '?')}, {packages}."
    )
    lines = [f"# {results.title}", "", "```", *results.commands, "```", "", ran]
    if notes:
        lines += ["", notes.strip()]
    lines += ["", "```", claims_text(own), "```"]
    for figure in results.figures:
        lines += ["", f"## {figure.title}", "", figure.caption, "", f"![{figure.alt}]({figure.image.name})"]
    return "\n".join(lines) + "\n"


def verdict_table(all_results: Sequence[SweepResults], root: str = "") -> str:
    """A line for every claim and every sweep that is about it.

    Args:
        all_results: of the sweeps.
        root: what links begin with.

    Returns:
        A Markdown table.
    """
    headings = ("claim", "on", "verdict at the end", f"value [{LEVEL:.0%} interval]", "at equal train loss")
    rows = []
    for claim in CLAIMS:
        for results in all_results:
            finding = results.headline(claim.key)
            if claim.key not in results.claims or finding is None:
                continue
            loss = results.headline(claim.key, When.LOSS)
            page = f"{root}{results.name}"
            figure = next((f.image.name for f in results.figures if claim.key in f.claims), None)
            place = f"; in place of {results.stands_for}" if results.stands_for else ""
            links = f"[page]({page}/README.md)" + (f", [figure]({page}/{figure})" if figure else "")
            before = Cell(f"{claim.key} {claim.title}"), Cell(f"{results.subject}{place}"), verdict_cell(finding)
            value = f"{finding.line}: {finding.statistic} {_number(finding)}"
            rows.append((*before, *map(Cell, (value, _at_equal_loss(loss), _count(finding), links))))
    return Table(tuple(map(Column, (*headings, "runs / units", ""))), rows).markdown() + "\n"


def verdict_matrix(all_results: Sequence[SweepResults], root: str = "") -> str:
    """Every claim on every sweep: a mark and the statistic where the sweep can speak of the claim.

    Args:
        all_results: of the sweeps.
        root: what links begin with.

    Returns:
        A Markdown table.
    """
    keys = [claim.key for claim in CLAIMS]
    rows = [
        (
            Cell(results.name, link=f"{root}{results.name}/README.md"),
            *(Cell(_mark(results.headline(key))) for key in keys),
        )
        for results in all_results
    ]
    return Table(tuple(map(Column, ("sweep", *keys))), rows).markdown() + "\n"


def index_page(all_results: Sequence[SweepResults], waiting: Sequence[str] = ()) -> str:
    """The page that leads to the others.

    Args:
        all_results: of the sweeps.
        waiting: experiments that are ready and have not been run.

    Returns:
        Markdown.
    """
    text = _HEAD + verdict_table(all_results) + _MATRIX + verdict_matrix(all_results)
    if waiting:
        names = "\n".join(f"- `{name}`" for name in waiting)
        text += f"\n## Ready, not run\n\nThese need their data or an accelerator:\n\n{names}\n"
    return text


def _mark(finding: Finding | None) -> str:
    if finding is None or finding.verdict is Verdict.NOT_APPLICABLE:
        return ""
    return f"{MARKS[finding.verdict]} {rounded(finding.value)}"


def _number(finding: Finding) -> str:
    if not math.isfinite(finding.value):
        return "–"
    # An interval that ends near zero needs the digit that tells on which side.
    digits = 3 if min(abs(finding.low), abs(finding.high)) < 0.01 else 2
    return f"{rounded(finding.value, digits)} {interval_text(finding, digits)}"


def _swept(config: dict[str, Any]) -> set[str]:
    """Names of the hyper-parameters that a sweep varies."""
    section = config.get("sweep") or {}
    values = {name: set(given) for name, given in section.items() if name != "points" and given}
    for point in section.get("points") or ():
        for name, value in point.items():
            values.setdefault(name, set()).add(value)
    values.pop("sweep", None)
    return {name for name, given in values.items() if len(given) > 1}


def _at_equal_loss(finding: Finding | None) -> str:
    if finding is None or not math.isfinite(finding.value):
        return "–"
    return f"{finding.verdict}, {_number(finding)}"


def _count(finding: Finding) -> str:
    return f"{finding.runs} / {finding.units} {finding.unit}" if finding.runs else "–"


_READING = (
    f"A verdict follows from the interval alone: {RULE}. Units are what the bootstrap resamples: settings with all "
    "their seeds where there are five or more, runs otherwise, and then the interval does not speak of other settings."
)
_HEAD = f"""# Results

What the claims say on data and networks that fit two CPU cores: small networks, few images, few settings. Read this as
what the instrument says about these, not as an answer about the papers' own settings. Each line can be made again with
the command on its page (Fashion-MNIST wants its Debian package, `dataset-fashion-mnist`, and once
`ncjax prepare-data --dataset=fashion_mnist --source=/usr/share/datasets/fashion-mnist`).

{textwrap.fill(_READING, 119)}

## Each claim on the sweeps that are about it

"""
_MATRIX = """
## Every claim on every sweep

✓ supported, ✗ contradicted, ? inconclusive, each with its statistic at the end of training; empty where the sweep lacks
what the claim needs, or no run reached the terminal phase. A sweep that was not made for a claim may vary too little to
decide it.

"""
