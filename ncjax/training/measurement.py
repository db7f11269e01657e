"""Every quantity of one run at one checkpoint, as a pure function of its state."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from ncjax import metrics, models
from ncjax.data import normalize
from ncjax.training.inputs import RunInputs
from ncjax.training.objective import sample_losses
from ncjax.training.run import RunState
from ncjax.training.spec import TrainSpec
from ncjax.transfer import EpisodeSpec, IterativeHead, accuracy_interval, episode_results, find_head


@dataclass(frozen=True)
class MeasureSpec:
    """Static choices of measuring; frozen and hashable.

    Attributes:
      chunk: images passed through the network at once.
      complexity_probes: random probes a sample of the geometric complexity; 0 computes it exactly.
      transfer: few-shot episodes on the target classes, or None to leave them out.
      target_classes: number of classes never trained on, 0 where there are none.
      seed: of probes and episodes; the same for all runs and checkpoints, so that runs differ by their networks alone.
    """

    chunk: int = 256
    complexity_probes: int = 1
    transfer: EpisodeSpec | None = None
    target_classes: int = 0
    seed: int = 0


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
    model = models.build(spec.model, spec.num_classes)
    forward = functools.partial(outputs_of, spec, state, inputs)
    classifier = state.params["classifier"]
    probe_key, episode_key = jax.random.split(jax.random.key(options.seed))
    row: dict[str, Any] = {}
    train_stats = None
    complexity = _complexity(model, state, inputs, options, probe_key)
    splits = {"train": (inputs.train_images, inputs.train_labels), "test": (inputs.test_images, inputs.test_labels)}
    for split, (images, labels) in splits.items():
        if split == "train" and train_outputs is not None:
            taps = dict(train_outputs)
        else:
            taps = map_chunks(forward, images, options.chunk)
        logits = taps.pop("logits")
        features = taps["embedding"]
        stats = metrics.class_stats(features, labels, spec.num_classes)
        row[f"{split}/loss"] = sample_losses(logits, labels, spec.loss).mean()
        row[f"{split}/error"] = jnp.mean((jnp.argmax(logits, axis=-1) != labels).astype(jnp.float32))
        kernel, bias = classifier["kernel"], classifier["bias"]
        if train_stats is None:
            train_stats = stats
            report = metrics.collapse_report(stats, kernel, bias, features, labels)
        else:
            # Whatever compares a sample with class means takes those of train: its own would contain the sample.
            report = metrics.collapse_report(stats, kernel)
            report |= metrics.held_out_report(train_stats, features, labels)
            report["nc4"] = metrics.nc4(train_stats, kernel, bias, features)
        report |= _geometric(stats, *complexity[split])
        row |= {f"{split}/{name}": value for name, value in report.items()}
        layer = "layer" if split == "train" else "test_layer"
        for tap, activations in taps.items():
            tap_stats = metrics.class_stats(activations, labels, spec.num_classes, scatter=False)
            row[f"{layer}/{tap}/variance_ratio"] = metrics.variance_ratio(tap_stats)
    if inputs.target_images is not None:
        row |= _transfer(forward, inputs, options, complexity["target"], episode_key)
    return row


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


def map_chunks(
    function: Callable[[Any], dict[str, Array]], images: UInt8[Array, "n h w c"], chunk: int
) -> dict[str, Array]:
    """Applies a function of a batch of images to any number of them, a chunk at a time.

    Args:
      function: from [chunk, h, w, c] to arrays whose first axis is the sample.
      images: [n, h, w, c].
      chunk: images at once; the last chunk is filled up with blank images, whose results are dropped.

    Returns:
      The function's results for all n images.

    Example:
      >>> images = jnp.ones((5, 2, 2, 1), jnp.uint8)
      >>> map_chunks(lambda x: {"sum": x.sum(axis=(1, 2, 3))}, images, chunk=2)["sum"].tolist()
      [4, 4, 4, 4, 4]
    """
    num_images = images.shape[0]
    chunk = min(chunk, num_images)
    num_chunks = -(-num_images // chunk)
    filled = jnp.pad(images, ((0, num_chunks * chunk - num_images), (0, 0), (0, 0), (0, 0)))
    results = lax.map(function, filled.reshape(num_chunks, chunk, *images.shape[1:]))
    return {name: value.reshape(num_chunks * chunk, *value.shape[2:])[:num_images] for name, value in results.items()}


def _complexity(
    model: Any, state: RunState, inputs: RunInputs, options: MeasureSpec, key: Array
) -> dict[str, tuple[Float[Array, " k"], Int[Array, " k"]]]:
    """Squared Jacobian norms of the embedding on a sample of each split, with the sample's labels."""

    def embed(x: Float[Array, "n h w c"]) -> Float[Array, "n d"]:
        return model.apply(state.variables, x)[1]["embedding"]

    samples = {
        "train": (inputs.train_sample_images, inputs.train_labels[inputs.train_sample]),
        "test": (inputs.test_images[inputs.test_sample], inputs.test_labels[inputs.test_sample]),
    }
    if inputs.target_images is not None:
        samples["target"] = (inputs.target_images[inputs.target_sample], inputs.target_labels[inputs.target_sample])
    method = {"method": "probes", "num_probes": options.complexity_probes, "key": key}
    # All splits at once: a Jacobian in the program takes seconds to compile.
    estimate = metrics.geometric_complexity(
        embed,
        normalize(jnp.concatenate([images for images, _ in samples.values()]), inputs.mean, inputs.std),
        **(method if options.complexity_probes else {"method": "exact"}),
    )
    ends = np.cumsum([len(labels) for _, labels in samples.values()])
    parts = jnp.split(estimate.per_sample, ends[:-1])
    return {split: (part, labels) for part, (split, (_, labels)) in zip(parts, samples.items(), strict=True)}


