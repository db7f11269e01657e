"""The hyper-parameters that are swept without a recompile."""

import dataclasses
from typing import Any, no_type_check

import jax

from ncjax.options import options_of, swept


@no_type_check  # JAX rebuilds registered classes around things that are not arrays (specs, shapes, sentinels)
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Hyper:
    """Traced hyper-parameters of one run, or of a group of runs with a leading axis.

    A new one is a field here and its use: the config, the axes of sweeps, the table and the help follow.
    """

    learning_rate: Any = swept(0.1, "step size; what a schedule multiplies", above=0)
    momentum: Any = swept(0.0, "of SGD", at_least=0, below=1, zero="plain SGD", used_by=("sgd",))
    l2: Any = swept(
        0.0,
        "λ of (λ/2)·‖θ‖² in the loss, over all parameters: the step is that of PyTorch's weight_decay=λ",
        at_least=0,
    )
    gc_penalty: Any = swept(
        0.0,
        "λ of λ·GC of the embedding, estimated on the batch, in the loss",
        at_least=0,
        left_out_at_zero=True,
    )
    gradient_norm_penalty: Any = swept(
        0.0,
        "λ of λ·‖∇L‖² in the loss, L being the batch's mean loss before any regulariser (arXiv 2009.11162)",
        at_least=0,
        left_out_at_zero=True,
    )
    spectral_penalty: Any = swept(
        0.0,
        "λ of (λ/2)·Σ σ₁(W)² in the loss, over the kernels of all trained layers (arXiv 1705.10941)",
        at_least=0,
        left_out_at_zero=True,
    )
    label_smoothing: Any = swept(0.0, "weight of the uniform distribution in the targets", at_least=0, below=1)
    weight_decay: Any = swept(
        0.0,
        "decoupled: what a step takes off all parameters, times the learning rate (arXiv 1711.05101);"
        " adam's decay is l2",
        at_least=0,
        used_by=("sgd", "adamw"),
    )
    beta1: Any = swept(0.9, "decay of Adam's mean of gradients", at_least=0, below=1, used_by=("adam", "adamw"))
    beta2: Any = swept(
        0.999, "decay of Adam's mean of squared gradients", at_least=0, below=1, used_by=("adam", "adamw")
    )
    warmup_epochs: Any = swept(0.0, "epochs over which the learning rate rises linearly to its full value", at_least=0)
    sam_rho: Any = swept(
        0.0,
        "radius ρ of sharpness-aware minimisation around any optimizer (arXiv 2010.01412): the gradient of the whole "
        "objective is taken at θ + ρ·g/‖g‖, g being that at θ on the same batch",
        at_least=0,
        left_out_at_zero=True,
    )


HYPER_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Hyper))

TERMS: tuple[str, ...] = tuple(name for name, about in options_of(Hyper).items() if about.left_out_at_zero)
"""Hyper-parameters whose computation is left out of a program none of whose runs uses it.

That they cost much is one reason; the other is that 0 times an overflow is not 0.
"""


def active_terms(hyper: Hyper) -> tuple[str, ...]:
    """The terms of training that a run uses, for ``TrainSpec.terms``.

    Args:
        hyper: of one run, as plain numbers.

    Returns:
        Those of ``TERMS`` that are above 0.

    Examples:
        >>> active_terms(Hyper(l2=0.1, gc_penalty=1e-3))
        ('gc_penalty',)
    """
    return tuple(name for name in TERMS if getattr(hyper, name) > 0)
