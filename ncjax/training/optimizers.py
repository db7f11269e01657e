"""The optimizers, put together from optax with hyper-parameters that may be traced."""

from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from ncjax.training.hyper import Hyper
from ncjax.training.regularisers import squared_norm
from ncjax.training.spec import TrainSpec


def optimizer(spec: TrainSpec, hyper: Hyper) -> optax.GradientTransformationExtraArgs:
    """An optimizer whose hyper-parameters may be traced values.

    Momentum and decay are applied even at 0: whether they are must not depend on a swept value.

    Args:
        spec: says which optimizer, whether momentum is Nesterov's, and whether ``sam_rho`` is among the terms.
        hyper: gives learning rate, momentum, Adam's betas, decoupled weight decay and SAM's radius.

    Returns:
        An optax transformation. Its ``update`` needs the parameters, and with SAM also ``grad_fn``, a function from
        parameters and a number to their gradient.

    Source:
        Foret et al. 2021 (arXiv 2010.01412) for SAM; Loshchilov & Hutter 2017 (arXiv 1711.05101) for decoupled decay.

    Examples:
        >>> from ncjax import models
        >>> sgd = optimizer(TrainSpec(models.ModelSpec("mlp"), 2, 1), Hyper(learning_rate=0.5))
        >>> params = jnp.array(0.0)
        >>> update, _ = sgd.update(jnp.array(2.0), sgd.init(params), params)
        >>> update.item()
        -1.0
    """
    if spec.optimizer == "sgd":
        direction = optax.trace(decay=hyper.momentum, nesterov=spec.nesterov)
    else:
        direction = optax.scale_by_adam(hyper.beta1, hyper.beta2)
    descent = optax.chain(
        direction,
        optax.add_decayed_weights(hyper.weight_decay),
        optax.scale_by_learning_rate(hyper.learning_rate),
    )
    if "sam_rho" in spec.terms:
        ascent = optax.stateless(lambda gradient, _: _towards(gradient, -jnp.asarray(hyper.sam_rho)))
        # Opaque: the ascent happens inside one update, so the averages of batch normalisation move once a step.
        descent = optax.contrib.sam(descent, ascent, opaque_mode=True)
    return optax.with_extra_args_support(descent)


def _towards(gradient: Any, length: Any) -> Any:
    """A step of some length along the gradient; none where the gradient vanishes."""
    norm = jnp.sqrt(squared_norm(gradient))
    scale = length / jnp.where(norm > 0, norm, 1.0)
    return jax.tree.map(lambda leaf: scale * leaf, gradient)
