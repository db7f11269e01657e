"""What a run's features know of the classes below the labels that it is trained on."""

from ncjax import metrics, transfer
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row


def fine_probes(at: Checkpoint, _known: Row) -> Row:
    """Accuracy on test of probes that are fitted to frozen train features on fine labels, where there are such.

    With and without standardised features: directions that collapse has made small are cheap to use only after
    standardising.

    Args:
        at: The checkpoint.

    Returns:
        `fine/ridge_accuracy`, `fine/knn_accuracy` (5 neighbours), both also `_standardised`; of the train features by
        fine labels `fine/cdnv` and `fine/variance_ratio`.
    """
    classes = at.options.fine_classes
    if not classes:
        return {}
    features, labels = at.features, (at.inputs.train_fine_labels, at.inputs.test_fine_labels)
    data = (features["train"], labels[0], features["test"], labels[1], classes)
    row: Row = {}
    for suffix, standardise in (("", False), ("_standardised", True)):
        ridge = transfer.linear_probe(*data, at.key, head="ridge", standardise=standardise)
        row[f"fine/ridge_accuracy{suffix}"] = ridge.accuracy
        neighbours = min(5, features["train"].shape[0])
        nearest = transfer.knn_accuracy(*data, neighbours=neighbours, standardise=standardise)
        row[f"fine/knn_accuracy{suffix}"] = nearest
    stats = metrics.class_stats(features["train"], labels[0], classes, scatter=False)
    return row | {"fine/cdnv": metrics.cdnv(stats), "fine/variance_ratio": metrics.variance_ratio(stats)}
