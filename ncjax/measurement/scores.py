"""Transferability scores of the classes that were never trained on."""

from ncjax import transfer
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row


def scores(at: Checkpoint, _known: Row) -> Row:
    """What `transfer.scores` returns of the target classes, if `measure.scores` says so and there are some.

    Args:
        at: The checkpoint.

    Returns:
        `target/log_me` and so on.
    """
    if not at.options.scores or "target" not in at.features:
        return {}
    found = transfer.scores(at.features["target"], at.labels["target"], at.num_classes["target"])
    return {f"target/{name}": value for name, value in found.items()}
