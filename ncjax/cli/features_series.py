"""Features of one network at several moments, a file each: one table, one CSV, one picture."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SHOWN = ("error", "nc1", "nc2_etf", "nc3", "nc4", "cdnv")
_DIGITS = re.compile(r"(\d+)")


def is_pattern(name: str) -> bool:
    """Whether a file's name stands for several.

    Examples:
        >>> is_pattern("ep*.npz"), is_pattern("ep9.npz")
        (True, False)
    """
    return any(sign in name for sign in "*?[")


def matching_files(pattern: str) -> list[Path]:
    """The files that a pattern names, numbers in their names in the order of numbers.

    Args:
        pattern: as a shell has it, such as ``"features/ep*.npz"``.

    Returns:
        Their paths: ep2.npz before ep10.npz.

    Raises:
        ValueError: if there is none.
    """
    start = Path(pattern)
    root = Path(start.anchor) if start.is_absolute() else Path()
    found = [
        path for path in root.glob(str(start.relative_to(root) if start.is_absolute() else start)) if path.is_file()
    ]
    if not found:
        raise ValueError(f"--features: no file matches {pattern!r}; got none, expected .npz files")
    return sorted(found, key=natural_order)


def natural_order(path: Path) -> list[tuple[int, int, str]]:
    """A key by which names sort as people sort them.

    Examples:
        >>> sorted([Path("ep10.npz"), Path("ep9.npz")], key=natural_order)[0].name
        'ep9.npz'
    """
    parts = _DIGITS.split(str(path))
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def numbers_in_names(paths: Sequence[Path]) -> list[int]:
    """The number that tells the files apart: the last one in their names that differs in all; else 0, 1, 2, ….

    Examples:
        >>> numbers_in_names([Path("run3_ep5.npz"), Path("run3_ep20.npz")]), numbers_in_names([Path("a"), Path("b")])
        ([5, 20], [0, 1])
    """
    found = [[int(digits) for digits in _DIGITS.findall(path.stem)] for path in paths]
    for place in range(1, min(map(len, found)) + 1):
        column = [numbers[-place] for numbers in found]
        if len(set(column)) == len(paths):
            return column
    return list(range(len(paths)))


def measure_files(paths: Sequence[Path], measure: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """Measures file after file, with a bar where a person waits.

    Args:
        paths: in order.
        measure: path to what is said of one file.

    Returns:
        What JSON can hold: ``files``, a list with the file's name, its number and what was measured.

    Raises:
        OSError: if a file cannot be read.
        ValueError: naming the file that does not fit.
    """
    from tqdm import tqdm

    files = []
    for path, number in zip(tqdm(paths, desc="measuring", disable=None), numbers_in_names(paths), strict=True):
        try:
            files.append({"features": str(path), "number": number, **measure(path)})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    return {"files": files}


def series_table(result: dict[str, Any]) -> str:
    """Lays out the main measures for a terminal, one row a file.

    Args:
        result: of `measure_files`.

    Returns:
        Lines joined by newlines; the notes of the files come last, each once.
    """
    import pandas as pd

    metrics = pd.DataFrame([file["metrics"] for file in result["files"]]).astype(float)
    names = [f"{split}{name}" for name in _SHOWN for split in ("", "train/", "test/") if f"{split}{name}" in metrics]
    shown = metrics[names].assign(file=[file["features"] for file in result["files"]])[["file", *names]]
    notes = dict.fromkeys(note for file in result["files"] for note in file["notes"])
    lines = [shown.to_string(index=False, na_rep="-", float_format="{:.4g}".format)]
    return "\n".join([*lines, *(f"note: {note}" for note in notes)])


def write_csv(result: dict[str, Any], path: str) -> None:
    """Writes every measure of every file, one row a file.

    Args:
        result: of `measure_files`.
        path: of the CSV file.
    """
    import pandas as pd

    hidden = ("metrics", "notes", "intervals")
    rows = []
    for file in result["files"]:
        row = {name: value for name, value in file.items() if name not in hidden} | file["metrics"]
        for name, bar in file.get("intervals", {}).items():
            row |= {f"{name}_low": bar["low"], f"{name}_high": bar["high"]}
        rows.append(row)
    pd.DataFrame(rows).to_csv(path, index=False)


def draw_series(result: dict[str, Any], path: str) -> "Figure":
    """Draws the main measures over the files' numbers, solid on train and dashed on test.

    Args:
        result: of `measure_files`.
        path: of the picture; its ending says of which kind.

    Returns:
        The figure.

    Raises:
        ValueError: if no measure is a number in any file.
    """
    import pandas as pd

    from ncjax.report.figures.splits import COLLAPSE, draw_splits
    from ncjax.report.figures.style import PIXELS_PER_INCH, house_style

    rows = []
    for step, file in enumerate(result["files"]):
        metrics = {name if "/" in name else f"train/{name}": value for name, value in file["metrics"].items()}
        rows.append({"run": 0, "step": step, "epoch": float(file["number"])} | metrics)
    table = pd.DataFrame(rows).drop(
        columns=["train/collapsed_to_a_point", "test/collapsed_to_a_point"], errors="ignore"
    )
    titles = {"error": "error of the classifier"} | COLLAPSE | {"cdnv": "CDNV"}
    known = {name: title for name, title in titles.items() if f"train/{name}" in table}
    known = {name: title for name, title in known.items() if table[f"train/{name}"].notna().any()}
    if not known:
        raise ValueError("--plot: no measure is a number in any file, expected at least one")
    figure = draw_splits(table, known, per_row=3)
    for axes in figure.axes:
        if axes.get_xlabel():
            axes.set_xlabel("number in the file's name")
    with house_style():
        figure.savefig(path, dpi=PIXELS_PER_INCH)
    return figure
