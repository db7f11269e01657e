"""Several sweeps side by side: the verdicts of each, and each figure of each."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ncjax.claims import CLAIMS, RULE, SAME, Finding, evaluate
from ncjax.paths import StrPath
from ncjax.report.figures.style import ReportFigure
from ncjax.report.pages.differences import differing_settings, final_differences
from ncjax.report.pages.page import template, with_image
from ncjax.report.pages.report import FIGURES, draw_figures, renamed_argument
from ncjax.report.pages.sources import SweepState


def write_comparison(
    tables: Mapping[str, pd.DataFrame],
    directory: StrPath,
    *,
    command: str = "",
    states: Sequence[SweepState] = (),
    configs: Mapping[str, Mapping[str, Any]] | None = None,
    figures: Sequence[ReportFigure] = FIGURES,
    plates: Sequence[ReportFigure] | None = None,
) -> Path:
    """Judges and draws several sweeps apart and lays them side by side on one page.

    Args:
        tables: results by the name of the sweep.
        directory: made if it is not there; gets ``comparison.html``, ``comparison.json`` and the figures.
        command: that makes the page.
        states: how far each sweep is and what it cost.
        configs: of each sweep, nested, by its name; the page lists in what they differ.
        figures: to draw.
        plates: the earlier name of ``figures``.

    Returns:
        Path of the page.

    Raises:
        ValueError: if a table is empty or lacks ``run`` or ``step``.

    Examples:
        >>> import tempfile
        >>> table = pd.DataFrame({"run": [0], "step": [1], "train/error": [0.5]})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_comparison({"a": table, "b": table}, Path(folder)).name
        'comparison.html'
    """
    figures = renamed_argument(figures, plates)
    directory = Path(directory)
    directory.mkdir(parents=True, exist_ok=True)
    findings = {name: evaluate(table) for name, table in tables.items()}
    drawn = {
        name: {each.title: with_image(each) for each in draw_figures(table, directory, figures, f"_{number}")[0]}
        for number, (name, table) in enumerate(tables.items(), start=1)
    }
    plain = {name: [each.as_dict() for each in found] for name, found in findings.items()}
    settings, final = differing_settings(configs or {}), final_differences(tables)
    content = {
        "rule": RULE,
        "settings": {each.key: dict(zip(configs or {}, each.values, strict=True)) for each in settings},
        "final": [_without_nan(each._asdict()) for each in final],
        "sweeps": plain,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False)
    (directory / "comparison.json").write_text(text + "\n", encoding="utf-8")
    page = directory / "comparison.html"
    html = template("comparison.html").render(
        title="ncjax comparison: " + ", ".join(tables),
        command=command,
        states=states,
        names=list(tables),
        settings=settings,
        has_configs=bool(configs),
        final=final,
        claims=[(claim, [_headlines(found, claim.key) for found in findings.values()]) for claim in CLAIMS],
        rows=[
            (wanted, [(name, own.get(wanted.title)) for name, own in drawn.items()])
            for wanted in figures
            if any(wanted.title in own for own in drawn.values())
        ],
        rule=RULE,
    )
    page.write_text(html, encoding="utf-8")
    return page


def _without_nan(facts: dict[str, Any]) -> dict[str, Any]:
    """Facts as JSON can hold them."""
    return {
        name: [None if isinstance(each, float) and not math.isfinite(each) else each for each in value]
        if isinstance(value, tuple)
        else value
        for name, value in facts.items()
    }


def _headlines(findings: Sequence[Finding], claim: str) -> list[Finding]:
    """A claim's headline at the end of training, and elsewhere if it is something else there."""
    first = next(each for each in findings if each.claim == claim)
    others = [each for each in findings if (each.claim, each.line) == (claim, first.line) and each.note != SAME]
    return list(dict.fromkeys([first, *others]))
