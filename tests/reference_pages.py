"""Writes the pages of the reference, one for each room: ``python -m tests.reference_pages``."""

import importlib
from pathlib import Path

import ncjax

TITLES = {
    "metrics": "Collapse, complexity and certificates, as functions of arrays.",
    "transfer": "Few-shot episodes, heads and probes on fixed features.",
    "models": "Networks, and what a network has to say of itself.",
    "data": "Data sets, their cache, views and augmentation.",
    "training": "The state of a run and its compiled step.",
    "measurement": "One run at one checkpoint, measured.",
    "results": "The table of results and the list of its columns.",
    "sweep": "Grids of runs as compiled programs.",
    "claims": "Verdicts over a table of results.",
    "report": "Figures and pages.",
}


def place(value: object, room: str) -> str:
    """Where a public name is defined, since a function may share its name with its file; of a type alias the room."""
    module = getattr(value, "__module__", None) or room
    return module if module.startswith("ncjax.") else room


def page(room: str) -> str:
    """The page of one room: every public name, in the order of the alphabet."""
    module = importlib.import_module(f"ncjax.{room}")
    names = sorted(module.__all__, key=str.lower)
    entries = "\n".join(f"::: {place(getattr(module, name), module.__name__)}.{name}\n" for name in names)
    return f"# `ncjax.{room}`\n\n{TITLES[room]}\n\n{entries}"


if __name__ == "__main__":
    for room in ncjax.__all__:
        (Path(__file__).resolve().parents[1] / "docs" / "reference" / f"{room}.md").write_text(
            page(room), encoding="utf-8"
        )
