"""Geometric complexity of the embedding, and the geometric collapse that follows from it."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ncjax import metrics
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.estimator_errors import estimator_errors
from ncjax.measurement.row import Row
from ncjax.training.inputs import RunInputs
from ncjax.training.sharding import divide
from ncjax.training.state import RunState


def complexity(at: Checkpoint, _known: Row) -> Row:
    """Geometric complexity on a sample of each split, and geometric collapse.

    Args:
        at: The checkpoint.

    Returns:
        `<split>/geometric_complexity`, `<split>/geometric_complexity_stderr`, `<split>/geometric_collapse_tight` and
        `<split>/geometric_collapse_pooled`.
    """
    inputs, probes = at.inputs, at.options.complexity_probes
    samples = {
        "train": (inputs.train_sample_images, inputs.train_labels[inputs.train_sample]),
        "test": (inputs.test_images[inputs.test_sample], inputs.test_labels[inputs.test_sample]),
    }
    if inputs.target_images is not None:
        samples["target"] = (inputs.target_images[inputs.target_sample], inputs.target_labels[inputs.target_sample])
    images = jnp.concatenate([images for images, _ in samples.values()])
    method: dict[str, Any] = {"method": "probes", "num_probes": probes} if probes else {"method": "exact"}

    def squares_of(rows: tuple[Array, Array], state: RunState, inputs: RunInputs, key: Array) -> Array:
        here = dataclasses.replace(at, state=state, inputs=inputs)
        # Probes are drawn by the number of the image, so that they do not depend on the division.
        own = {**method, "key": key if probes else None, "first": rows[1][0]}
        return metrics.geometric_complexity(here.embed, here.pixels(rows[0]), **own).per_sample

    # All splits at once: a Jacobian in the program takes seconds to compile.
    all_squares = divide(squares_of, (images, jnp.arange(len(images))), at.state, inputs, at.key)
    ends = np.cumsum([len(labels) for _, labels in samples.values()])
    row: Row = {}
    for squares, (split, (_, labels)) in zip(jnp.split(all_squares, ends[:-1]), samples.items(), strict=True):
        mean, stats = squares.mean(), at.stats[split]
        by_class = metrics.class_mean_complexity(squares, labels, stats.num_classes)
        row[f"{split}/geometric_complexity"] = mean
        row[f"{split}/geometric_complexity_stderr"] = squares.std(ddof=1) / squares.shape[0] ** 0.5
        row[f"{split}/geometric_collapse_tight"] = metrics.geometric_collapse_tight(stats, by_class)
        row[f"{split}/geometric_collapse_pooled"] = metrics.geometric_collapse_pooled(stats, mean)
    return row


def estimators(at: Checkpoint, _known: Row) -> Row:
    """How well estimators of the complexity do on the sample of train, if `measure.estimator_sizes` says so.

    Args:
        at: The checkpoint.

    Returns:
        What `estimator_errors` returns, under `estimate/`.
    """
    if not at.options.estimator_sizes:
        return {}
    pixels = at.pixels(at.inputs.train_sample_images)
    errors = estimator_errors(at.embed, pixels, at.key, at.options.estimator_sizes)
    return {f"estimate/{name}": value for name, value in errors.items()}
