"""Transferability scores of the classes that were never trained on."""

from ncjax import transfer
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row


def scores(at: Checkpoint, _known: Row) -> Row:
    """What `transfer.scores` and `transfer.leep` say of the target classes, if `measure.scores` says so.

    Args:
        at: The checkpoint.

    Returns:
        `target/log_me` and so on.
    """
    if not at.options.scores or "target" not in at.features:
        return {}
    labels, classes = at.labels["target"], at.num_classes["target"]
    found = transfer.scores(at.features["target"], labels, classes)
    found["leep"] = transfer.leep(at.logits["target"], labels, classes)
    return {f"target/{name}": value for name, value in found.items()}
