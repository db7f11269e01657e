"""The list of measures, in the order in which they are taken, and how others add theirs."""

from collections.abc import Callable
from typing import Literal

from jaxtyping import Array, Float

from ncjax.measurement.checkpoint import Checkpoint, checkpoint
from ncjax.measurement.collapse import collapse, directional, layers, losses_and_layers
from ncjax.measurement.complexity import complexity, estimators
from ncjax.measurement.error_bounds import error_bounds
from ncjax.measurement.few_shot import few_shot
from ncjax.measurement.fine_probes import fine_probes
from ncjax.measurement.flatness import first_layer, flatness
from ncjax.measurement.layer_transfer import layer_transfer
from ncjax.measurement.options import MeasureSpec
from ncjax.measurement.ranks import ranks
from ncjax.measurement.row import Row
from ncjax.measurement.scores import scores
from ncjax.results import Column, add_column
from ncjax.training.inputs import RunInputs
from ncjax.training.spec import TrainSpec
from ncjax.training.state import RunState

Measure = Callable[[Checkpoint, Row], Row]

MEASURES: dict[str, Measure] = {
    "losses_and_layers": losses_and_layers,
    "collapse": collapse,
    "layers": layers,
    "directional": directional,
    "ranks": ranks,
    "complexity": complexity,
    "few_shot": few_shot,
    "layer_transfer": layer_transfer,
    "scores": scores,
    "flatness": flatness,
    "first_layer": first_layer,
    "estimators": estimators,
    "error_bounds": error_bounds,
    "fine_probes": fine_probes,
}
"""Functions of a checkpoint, and of the columns that those before them made, that return columns. A measure whose
option is off returns none."""


def measure(
    spec: TrainSpec,
    options: MeasureSpec,
    state: RunState,
    inputs: RunInputs,
    train_outputs: dict[str, Float[Array, "n d"]] | None = None,
) -> dict[str, Float[Array, ""]]:
    """Measures one run.

    Batch normalisation runs on its stored averages throughout.

    Args:
        spec: Static choices of training.
        options: Static choices of measuring.
        state: Of the run.
        inputs: The data.
        train_outputs: What `outputs_of` makes of the train images, where these are streamed and not in `inputs`.

    Returns:
        Scalars by their names in the results table: `train/cdnv`, `test/geometric_complexity`,
        `layer/<tap>/variance_ratio`, `target/accuracy_5shot` and so on.
    """
    at = checkpoint(spec, options, state, inputs, train_outputs)
    row: Row = {}
    for function in MEASURES.values():
        row |= function(at, row)
    return row


def add_measure(
    name: str,
    function: Callable[[Array, Array, int], Array],
    definition: str,
    unit: str = "1",
    collapse: Literal["falls", "rises", ""] = "",
) -> None:
    """Registers a measure of embeddings; a module that `config.plugins` names calls this.

    Args:
        name: Of its columns, after the split: `train/NAME`, `test/NAME`, `target/NAME`.
        function: Of embeddings [n, d], labels [n] and the number of classes; pure, of JAX operations; a scalar.
        definition: One line for readers of the table.
        unit: Of the values.
        collapse: Whether it falls or rises as features collapse.

    Raises:
        ValueError: The table has such a column already, and not from here.

    Examples:
        >>> add_measure("largest_feature", lambda features, labels, num_classes: abs(features).max(), "largest entry")
        >>> list(MEASURES)[-1]
        'largest_feature'
        >>> del MEASURES["largest_feature"]
    """
    if name in MEASURES and not hasattr(MEASURES[name], "added"):
        raise ValueError(f"name: got {name!r}, the name of a measure of ncjax")
    add_column(Column(f"<split>/{name}", name.replace("_", " "), unit, definition, collapse, option="plugins"))

    def columns(at: Checkpoint, _known: Row) -> Row:
        features = at.features
        return {
            f"{split}/{name}": function(features[split], at.labels[split], at.num_classes[split]) for split in features
        }

    columns.added = True  # type: ignore[attr-defined]
    MEASURES[name] = columns
