"""One run at one checkpoint: what all measures start from, made once."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from ncjax import metrics, models
from ncjax.data import normalize
from ncjax.measurement.options import MeasureSpec
from ncjax.training.chunks import map_splits
from ncjax.training.inputs import RunInputs
from ncjax.training.spec import TrainSpec
from ncjax.training.state import RunState


@dataclass(frozen=True)
class Checkpoint:
    """One run at one checkpoint, with what more than one measure needs of it.

    The splits are train, test and, where there are classes never trained on, target.

    Attributes:
        spec: Static choices of training.
        options: Static choices of measuring.
        state: Of the run.
        inputs: The data.
        logits: [n, C] by split.
        taps: [n, d] activations by split and by name, averaged over positions; the last is the embedding.
        labels: [n] by split.
        num_classes: By split.
        stats: Class statistics of the embedding by split.
        key: Of random probes.
        episode_key: Of few-shot episodes.
    """

    spec: TrainSpec
    options: MeasureSpec
    state: RunState
    inputs: RunInputs
    logits: dict[str, Float[Array, "_ C"]]
    taps: dict[str, dict[str, Float[Array, "_ _"]]]
    labels: dict[str, Int[Array, " _"]]
    num_classes: dict[str, int]
    stats: dict[str, metrics.ClassStats]
    key: PRNGKeyArray
    episode_key: PRNGKeyArray

    @property
    def features(self) -> dict[str, Float[Array, "_ d"]]:
        """Embeddings by split."""
        return {split: taps["embedding"] for split, taps in self.taps.items()}

    @property
    def embed(self) -> Callable[[Array], Array]:
        """The map from normalised images to embeddings, batch normalisation on its stored averages."""
        model = models.build(self.spec.model, self.spec.num_classes)
        return lambda images: model.apply(self.state.variables, images)[1]["embedding"]

    def pixels(self, images: UInt8[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        """Images as the network takes them."""
        return normalize(images, self.inputs.mean, self.inputs.std)


def checkpoint(
    spec: TrainSpec,
    options: MeasureSpec,
    state: RunState,
    inputs: RunInputs,
    train_outputs: dict[str, Float[Array, "n d"]] | None = None,
) -> Checkpoint:
    """Passes all images through the network, once.

    Args:
        spec: Static choices of training.
        options: Static choices of measuring.
        state: Of the run.
        inputs: The data.
        train_outputs: What `outputs_of` makes of the train images, where these are streamed and not in `inputs`.

    Returns:
        The checkpoint.
    """
    key, episode_key = jax.random.split(jax.random.key(options.seed))
    images = {"train": inputs.train_images, "test": inputs.test_images, "target": inputs.target_images}
    if train_outputs is not None:
        images["train"] = None
    there = {name: value for name, value in images.items() if value is not None}

    def forward(images: Array, state: RunState, inputs: RunInputs) -> dict[str, Array]:
        return outputs_of(spec, state, inputs, images)

    outputs = map_splits(forward, there, options.chunk, state, inputs)
    if train_outputs is not None:
        outputs["train"] = dict(train_outputs)
    labels = {"train": inputs.train_labels, "test": inputs.test_labels, "target": inputs.target_labels}
    labels = {split: labels[split] for split in outputs}
    classes = {"train": spec.num_classes, "test": spec.num_classes, "target": options.target_classes}
    logits = {split: taps.pop("logits") for split, taps in outputs.items()}
    stats = {
        split: metrics.class_stats(outputs[split]["embedding"], labels[split], classes[split]) for split in outputs
    }
    return Checkpoint(spec, options, state, inputs, logits, outputs, labels, classes, stats, key, episode_key)


def outputs_of(
    spec: TrainSpec, state: RunState, inputs: RunInputs, images: UInt8[Array, "n h w c"]
) -> dict[str, Float[Array, "n d"]]:
    """What measuring needs of the network's outputs.

    Args:
        spec: Static choices of training.
        state: Of the run.
        inputs: For the pixel statistics.
        images: [n, h, w, c].

    Returns:
        Each tap by its name, feature maps averaged over positions, and `logits`.
    """
    model = models.build(spec.model, spec.num_classes)
    logits, taps = model.apply(state.variables, normalize(images, inputs.mean, inputs.std))
    pooled = {name: tap.mean(axis=(1, 2)) if tap.ndim == 4 else tap for name, tap in taps.items()}
    return {**pooled, "logits": logits}
