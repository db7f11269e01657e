"""The hyper-parameters that are swept without a recompile."""

import dataclasses
from typing import Any, no_type_check

import jax


@no_type_check  # JAX rebuilds registered classes around things that are not arrays (specs, shapes, sentinels)
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Hyper:
    """Traced hyper-parameters of one run, or of a group of runs with a leading axis.

    Attributes:
      learning_rate: step size, above 0; what a schedule multiplies.
      momentum: of SGD; 0 for plain SGD, below 1.
      l2: strength λ of the term (λ/2)·‖θ‖² in the loss, over all parameters; the gradient step is then that of
        PyTorch's ``weight_decay=λ``.
      gc_penalty: strength of the geometric complexity of the embedding, estimated on the batch, as a term of the loss.
      gradient_norm_penalty: strength λ of the term λ·‖∇L‖² in the loss, L being the batch's mean loss before any
        regulariser (Barrett & Dherin 2021, arXiv 2009.11162).
      spectral_penalty: strength λ of the term (λ/2)·Σ σ₁(W)² in the loss, over the kernels of all trained layers
        (Yoshida & Miyato 2017, arXiv 1705.10941).
      label_smoothing: weight of the uniform distribution in the targets, from 0, below 1.
      weight_decay: strength λ of decoupled decay (Loshchilov & Hutter 2017, arXiv 1711.05101): every step also takes
        λ·θ times the scheduled learning rate off all parameters, past the loss and past Adam's rescaling.
      beta1: decay of Adam's mean of gradients, from 0, below 1.
      beta2: decay of Adam's mean of squared gradients, from 0, below 1.
      warmup_epochs: epochs over which the learning rate rises linearly to its full value.
      sam_rho: radius ρ of sharpness-aware minimisation (Foret et al. 2021, arXiv 2010.01412): the gradient of the whole
        objective is taken at θ + ρ·g/‖g‖, g being the gradient at θ on the same batch.
    """

    learning_rate: Any = 0.1
    momentum: Any = 0.0
    l2: Any = 0.0
    gc_penalty: Any = 0.0
    gradient_norm_penalty: Any = 0.0
    spectral_penalty: Any = 0.0
    label_smoothing: Any = 0.0
    weight_decay: Any = 0.0
    beta1: Any = 0.9
    beta2: Any = 0.999
    warmup_epochs: Any = 0.0
    sam_rho: Any = 0.0


HYPER_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Hyper))

TERMS: tuple[str, ...] = ("gc_penalty", "gradient_norm_penalty", "spectral_penalty", "sam_rho")
"""Hyper-parameters whose computation is left out of a program none of whose runs uses it.

That they cost much is one reason; the other is that 0 times an overflow is not 0.
"""


def active_terms(hyper: Hyper) -> tuple[str, ...]:
    """The terms of training that a run uses, for ``TrainSpec.terms``.

    Args:
      hyper: of one run, as plain numbers.

    Returns:
      Those of ``TERMS`` that are above 0.

    Example:
      >>> active_terms(Hyper(l2=0.1, gc_penalty=1e-3))
      ('gc_penalty',)
    """
    return tuple(name for name in TERMS if getattr(hyper, name) > 0)
