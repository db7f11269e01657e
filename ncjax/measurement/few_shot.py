"""Few-shot transfer to classes never trained on, with bounds beside the accuracy."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax import metrics
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row
from ncjax.training.sharding import divide
from ncjax.transfer import (
    ClassIndex,
    EpisodeResults,
    EpisodeSpec,
    FewShotResult,
    IterativeHead,
    accuracy_interval,
    episode_results,
    find_head,
)


def few_shot(at: Checkpoint, known: Row) -> Row:
    """Accuracy of each head at each number of shots, where there are target classes.

    Args:
        at: The checkpoint.
        known: Of other measures `target/cdnv`.

    Returns:
        `target/accuracy_<shots>shot` (nearest class mean), `target/accuracy_<head>_<shots>shot`, with `_ci95` and
        `_gradient_norm`; `target/nearest_mean_bound_<shots>shot` and, if `measure.directional` says so,
        `target/few_shot_certificate_<shots>shot`.
    """
    spec, index = at.options.transfer, at.inputs.target_index
    if spec is None or index is None:
        return {}
    row: Row = {}
    features, labels = at.features["target"], at.labels["target"]
    result = over_episodes(at, features, index, spec)
    assert result.gradient_norm is not None
    certified = None
    if at.options.directional:
        certified = metrics.few_shot_certificate(
            features, labels, at.options.target_classes, jnp.array(spec.shots), spec.ways
        ).bound
    for shot_index, shots in enumerate(spec.shots):
        # Averaged over episodes of so many ways.
        row[f"target/nearest_mean_bound_{shots}shot"] = metrics.nearest_mean_bound(
            known["target/cdnv"], spec.ways, shots
        )
        if certified is not None:
            row[f"target/few_shot_certificate_{shots}shot"] = certified[shot_index]
        for head_index, head in enumerate(spec.heads):
            # The nearest class mean is the field's default head and carries no suffix.
            suffix = "" if head == "ncm" else f"_{head}"
            name = f"target/accuracy{suffix}_{shots}shot"
            row[name] = result.mean[head_index, shot_index]
            row[f"{name}_ci95"] = result.ci95[head_index, shot_index]
            if isinstance(find_head(head), IterativeHead):
                row[f"{name}_gradient_norm"] = result.gradient_norm[head_index, shot_index]
    return row


def over_episodes(at: Checkpoint, features: Float[Array, "n d"], index: ClassIndex, spec: EpisodeSpec) -> FewShotResult:
    """What heads make of features of the target classes, the episodes divided among the devices.

    Args:
        at: The checkpoint; its key draws the episodes, so that all features of a run meet the same ones.
        features: [n, d] of the target split.
        index: Which of them each class holds.
        spec: Episodes and heads.

    Returns:
        Accuracy by head and by number of shots.
    """

    def of_own(numbers: Array, features: Array, index: ClassIndex, key: Array) -> EpisodeResults:
        own = dataclasses.replace(spec, episodes=len(numbers))
        results = episode_results(features, index, key, own, first=numbers[0])
        return EpisodeResults(*(jnp.moveaxis(value, 2, 0) for value in results))

    results = divide(of_own, jnp.arange(spec.episodes), features, index, at.episode_key)
    return accuracy_interval(*(jnp.moveaxis(value, 0, 2) for value in results))
