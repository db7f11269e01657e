"""Every quantity of one run at one checkpoint, as a pure function of its state."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int, UInt8

from ncjax import metrics, models
from ncjax.data import normalize
from ncjax.training.inputs import RunInputs
from ncjax.training.objective import sample_losses
from ncjax.training.run import RunState
from ncjax.training.sharding import split_batch
from ncjax.training.spec import TrainSpec
from ncjax.transfer import EpisodeSpec, accuracy_interval, episode_accuracies


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


def measure(spec: TrainSpec, options: MeasureSpec, state: RunState, inputs: RunInputs) -> dict[str, Float[Array, ""]]:
    """Measures one run.

    Batch normalisation runs on its stored averages throughout.

    Args:
      spec: static choices of training.
      options: static choices of measuring.
      state: of the run.
      inputs: the data.

    Returns:
      Scalars by their names in the results table: ``train/cdnv``, ``test/geometric_complexity``,
      ``layer/<tap>/variance_ratio``, ``target/accuracy_5shot`` and so on.
    """
    model = models.build(spec.model, spec.num_classes)
    forward = _forward(model, state, inputs)
    classifier = state.params["classifier"]
    probe_key, episode_key = jax.random.split(jax.random.key(options.seed))
    row: dict[str, Any] = {}
    train_stats = None
    splits = {
        "train": (inputs.train_images, inputs.train_labels, inputs.train_sample),
        "test": (inputs.test_images, inputs.test_labels, inputs.test_sample),
    }
    for split, (images, labels, sample) in splits.items():
        outputs = map_chunks(forward, images, options.chunk)
        logits, taps = outputs.pop("logits"), outputs
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
        report |= _complexity(model, state, inputs, options, stats, images[sample], labels[sample], probe_key)
        row |= {f"{split}/{name}": value for name, value in report.items()}
        layer = "layer" if split == "train" else "test_layer"
        for tap, activations in taps.items():
            tap_stats = metrics.class_stats(activations, labels, spec.num_classes, scatter=False)
            row[f"{layer}/{tap}/variance_ratio"] = metrics.variance_ratio(tap_stats)
    if inputs.target_images is not None:
        row |= _transfer(forward, inputs, options, episode_key)
    return row


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
    results = lax.map(lambda part: function(split_batch(part)), filled.reshape(num_chunks, chunk, *images.shape[1:]))
    return {name: value.reshape(num_chunks * chunk, *value.shape[2:])[:num_images] for name, value in results.items()}


def _forward(model: Any, state: RunState, inputs: RunInputs) -> Callable[[Any], dict[str, Array]]:
    """The network as a function from uint8 images to logits and taps, feature maps averaged over positions."""

    def forward(images: UInt8[Array, "n h w c"]) -> dict[str, Array]:
        logits, taps = model.apply(state.variables, normalize(images, inputs.mean, inputs.std))
        pooled = {name: tap.mean(axis=(1, 2)) if tap.ndim == 4 else tap for name, tap in taps.items()}
        return {**pooled, "logits": logits}

    return forward


def _complexity(
    model: Any,
    state: RunState,
    inputs: RunInputs,
    options: MeasureSpec,
    stats: metrics.ClassStats,
    images: UInt8[Array, "k h w c"],
    labels: Int[Array, " k"],
    key: Array,
) -> dict[str, Float[Array, ""]]:
    """Geometric complexity of the embedding on a sample of a split, and geometric collapse from it."""

    def embed(x: Float[Array, "n h w c"]) -> Float[Array, "n d"]:
        return model.apply(state.variables, x)[1]["embedding"]

    method = {"method": "probes", "num_probes": options.complexity_probes, "key": key}
    estimate = metrics.geometric_complexity(
        embed,
        split_batch(normalize(images, inputs.mean, inputs.std)),
        **(method if options.complexity_probes else {"method": "exact"}),
    )
    by_class = metrics.class_mean_complexity(estimate.per_sample, labels, stats.counts.shape[0])
    return {
        "geometric_complexity": estimate.mean,
        "geometric_complexity_stderr": estimate.stderr,
        "geometric_collapse_tight": metrics.geometric_collapse_tight(stats, by_class),
        "geometric_collapse_pooled": metrics.geometric_collapse_pooled(stats, estimate.mean),
    }


def _transfer(
    forward: Callable[[Any], dict[str, Array]], inputs: RunInputs, options: MeasureSpec, key: Array
) -> dict[str, Float[Array, ""]]:
    """Collapse and few-shot accuracy on classes never trained on."""
    features = map_chunks(forward, inputs.target_images, options.chunk)["embedding"]
    stats = metrics.class_stats(features, inputs.target_labels, options.target_classes)
    row = {f"target/{name}": value for name, value in metrics.collapse_report(stats).items()}
    if options.transfer is None or inputs.target_index is None:
        return row
    accuracies = episode_accuracies(features, inputs.target_index, key, options.transfer)
    result = accuracy_interval(accuracies)
    for head_index, head in enumerate(options.transfer.heads):
        # The nearest class mean is the field's default head and carries no suffix.
        suffix = "" if head == "ncm" else f"_{head}"
        for shot_index, shots in enumerate(options.transfer.shots):
            name = f"target/accuracy{suffix}_{shots}shot"
            row[name] = result.mean[head_index, shot_index]
            row[f"{name}_ci95"] = result.ci95[head_index, shot_index]
    return row
