"""Every quantity of one run at one checkpoint, as a pure function of its state."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt8

from ncjax import metrics, models
from ncjax.data import normalize
from ncjax.measurement.error_bounds import error_bounds
from ncjax.measurement.estimator_errors import estimator_errors
from ncjax.measurement.fine_probes import fine_probes
from ncjax.measurement.loss_flatness import first_layer_row, flatness_row
from ncjax.measurement.measures import MEASURES
from ncjax.options import option, whole_numbers
from ncjax.training.chunks import images_at_once, map_splits
from ncjax.training.inputs import RunInputs
from ncjax.training.objective import sample_losses
from ncjax.training.sharding import split_batch
from ncjax.training.spec import TrainSpec
from ncjax.training.state import RunState
from ncjax.transfer import (
    ClassIndex,
    EpisodeSpec,
    IterativeHead,
    accuracy_interval,
    episode_results,
    find_head,
)


@dataclass(frozen=True)
class MeasureSpec:
    """Static choices of measuring; frozen and hashable.

    Attributes:
        transfer: few-shot episodes on the target classes, or None to leave them out.
        target_classes: number of classes never trained on, 0 where there are none.
        fine_classes: classes below the labels, to probe for; 0 leaves probes out.
    """

    chunk: int = option(
        images_at_once, "images through the network at once", config=0, at_least=0, zero="what suits the device"
    )
    complexity_probes: int = option(1, "random probes a sample of the geometric complexity", at_least=0, zero="exact")
    transfer: EpisodeSpec | None = None
    target_classes: int = 0
    seed: int = option(
        0,
        "of probes and episodes; the same for all runs and checkpoints, so that runs differ by their networks alone",
        at_least=0,
    )
    flatness_samples: int = option(
        0,
        "train images for the loss's gradient norm, Hessian trace and sharpness",
        at_least=0,
        zero="none",
    )
    hessian_probes: int = option(
        8,
        "Hessian-vector products for the trace of the loss's Hessian; 0 leaves it out",
        at_least=0,
        allows=lambda probes: probes != 1,
        expected="0 or at least 2, for a standard error",
    )
    sam_radius: float = option(0.05, "of the sharpness of the loss", above=0)
    first_layer: bool = option(False, "whether to measure the first-layer inequality; of model mlp alone")
    estimator_sizes: tuple[int, ...] = option(
        (),
        "products a sample at which estimators of the geometric complexity are compared; () for none",
        allows=lambda sizes: whole_numbers(1, sizes) and list(sizes) == sorted(set(sizes)),
        expected="ascending whole numbers from 1",
    )
    bounds: bool = option(
        False, "whether to measure bounds on the nearest class mean's error, by CDNV and by geometric complexity"
    )
    fine_classes: int = 0


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
        spec: static choices of training.
        options: static choices of measuring.
        state: of the run.
        inputs: the data.
        train_outputs: what ``outputs_of`` makes of the train images, where these are streamed and not in ``inputs``.

    Returns:
        Scalars by their names in the results table: ``train/cdnv``, ``test/geometric_complexity``,
        ``layer/<tap>/variance_ratio``, ``target/accuracy_5shot`` and so on.
    """
    forward = functools.partial(outputs_of, spec, state, inputs)
    probe_key, episode_key = jax.random.split(jax.random.key(options.seed))
    images = {"train": inputs.train_images, "test": inputs.test_images, "target": inputs.target_images}
    if train_outputs is not None:
        images["train"] = None
    outputs = map_splits(forward, {name: value for name, value in images.items() if value is not None}, options.chunk)
    if train_outputs is not None:
        outputs["train"] = dict(train_outputs)
    labels = {"train": inputs.train_labels, "test": inputs.test_labels, "target": inputs.target_labels}
    classes = {"train": spec.num_classes, "test": spec.num_classes, "target": options.target_classes}
    row: dict[str, Any] = {}
    for split in ("train", "test"):
        logits = outputs[split].pop("logits")
        row[f"{split}/loss"] = sample_losses(logits, labels[split], spec.loss).mean()
        for tap, activations in outputs[split].items():
            tap_stats = metrics.class_stats(activations, labels[split], classes[split], scatter=False)
            layer = "layer" if split == "train" else "test_layer"
            row[f"{layer}/{tap}/variance_ratio"] = metrics.variance_ratio(tap_stats)
    features = {split: outputs[split]["embedding"] for split in outputs}
    stats = {split: metrics.class_stats(features[split], labels[split], classes[split]) for split in outputs}
    kernel, bias = models.classifier_weights(state.variables)
    row |= metrics.train_test_report(
        features["train"],
        labels["train"],
        spec.num_classes,
        test=(features["test"], labels["test"]),
        kernel=kernel,
        bias=bias,
        stats=stats,
    )
    for split, complexity in _complexity(spec, state, inputs, options, stats, probe_key).items():
        row |= {f"{split}/{name}": value for name, value in complexity.items()}
    if options.transfer is not None and inputs.target_index is not None:
        cdnv = row["target/cdnv"]
        row |= _few_shot(features["target"], inputs.target_index, options.transfer, episode_key, cdnv)
    for name, function in MEASURES.items():
        row |= {f"{split}/{name}": function(features[split], labels[split], classes[split]) for split in features}
    return row | _optional(spec, options, state, inputs, features, row, probe_key)


