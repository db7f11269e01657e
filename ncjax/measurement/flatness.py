"""How flat a run's loss is where it stands, and what the flatness in its first layer says about its complexity."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax import metrics, models
from ncjax.measurement.checkpoint import Checkpoint
from ncjax.measurement.row import Row
from ncjax.training.objective import sample_losses


def flatness(at: Checkpoint, _known: Row) -> Row:
    """Slope, curvature and sharpness of the mean loss, without regularisers, if `measure.flatness_samples` says so.

    Taken over the first of the train images on which geometric complexity is measured. Batch normalisation runs on its
    stored averages, so that the loss is a function of the parameters.

    Args:
        at: The checkpoint.

    Returns:
        `train/loss_gradient_norm` (the slope of the learning path where it stands), `train/sam_sharpness` and, with
        probes, `train/hessian_trace` with its standard error.
    """
    samples, options = at.options.flatness_samples, at.options
    if not samples:
        return {}
    model = models.build(at.spec.model, at.spec.num_classes)
    labels = at.inputs.train_labels[at.inputs.train_sample[:samples]]
    pixels = at.pixels(at.inputs.train_sample_images[:samples])

    def loss(params: Any) -> Float[Array, ""]:
        logits, _ = model.apply({**at.state.variables, "params": params}, pixels)
        return sample_losses(logits, labels, at.spec.loss).mean()

    row: Row = {
        "train/loss_gradient_norm": metrics.loss_gradient_norm(loss, at.state.params),
        "train/sam_sharpness": metrics.sam_sharpness(loss, at.state.params, radius=options.sam_radius),
    }
    if options.hessian_probes:
        trace = metrics.hessian_trace(loss, at.state.params, key=at.key, num_probes=options.hessian_probes)
        row |= {"train/hessian_trace": trace.mean, "train/hessian_trace_stderr": trace.stderr}
    return row


def first_layer(at: Checkpoint, _known: Row) -> Row:
    """Both sides of the first-layer inequality for a network of dense layers, if `measure.first_layer` says so.

    Averaged over the images of `flatness`, or over all on which geometric complexity is measured.

    Args:
        at: The checkpoint; the model is `mlp`.

    Returns:
        `train/first_layer_slope`, the exact geometric complexity on these images, and `train/first_layer_bound`, which
        is never below it.
    """
    if not at.options.first_layer:
        return {}
    images = at.inputs.train_sample_images[: at.options.flatness_samples or len(at.inputs.train_sample)]
    model = models.build(at.spec.model, at.spec.num_classes)
    first = at.state.params["dense1"]

    def embed(kernel: Array, pixels: Array) -> Array:
        params = {**at.state.params, "dense1": {**first, "kernel": kernel}}
        return model.apply({**at.state.variables, "params": params}, pixels)[1]["embedding"]

    sides = metrics.first_layer_inequality(embed, first["kernel"], at.pixels(images))
    # An image that is exactly the mean pixel has no bound.
    known = jnp.isfinite(sides.bound)
    return {
        "train/first_layer_slope": jnp.mean(sides.input_slope, where=known),
        "train/first_layer_bound": jnp.mean(sides.bound, where=known),
    }
