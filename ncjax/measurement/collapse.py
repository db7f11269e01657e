"""Losses and errors, and the collapse of the embedding and of the layers before it."""

import re

import jax.numpy as jnp

from ncjax import metrics, models
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row
from ncjax.training.objective import sample_losses


def losses_and_layers(at: Checkpoint, _known: Row) -> Row:
    """Mean losses of train and test, and the variance ratio after each stage.

    Args:
        at: The checkpoint.

    Returns:
        `train/loss`, `layer/<tap>/variance_ratio` and, of test, `test/loss`, `test_layer/<tap>/variance_ratio`.
    """
    row: Row = {}
    for split, layer in (("train", "layer"), ("test", "test_layer")):
        labels, classes = at.labels[split], at.num_classes[split]
        row[f"{split}/loss"] = sample_losses(at.logits[split], labels, at.spec.loss).mean()
        for tap, activations in at.taps[split].items():
            stats = metrics.class_stats(activations, labels, classes, scatter=False)
            row[f"{layer}/{tap}/variance_ratio"] = metrics.variance_ratio(stats)
    return row


def collapse(at: Checkpoint, _known: Row) -> Row:
    """Every measure of collapse of the embedding, and the errors.

    Args:
        at: The checkpoint.

    Returns:
        As `metrics.train_test_report`.
    """
    features, labels = at.features, at.labels
    kernel, bias = models.classifier_weights(at.state.variables)
    return metrics.train_test_report(
        features["train"],
        labels["train"],
        at.spec.num_classes,
        test=(features["test"], labels["test"]),
        kernel=kernel,
        bias=bias,
        stats=at.stats,
    )


def directional(at: Checkpoint, _known: Row) -> Row:
    """Directional CDNV of each split and the certificate of the classifier, if `measure.directional` says so.

    Args:
        at: The checkpoint.

    Returns:
        `<split>/directional_cdnv`, `train/classifier_certificate` and `test/classifier_certificate`.
    """
    if not at.options.directional:
        return {}
    row: Row = {}
    kernel, bias = models.classifier_weights(at.state.variables)
    for split, features in at.features.items():
        labels, classes = at.labels[split], at.num_classes[split]
        row[f"{split}/directional_cdnv"] = metrics.directional_cdnv(features, labels, classes)
        if split != "target":
            certificate = metrics.classifier_certificate(features, labels, classes, kernel, bias)
            row[f"{split}/classifier_certificate"] = certificate.bound
    return row


def separation(at: Checkpoint, known: Row) -> Row:
    """NC1 of train after each stage and how well it falls by a common factor, if `measure.separation` says so.

    Args:
        at: The checkpoint.
        known: Columns so far, `train/nc1` among them.

    Returns:
        `layer/<tap>/nc1`, and of the line through its logarithm by depth `train/separation_slope` and
        `train/separation_r_squared`.
    """
    if not at.options.separation:
        return {}
    row: Row = {}
    # Dictionaries come out of compiled loops in the order of the alphabet.
    for tap in sorted(at.taps["train"], key=_depth):
        if tap == "embedding":
            row[f"layer/{tap}/nc1"] = known["train/nc1"]
        else:
            stats = metrics.class_stats(at.taps["train"][tap], at.labels["train"], at.num_classes["train"])
            row[f"layer/{tap}/nc1"] = metrics.nc1(stats)
    law = metrics.separation_law(jnp.stack(list(row.values())))
    return row | {"train/separation_slope": law.slope, "train/separation_r_squared": law.r_squared}


def _depth(tap: str) -> tuple[bool, int, str]:
    """Numbered stages by their number, the embedding last."""
    number = re.search(r"(\d+)$", tap)
    return tap == "embedding", int(number.group(1)) if number else 0, tap
