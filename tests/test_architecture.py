"""The rooms of the package: which may import which, and how large a file may grow."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# What each room may import of the package, besides itself.
MAY_IMPORT = {
    "metrics": set(),
    "cpu_convolution": {"metrics"},
    "results": set(),
    "models": {"metrics", "cpu_convolution"},
    "data": {"metrics"},
    "transfer": {"metrics"},
    "training": {"metrics", "models", "data", "transfer"},
    "measurement": {"metrics", "models", "data", "transfer", "training", "results"},
    "sweep": {"metrics", "models", "data", "transfer", "training", "measurement", "results"},
    "hardware": {"metrics", "data", "transfer", "training", "measurement", "sweep"},
    "claims": {"metrics", "results"},
    "report": {"metrics", "results", "sweep", "claims"},
    "cli": {
        "metrics",
        "models",
        "data",
        "transfer",
        "training",
        "measurement",
        "results",
        "sweep",
        "hardware",
        "claims",
        "report",
    },
}
PYTHON_FILES = sorted(
    path for folder in ("ncjax", "configs", "experiments", "tests") for path in (ROOT / folder).rglob("*.py")
)


def imported_modules(path):
    """Dotted names of what a file imports, submodules named in ``from package import module`` included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_run_one_way(room):
    for path in (ROOT / "ncjax" / room).rglob("*.py"):
        rooms = {name.split(".")[1] for name in imported_modules(path) if name.startswith("ncjax.")}
        assert rooms & MAY_IMPORT.keys() <= MAY_IMPORT[room] | {room}, path


# What each room of the sweep may import of the others.
SWEEP_ROOMS = ("plan", "program", "workdir", "launch")


@pytest.mark.parametrize("place", range(len(SWEEP_ROOMS)))
def test_rooms_of_the_sweep_import_one_way(place):
    for path in (ROOT / "ncjax" / "sweep" / SWEEP_ROOMS[place]).rglob("*.py"):
        rooms = {name.split(".")[2] for name in imported_modules(path) if name.startswith("ncjax.sweep.")}
        assert rooms & {*SWEEP_ROOMS} <= {*SWEEP_ROOMS[: place + 1]}, path


def test_one_file_outside_knows_how_convolutions_are_made_fast_on_a_cpu():
    own = {ROOT / "ncjax" / "cpu_convolution", ROOT / "tests" / "cpu_convolution"}
    others = (path for path in PYTHON_FILES if not own & {*path.parents})
    known = {
        path.relative_to(ROOT).as_posix()
        for path in others
        if any(name.startswith("ncjax.cpu_convolution") for name in imported_modules(path))
    }
    assert known == {"ncjax/models/lowering.py"}


def test_every_folder_of_the_package_is_a_room_of_the_list():
    assert {path.parent.name for path in (ROOT / "ncjax").glob("*/__init__.py")} == MAY_IMPORT.keys()


@pytest.mark.parametrize("package", ["flax", "optax", "orbax", "tensorflow_datasets", "ml_collections", "absl"])
def test_metrics_need_only_jax(package):
    for path in (ROOT / "ncjax" / "metrics").rglob("*.py"):
        assert not any(name.split(".")[0] == package for name in imported_modules(path)), path


@pytest.mark.parametrize("package", ["tensorflow", "torch", "ray"])
def test_no_heavy_framework_is_imported_by_the_core(package):
    # The launcher of Ray imports it when it is called, and the command imports the launcher when it is asked for.
    launcher = ROOT / "ncjax" / "sweep" / "launch" / "ray_tasks.py"
    for path in set((ROOT / "ncjax").rglob("*.py")) - ({launcher} if package == "ray" else set()):
        assert not any(name.split(".")[0] == package for name in imported_modules(path)), path
        if path.parent.name != "cli":
            assert not any("ray_tasks" in name for name in imported_modules(path)), path


def test_no_file_grows_past_four_hundred_lines():
    assert [path for path in PYTHON_FILES if len(path.read_text(encoding="utf-8").splitlines()) > 400] == []


SECTION = re.compile(
    r"^( *)(?:Args|Returns|Raises|Yields|Attributes|Source|Examples|Note):\n((?:(?:\1 +\S.*)?\n)+)", re.MULTILINE
)


def test_docstrings_are_of_one_dialect():
    wrong = []
    for path in PYTHON_FILES:
        text = path.read_text(encoding="utf-8")
        for indent, content in SECTION.findall(text):
            depths = {len(line) - len(line.lstrip()) for line in content.splitlines() if line.strip()}
            if min(depths) != len(indent) + 4:
                wrong.append(f"{path}: {content.splitlines()[0].strip()}: expected four spaces more than its heading")
        # The reference is made by a tool that knows the plural alone.
        wrong += [f"{path}: Example: expected Examples:"] * len(re.findall(r"^ +Example:$", text, flags=re.MULTILINE))
    assert wrong == []
