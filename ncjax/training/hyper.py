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
      learning_rate: step size, above 0.
      momentum: 0 for plain SGD, below 1.
      l2: strength λ of the term (λ/2)·‖θ‖² in the loss, over all parameters; the gradient step is then that of
        PyTorch's ``weight_decay=λ``.
      gc_penalty: strength of the geometric complexity of the embedding, estimated on the batch, as a term of the loss.
      label_smoothing: weight of the uniform distribution in the targets, from 0, below 1.
    """

    learning_rate: Any = 0.1
    momentum: Any = 0.0
    l2: Any = 0.0
    gc_penalty: Any = 0.0
    label_smoothing: Any = 0.0


HYPER_NAMES: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Hyper))
