"""Geometric complexity at the end of training against collapse, transfer and flatness, one point a run."""

from collections.abc import Sequence

from ncjax.report.figures.scatter import Panel, draw_scatter, run_counts
from ncjax.report.figures.style import ReportFigure

_COMPLEXITY = "train/geometric_complexity"


def _scatter_figure(name: str, title: str, claim: str, contents: Sequence[Panel], words: str, alt: str) -> ReportFigure:
    """A scatter figure, which needs the columns of its first panel."""
    return ReportFigure(
        name,
        title,
        (claim,),
        (contents[0].x, contents[0].y),
        lambda table: draw_scatter(table, contents),
        lambda table: f"{words} {run_counts(table)}",
        lambda _: alt,
    )


COLLAPSE_FIGURE = _scatter_figure(
    "complexity_and_collapse",
    "Complexity against collapse at the end of training",
    "A1",
    (
        Panel(_COMPLEXITY, "train/cdnv", "geometric complexity", "CDNV (train)"),
        Panel(_COMPLEXITY, "train/geometric_collapse_tight", "geometric complexity", "geometric collapse (tight)"),
    ),
    "Geometric complexity of the embedding against CDNV (left) and geometric collapse (right) on the train set at the "
    "end of training, one point a run; ρ is Spearman's.",
    "Scatter of geometric complexity against train CDNV and geometric collapse, one point a run.",
)
TRANSFER_FIGURE = _scatter_figure(
    "complexity_and_transfer",
    "Source complexity against transfer",
    "A5",
    (
        Panel(_COMPLEXITY, "target/cdnv", "geometric complexity (source)", "CDNV (target classes)"),
        Panel(
            _COMPLEXITY,
            "target/accuracy_5shot",
            "geometric complexity (source)",
            "5-shot accuracy (target classes)",
            log_y=False,
        ),
    ),
    "Geometric complexity on the source classes against CDNV (left) and 5-shot accuracy (right) on target classes that "
    "were never trained on, at the end of training, one point a run; ρ is Spearman's, bars are the 95% interval over "
    "episodes.",
    "Scatter of source geometric complexity against target CDNV and 5-shot accuracy, one point a run.",
)
FLATNESS_FIGURE = _scatter_figure(
    "flatness",
    "Flatness against complexity at the end of training",
    "A6",
    (
        Panel("train/loss_gradient_norm", _COMPLEXITY, "norm of the loss gradient", "geometric complexity"),
        Panel("train/hessian_trace", _COMPLEXITY, "trace of the loss's Hessian", "geometric complexity"),
        Panel("train/sam_sharpness", _COMPLEXITY, "sharpness", "geometric complexity"),
    ),
    "Norm of the loss gradient, trace of the loss's Hessian and sharpness (rise of the loss one small step up its "
    "gradient), on train images and without regularisers, against the geometric complexity of the embedding at the end "
    "of training, one point a run; ρ is Spearman's.",
    "Scatter of three measures of flatness against geometric complexity, one point a run.",
)
