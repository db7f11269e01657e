"""At which depth a network serves classes best: those that it was trained on, and new ones."""

import dataclasses

from jaxtyping import Array, Float

from ncjax import metrics
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.few_shot import over_episodes
from ncjax.measurement.row import Row


def layer_transfer(at: Checkpoint, known: Row) -> Row:
    """Accuracy and error of the nearest class mean after each stage, if `measure.layer_transfer` says so.

    Late layers may serve the classes trained on and harm new ones. All layers meet the same few-shot episodes.

    Args:
        at: The checkpoint.
        known: Of other measures `test/ncc_error` and `target/accuracy_<shots>shot`: those of the embedding.

    Returns:
        `test_layer/<tap>/ncc_error`; where there are target classes `target_layer/<tap>/accuracy_<shots>shot`.

    Source: Masarczyk et al. 2023, https://arxiv.org/abs/2305.19753, the tunnel effect (there of linear probes).
    """
    if not at.options.layer_transfer:
        return {}
    row: Row = {}
    for tap in at.taps["test"]:
        row[f"test_layer/{tap}/ncc_error"] = known["test/ncc_error"] if tap == "embedding" else _source_error(at, tap)
        row |= _new_classes(at, known, tap)
    return row


def _source_error(at: Checkpoint, tap: str) -> Float[Array, ""]:
    """Error on test of the nearest class mean of train."""
    stats = metrics.class_stats(at.taps["train"][tap], at.labels["train"], at.num_classes["train"], scatter=False)
    return metrics.ncc_error(stats, at.taps["test"][tap], at.labels["test"])


def _new_classes(at: Checkpoint, known: Row, tap: str) -> Row:
    """Few-shot accuracy of the nearest class mean on the target classes, by shots."""
    spec, index = at.options.transfer, at.inputs.target_index
    if spec is None or index is None:
        return {}
    names = {f"target_layer/{tap}/accuracy_{shots}shot": f"target/accuracy_{shots}shot" for shots in spec.shots}
    if tap == "embedding" and "ncm" in spec.heads:
        return {name: known[same] for name, same in names.items()}
    result = over_episodes(at, at.taps["target"][tap], index, dataclasses.replace(spec, heads=("ncm",)))
    return dict(zip(names, result.mean[0], strict=True))
