"""The input directions to which a network responds most, as images.

It draws arrays and not a table of results, so it is no figure of the report's list: call it with a network of yours.
"""

import math

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ncjax.metrics import TopDirections
from ncjax.report.figures.style import DATA_ID, house_style, value_label

_PER_ROW = 4
_PANEL = 1.7
# A residual above this share of its value says that Lanczos took too few steps for it.
_UNSURE = 0.05


def draw_directions(top: TopDirections, complexity: float | None = None) -> Figure:
    """Draws the leading eigenvectors of the average gradient outer product as images.

    A direction has no sign: each is drawn with its largest entry positive. Maps of one channel go from blue through
    white to red, on a scale of their own that is symmetric about zero. Of three channels zero is grey.

    Args:
        top: of `metrics.top_input_directions`, of images [h, w], [h, w, 1] or [h, w, 3]; those whose value is not a
            number are left out.
        complexity: the geometric complexity on the same images: it is the sum of all eigenvalues, so each panel then
            says its share.

    Returns:
        The figure, a panel a direction; a title ends with ± the residual where that is more than 5% of the value.

    Raises:
        ValueError: if the directions are no images, or none has a value.

    Examples:
        >>> vectors = np.eye(4).reshape(4, 2, 2)[:2]
        >>> figure = draw_directions(TopDirections(np.array([3.0, 1.0]), vectors, np.zeros(2)), complexity=4.0)
        >>> [axes.get_title() for axes in figure.axes[:2]]
        ['1: 3 (75%)', '2: 1 (25%)']
    """
    values, vectors, residuals = (np.asarray(part, np.float64) for part in top)
    images = vectors[..., 0] if vectors.ndim == 4 and vectors.shape[-1] == 1 else vectors
    if images.ndim != 3 and not (images.ndim == 4 and images.shape[-1] == 3):
        raise ValueError(
            f"top: got directions of shape {vectors.shape}, expected (k, h, w), (k, h, w, 1) or (k, h, w, 3)"
        )
    known = np.flatnonzero(np.isfinite(values) & np.isfinite(images).all(axis=tuple(range(1, images.ndim))))
    if not len(known):
        raise ValueError("top: no value is a number, expected at least one")
    columns = min(_PER_ROW, len(known))
    rows = math.ceil(len(known) / columns)
    with house_style():
        figure = Figure(figsize=(_PANEL * columns + 0.2, (_PANEL + 0.3) * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for place, number in enumerate(known):
            _draw(grid[place], images[number], f"{DATA_ID}/direction{number + 1}")
            share = "" if complexity is None else f" ({100 * values[number] / complexity:.0f}%)"
            doubt = residuals[number] > _UNSURE * values[number]
            error = f" ± {value_label(float(f'{residuals[number]:.1g}'))}" if doubt else ""
            value = value_label(float(f"{values[number]:.3g}"))
            grid[place].set_title(f"{number + 1}: {value}{share}{error}", loc="center", fontsize=8.5)
        for panel in grid[len(known) :]:
            panel.set_axis_off()
    return figure


def _draw(panel: Axes, image: Float[np.ndarray, "h w ..."], name: str) -> None:
    largest = image.flat[np.abs(image).argmax()]
    signed = image / (largest or 1.0)
    if signed.ndim == 2:
        panel.imshow(signed, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest", gid=name)
    else:
        panel.imshow(np.clip(0.5 + signed / 2, 0, 1), interpolation="nearest", gid=name)
    panel.grid(visible=False)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.spines[:].set_visible(False)
