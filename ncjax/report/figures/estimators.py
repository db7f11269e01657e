"""Error of cheap estimates of geometric complexity against their cost."""

import pandas as pd
from matplotlib.figure import Figure

from ncjax.claims import count_lost, final_rows
from ncjax.claims.gc_paper.a3_complexity_estimators import COST_SHARE, TOLERANCE, estimators
from ncjax.report.figures.bands import draw_band, legend_beside
from ncjax.report.figures.style import ReportFigure, house_style, log_ticks, panels

NAMES = {
    "examples": "few examples, exact",
    "outputs": "few outputs (rows)",
    "inputs": "few inputs (columns)",
    "probes": "random probes",
}


def draw(table: pd.DataFrame) -> Figure:
    """Draws standard errors as shares of the exact value against vector products as shares of those of the exact one.

    Args:
        table: the results table.

    Returns:
        The figure: means over runs at their last checkpoint with bands from the smallest to the largest.

    Examples:
        >>> table = pd.DataFrame({"run": [0], "step": 9, "estimate/probes_1/relative_error": 0.1,
        ...                       "estimate/probes_1/products": 1.0, "estimate/exact/products": 64.0})
        >>> len(draw(table).axes)
        1
    """
    final = _drawn(table)
    with house_style():
        figure, grid = panels(1, 1)
        figure.set_figwidth(5.4)
        axes = grid[0, 0]
        for number, (name, label) in enumerate(NAMES.items()):
            sizes = [size for other, size in estimators([str(column) for column in final.columns]) if other == name]
            parts = [
                pd.DataFrame(
                    {
                        "share": final[f"estimate/{name}_{size}/products"] / final["estimate/exact/products"],
                        name: final[f"estimate/{name}_{size}/relative_error"],
                    }
                )
                for size in sizes
            ]
            if parts:
                draw_band(axes, pd.concat(parts), "share", name, number, label=label)
        axes.axhline(TOLERANCE, color="#777777", linewidth=0.9, linestyle=":")
        axes.axvline(COST_SHARE, color="#777777", linewidth=0.9, linestyle=":")
        axes.set_xscale("log")
        axes.set_yscale("log")
        log_ticks(axes, "x")
        log_ticks(axes, "y")
        axes.set_xlabel("products, as a share of the exact value's")
        axes.set_ylabel("standard error / exact value")
        legend_beside(axes)
    return figure


def _drawn(table: pd.DataFrame) -> pd.DataFrame:
    final = final_rows(table)
    return final[final["lost"] == ""]


def _caption(table: pd.DataFrame) -> str:
    count, lost = len(_drawn(table)), count_lost(final_rows(table)["lost"]).lost
    return (
        "Standard error of cheap estimates of the geometric complexity on the same images, against the vector-Jacobian "
        f"or Jacobian-vector products that they take. Lines: geometric means over {count} runs at their last "
        f"checkpoint ({lost} and left out); bands: from the smallest to the largest. Dotted: the tolerance of "
        f"{TOLERANCE:.0%} and a share of {COST_SHARE:.0%} of the cost."
    )


def _alt(table: pd.DataFrame) -> str:
    del table
    return "Curves of the standard error of four estimators of geometric complexity, falling with their cost."


FIGURE = ReportFigure(
    "estimators", "Error of cheap estimates against their cost", ("A3",),
    ("estimate/exact/products", "estimate/<estimator>/products", "estimate/<estimator>/relative_error"),
    draw, _caption, _alt,
)  # fmt: skip