def _optional(
    spec: TrainSpec,
    options: MeasureSpec,
    state: RunState,
    inputs: RunInputs,
    features: dict[str, Array],
    known: dict[str, Array],
    key: Array,
) -> dict[str, Float[Array, ""]]:
    """What single claims need and every other sweep does without."""
    row: dict[str, Any] = {}
    samples = options.flatness_samples
    if samples:
        row |= flatness_row(spec, state, inputs, key, samples, options.hessian_probes, options.sam_radius)
    if options.first_layer:
        row |= first_layer_row(spec, state, inputs, samples or len(inputs.train_sample))
    if options.estimator_sizes:
        pixels = normalize(inputs.train_sample_images, inputs.mean, inputs.std)
        errors = estimator_errors(_embedding(spec, state), pixels, key, options.estimator_sizes)
        row |= {f"estimate/{name}": value for name, value in errors.items()}
    if options.bounds:
        row |= error_bounds(known, inputs.poincare_constant, spec.num_classes, len(inputs.train_labels))
    if options.fine_classes:
        labels = inputs.train_fine_labels, inputs.test_fine_labels
        probes = fine_probes(features["train"], labels[0], features["test"], labels[1], options.fine_classes, key)
        row |= {f"fine/{name}": value for name, value in probes.items()}
    return row


def _embedding(spec: TrainSpec, state: RunState) -> Callable[[Array], Array]:
    """The map from normalised images to embeddings at a run's parameters."""
    model = models.build(spec.model, spec.num_classes)
    return lambda images: model.apply(state.variables, images)[1]["embedding"]


def outputs_of(
    spec: TrainSpec, state: RunState, inputs: RunInputs, images: UInt8[Array, "n h w c"]
) -> dict[str, Float[Array, "n d"]]:
    """What measuring needs of the network's outputs.

    Args:
        spec: static choices of training.
        state: of the run.
        inputs: for the pixel statistics.
        images: [n, h, w, c].

    Returns:
        Each tap by its name, feature maps averaged over positions, and ``logits``.
    """
    model = models.build(spec.model, spec.num_classes)
    logits, taps = model.apply(state.variables, normalize(images, inputs.mean, inputs.std))
    pooled = {name: tap.mean(axis=(1, 2)) if tap.ndim == 4 else tap for name, tap in taps.items()}
    return {**pooled, "logits": logits}


def _complexity(
    spec: TrainSpec,
    state: RunState,
    inputs: RunInputs,
    options: MeasureSpec,
    stats: dict[str, metrics.ClassStats],
    key: Array,
) -> dict[str, dict[str, Float[Array, ""]]]:
    """Geometric complexity of the embedding on a sample of each split, and geometric collapse from it."""
    samples = {
        "train": (inputs.train_sample_images, inputs.train_labels[inputs.train_sample]),
        "test": (inputs.test_images[inputs.test_sample], inputs.test_labels[inputs.test_sample]),
    }
    if inputs.target_images is not None:
        samples["target"] = (inputs.target_images[inputs.target_sample], inputs.target_labels[inputs.target_sample])
    images = jnp.concatenate([images for images, _ in samples.values()])
    method = {"method": "probes", "num_probes": options.complexity_probes, "key": key}
    # All splits at once: a Jacobian in the program takes seconds to compile.
    estimate = metrics.geometric_complexity(
        _embedding(spec, state),
        split_batch(normalize(images, inputs.mean, inputs.std)),
        **(method if options.complexity_probes else {"method": "exact"}),
    )
    ends = np.cumsum([len(labels) for _, labels in samples.values()])
    reports = {}
    for squares, (split, (_, labels)) in zip(jnp.split(estimate.per_sample, ends[:-1]), samples.items(), strict=True):
        mean = squares.mean()
        by_class = metrics.class_mean_complexity(squares, labels, stats[split].num_classes)
        reports[split] = {
            "geometric_complexity": mean,
            "geometric_complexity_stderr": squares.std(ddof=1) / squares.shape[0] ** 0.5,
            "geometric_collapse_tight": metrics.geometric_collapse_tight(stats[split], by_class),
            "geometric_collapse_pooled": metrics.geometric_collapse_pooled(stats[split], mean),
        }
    return reports


def _few_shot(
    features: Float[Array, "n d"], index: ClassIndex, spec: EpisodeSpec, key: Array, cdnv: Float[Array, ""]
) -> dict[str, Float[Array, ""]]:
    """Few-shot accuracy on classes never trained on, and the bound on the nearest class mean's error beside it."""
    row: dict[str, Any] = {}
    results = episode_results(features, index, key, spec)
    result = accuracy_interval(results.accuracy, results.gradient_norm)
    assert result.gradient_norm is not None
    for shot_index, shots in enumerate(spec.shots):
        # Averaged over episodes of so many ways.
        row[f"target/nearest_mean_bound_{shots}shot"] = metrics.nearest_mean_bound(cdnv, spec.ways, shots)
        for head_index, head in enumerate(spec.heads):
            # The nearest class mean is the field's default head and carries no suffix.
            suffix = "" if head == "ncm" else f"_{head}"
            name = f"target/accuracy{suffix}_{shots}shot"
            row[name] = result.mean[head_index, shot_index]
            row[f"{name}_ci95"] = result.ci95[head_index, shot_index]
            if isinstance(find_head(head), IterativeHead):
                row[f"{name}_gradient_norm"] = result.gradient_norm[head_index, shot_index]
    return row