def _geometric(
    stats: metrics.ClassStats, squares: Float[Array, " k"], labels: Int[Array, " k"]
) -> dict[str, Float[Array, ""]]:
    """Geometric complexity of a split with its standard error, and geometric collapse from it."""
    mean = squares.mean()
    by_class = metrics.class_mean_complexity(squares, labels, stats.counts.shape[0])
    return {
        "geometric_complexity": mean,
        "geometric_complexity_stderr": squares.std(ddof=1) / squares.shape[0] ** 0.5,
        "geometric_collapse_tight": metrics.geometric_collapse_tight(stats, by_class),
        "geometric_collapse_pooled": metrics.geometric_collapse_pooled(stats, mean),
    }


def _transfer(
    forward: Callable[[Any], dict[str, Array]],
    inputs: RunInputs,
    options: MeasureSpec,
    complexity: tuple[Float[Array, " k"], Int[Array, " k"]],
    key: Array,
) -> dict[str, Float[Array, ""]]:
    """Collapse, complexity and few-shot accuracy on classes never trained on."""
    features = map_chunks(forward, inputs.target_images, options.chunk)["embedding"]
    stats = metrics.class_stats(features, inputs.target_labels, options.target_classes)
    report = metrics.collapse_report(stats) | _geometric(stats, *complexity)
    row = {f"target/{name}": value for name, value in report.items()}
    if options.transfer is None or inputs.target_index is None:
        return row
    results = episode_results(features, inputs.target_index, key, options.transfer)
    result = accuracy_interval(results.accuracy, results.gradient_norm)
    assert result.gradient_norm is not None
    for shot_index, shots in enumerate(options.transfer.shots):
        # Of the error of the nearest class mean, averaged over episodes of so many ways.
        row[f"target/nearest_mean_bound_{shots}shot"] = metrics.nearest_mean_bound(
            report["cdnv"], options.transfer.ways, shots
        )
        for head_index, head in enumerate(options.transfer.heads):
            # The nearest class mean is the field's default head and carries no suffix.
            suffix = "" if head == "ncm" else f"_{head}"
            name = f"target/accuracy{suffix}_{shots}shot"
            row[name] = result.mean[head_index, shot_index]
            row[f"{name}_ci95"] = result.ci95[head_index, shot_index]
            if isinstance(find_head(head), IterativeHead):
                row[f"{name}_gradient_norm"] = result.gradient_norm[head_index, shot_index]
    return row
