"""How flat a run's loss is where it stands, and what the flatness in its first layer says about its complexity."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, UInt8

from ncjax import metrics, models
from ncjax.data import normalize
from ncjax.training.inputs import RunInputs
from ncjax.training.objective import sample_losses
from ncjax.training.spec import TrainSpec
from ncjax.training.state import RunState


def loss_flatness(
    spec: TrainSpec,
    state: RunState,
    inputs: RunInputs,
    images: UInt8[Array, "n h w c"],
    labels: Int[Array, " n"],
    key: PRNGKeyArray,
    hessian_probes: int,
    sam_radius: float,
) -> dict[str, Float[Array, ""]]:
    """Slope, curvature and sharpness of the mean loss over some images, without regularisers.

    Batch normalisation runs on its stored averages, so that the loss is a function of the parameters.

    Args:
        spec: static choices of training.
        state: of the run.
        inputs: for the pixel statistics.
        images: [n, h, w, c].
        labels: [n].
        key: of the Hessian's probes.
        hessian_probes: Hessian-vector products for the trace, at least 2; 0 leaves it out.
        sam_radius: length of the step of the sharpness.

    Returns:
        ``loss_gradient_norm`` (the slope of the learning path where it stands), ``sam_sharpness``, and
        ``hessian_trace`` with its standard error.
    """
    model = models.build(spec.model, spec.num_classes)
    pixels = normalize(images, inputs.mean, inputs.std)

    def loss(params: Any) -> Float[Array, ""]:
        logits, _ = model.apply({**state.variables, "params": params}, pixels)
        return sample_losses(logits, labels, spec.loss).mean()

    row = {
        "loss_gradient_norm": metrics.loss_gradient_norm(loss, state.params),
        "sam_sharpness": metrics.sam_sharpness(loss, state.params, radius=sam_radius),
    }
    if hessian_probes:
        trace = metrics.hessian_trace(loss, state.params, key=key, num_probes=hessian_probes)
        row |= {"hessian_trace": trace.mean, "hessian_trace_stderr": trace.stderr}
    return row


def first_layer_bound(
    spec: TrainSpec, state: RunState, inputs: RunInputs, images: UInt8[Array, "n h w c"]
) -> dict[str, Float[Array, ""]]:
    """Both sides of the first-layer inequality for a network of dense layers, averaged over some images.

    Args:
        spec: static choices of training; the model is ``mlp``.
        state: of the run.
        inputs: for the pixel statistics.
        images: [n, h, w, c].

    Returns:
        ``first_layer_slope``, the exact geometric complexity on these images, and ``first_layer_bound``, which is never
        below it.
    """
    model = models.build(spec.model, spec.num_classes)
    first = state.params["dense1"]

    def embed(kernel: Array, pixels: Array) -> Array:
        params = {**state.params, "dense1": {**first, "kernel": kernel}}
        return model.apply({**state.variables, "params": params}, pixels)[1]["embedding"]

    sides = metrics.first_layer_inequality(embed, first["kernel"], normalize(images, inputs.mean, inputs.std))
    # An image that is exactly the mean pixel has no bound.
    known = jnp.isfinite(sides.bound)
    return {
        "first_layer_slope": jnp.mean(sides.input_slope, where=known),
        "first_layer_bound": jnp.mean(sides.bound, where=known),
    }


def flatness_row(
    spec: TrainSpec, state: RunState, inputs: RunInputs, key: PRNGKeyArray, samples: int, probes: int, radius: float
) -> dict[str, Float[Array, ""]]:
    """`loss_flatness` on the first of the train images on which geometric complexity is measured.

    Args:
        spec: static choices of training.
        state: of the run.
        inputs: the data.
        key: of the Hessian's probes.
        samples: how many images; all of them, if there are fewer.
        probes: Hessian-vector products for the trace.
        radius: of the sharpness.

    Returns:
        Scalars by their names in the results table.
    """
    labels = inputs.train_labels[inputs.train_sample[:samples]]
    row = loss_flatness(spec, state, inputs, inputs.train_sample_images[:samples], labels, key, probes, radius)
    return {f"train/{name}": value for name, value in row.items()}


def first_layer_row(spec: TrainSpec, state: RunState, inputs: RunInputs, samples: int) -> dict[str, jax.Array]:
    """`first_layer_bound` on the first of the train images on which geometric complexity is measured.

    Args:
        spec: static choices of training.
        state: of the run.
        inputs: the data.
        samples: how many images.

    Returns:
        Scalars by their names in the results table.
    """
    row = first_layer_bound(spec, state, inputs, inputs.train_sample_images[:samples])
    return {f"train/{name}": value for name, value in row.items()}
