"""Ranks and spectra of features, at the embedding and at the layers before it."""

from ncjax import metrics, models
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row


def ranks(at: Checkpoint, _known: Row) -> Row:
    """How many directions features use and how far classes are apart by angle, if `measure.ranks` says so.

    Args:
        at: The checkpoint.

    Returns:
        Of each split what `metrics.rank_report` returns and `class_separation`; of train `layer/<tap>/effective_rank`
        and `train/nc0`.
    """
    if not at.options.ranks:
        return {}
    row: Row = {}
    for split, features in at.features.items():
        classes = at.num_classes[split]
        report = metrics.rank_report(features, classes)
        report["class_separation"] = metrics.class_separation(features, at.labels[split], classes)
        row |= {f"{split}/{name}": value for name, value in report.items()}
    for tap, activations in at.taps["train"].items():
        # That of the embedding is known.
        known = row["train/effective_rank"] if tap == "embedding" else None
        rank = metrics.effective_rank(metrics.singular_values(activations)) if known is None else known
        row[f"layer/{tap}/effective_rank"] = rank
    kernel, _ = models.classifier_weights(at.state.variables)
    row["train/nc0"] = metrics.nc0(kernel)
    return row
