"""Writes the pages that are lists: ``python -m tests.reference_pages``.

One for each room of the package, one of the shipped configs and one of the claims.
"""

import importlib
import re
import runpy
from pathlib import Path

import ncjax
from ncjax.claims import CLAIMS
from ncjax.cli.config_flag import shipped_configs

DOCS = Path(__file__).resolve().parents[1] / "docs"
TITLES = {
    "metrics": "Collapse, complexity and certificates, as functions of arrays.",
    "transfer": "Few-shot episodes, heads and probes on fixed features.",
    "models": "Networks, and what a network has to say of itself.",
    "data": "Data sets, their cache, views and augmentation.",
    "training": "The state of a run and its compiled step.",
    "measurement": "One run at one checkpoint, measured.",
    "results": "The table of results and the list of its columns.",
    "sweep": "Grids of runs as compiled programs.",
    "hardware": "Planning a sweep for accelerators that are not here.",
    "claims": "Verdicts over a table of results.",
    "report": "Figures and pages.",
}
# Headings of a room, and the files whose names stand below each. What the room itself defines stands last.
GROUPS = {
    "metrics": {
        "Reports": "report train_test caveats",
        "Statistics of classes": "class_stats class_means class_tables class_ranks arrays",
        "Collapse of the features": "collapse directional mse_decomposition geometry",
        "Simplex and classifier": "simplex nearest_mean principal_angles softmax_code uniformity",
        "Geometric complexity": (
            "complexity estimate directional_complexity gradient_outer_product penalty row_independence first_layer"
        ),
        "Geometric collapse and Poincaré constants": "geometric_collapse poincare",
        "Certificates": "certificate",
        "Ranks and spectra": "spectra separation_law",
        "Flatness of the loss": "flatness",
        "Intervals": "bootstrap",
    },
    "transfer": {
        "Few-shot accuracy": "accuracy selection",
        "Episodes": "episodes episode_file npz",
        "Heads": "heads logistic svm minimise",
        "Probes on all labels": "probes",
        "Transferability scores": "scores",
    },
    "models": {"Networks": "registry blocks classifier", "Convolutions": "lowering convolution"},
    "data": {
        "Loading and preparing": "registry spec preparation cache tfds_directory outline",
        "Data sets and splits": "dataset",
        "Views of classes, labels and samples": "views labels class_names",
        "Augmentation and streaming": "augmentation streaming",
    },
    "training": {
        "A run": "run state spec hyper inputs",
        "Objective and optimizer": "objective regularisers optimizers learning_rates",
        "Starting from trained weights": "fine_tuning",
        "Devices and memory": "chunks sharding",
    },
    "measurement": {"Measuring": "measures checkpoint options"},
    "results": {"Table and columns": "rows columns"},
    "sweep": {
        "Running, and reading what was run": "loop trained_runs signals rows",
        "Configs and grids": "config grid sweep_plan measuring_times",
        "Programs and devices": "group_program mesh",
        "Workdirs": "workdir checkpoints ledger lock environment",
    },
    "hardware": {"Slices and forecasts": "topology forecast", "Messages between devices": "program_text"},
    "claims": {
        "Claims": "claim association findings b5_cascade",
        "Verdicts and statistics": "verdict statistics",
        "Runs, and where they are compared": "runs when",
        "Rivals": "rivals",
    },
    "report": {"Reports and their sources": "report page comparison sources", "Tables": "terminal run_table"}
    | {"Figures": "style directions rivals", "Pages of results": "results_pages"},
}
_LAST = "Constants and types"


def place(value: object, room: str) -> str:
    """Where a public name is defined, since a function may share its name with its file; of a type alias the room."""
    module = getattr(value, "__module__", None) or room
    return module if module.startswith("ncjax.") else room


def page(room: str) -> str:
    """The page of one room: every public name under the heading of its file, in the order of the alphabet."""
    module = importlib.import_module(f"ncjax.{room}")
    heading = {stem: title for title, stems in GROUPS[room].items() for stem in stems.split()}
    entries: dict[str, list[str]] = {title: [] for title in (*GROUPS[room], _LAST)}
    for name in sorted(module.__all__, key=str.lower):
        where = place(getattr(module, name), module.__name__)
        stem = where.rpartition(".")[2]
        if where != module.__name__ and stem not in heading:
            raise ValueError(f"GROUPS: {room} has no heading for {where}, where {name} is defined; expected one")
        entries[_LAST if where == module.__name__ else heading[stem]].append(f"::: {where}.{name}\n")
    parts = [f"## {title}\n\n" + "\n".join(lines) for title, lines in entries.items() if lines]
    return f"# `ncjax.{room}`\n\n{TITLES[room]}\n\n" + "\n".join(parts)


def configs_page() -> str:
    """The page of the shipped configs: the first line of each file, its variants and the claims that it is about."""
    rows = []
    for name, path in shipped_configs().items():
        module = runpy.run_path(str(path))
        about = (module["__doc__"] or "").strip().partition("\n")[0]
        variants = ", ".join(f"`:{variant}`" for variant in module.get("VARIANTS", ()) if variant)
        rows.append(f"| `{name}` | {about} | {variants} | {', '.join(module.get('CLAIMS', ()))} |")
    return _CONFIGS + "\n".join(rows) + "\n"


def claims_page() -> str:
    """The page of the claims: what each says, where the paper says it, and the config that varies what it needs."""
    rows = (
        f"| {each.key} | {each.title} | {each.statement} | {_linked(each.source)} | `{each.config}` |"
        for each in CLAIMS
    )
    return _CLAIMS + "\n".join(rows) + "\n"


def pages() -> dict[Path, str]:
    """All of them, by their files."""
    rooms = {DOCS / "reference" / f"{room}.md": page(room) for room in ncjax.__all__}
    return rooms | {DOCS / "configs.md": configs_page(), DOCS / "claims.md": claims_page()}


def _linked(source: str) -> str:
    return re.sub(r"https://arxiv.org/abs/([\d.]+)", r"[arXiv \1](https://arxiv.org/abs/\1)", source)


_CONFIGS = """# Shipped configs

`ncjax sweep --config=NAME --workdir=DIR` runs one; a variant stands behind a colon, as in
`--config=limits_paper/cascade:small`. `:small` takes minutes on two CPU cores and needs no download; the same name
without a colon is the paper's own setting and data, and wants an accelerator. A file of your own goes by its path,
`--config=own.py`. Each file lies in `configs/` and says at its top what it runs, with the commands, the time and what
the paper leaves open. The last column names the [claims](claims.md) that it is about. This page is made from the files
by `make pages`.

| name | what it is | variants | claims |
|---|---|---|---|
"""
_CLAIMS = """# The claims

`ncjax report` judges these; [reading a claim](tutorials/reading_a_claim.md) says how, [results](results/README.md) what
came out. Letters stand for the paper: A is *The Impact of Geometric Complexity on Neural Collapse in Transfer
Learning*, B is *Limitations of Neural Collapse for Understanding Generalization in Deep Learning*. The last column is
the [config](configs.md) that varies and measures what the claim needs. This page is made from the claims by
`make pages`.

| key | claim | in full | source | config |
|---|---|---|---|---|
"""


if __name__ == "__main__":
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
