"""What a run is between two steps."""

from dataclasses import dataclass, field
from typing import Any, no_type_check

import jax


@no_type_check  # JAX rebuilds registered classes around things that are not arrays (specs, shapes, sentinels)
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class RunState:
    """Everything about a run that one call hands to the next.

    Attributes:
        params: the network's parameters.
        batch_stats: running averages of batch normalisation, an empty dict without it.
        opt_state: of the optimizer.
        diverged: whether the loss has ever been infinite or not a number.
        constants: variables of the network that are drawn with the parameters and never trained, such as a fixed
            classifier; an empty dict for most networks.
    """

    params: Any
    batch_stats: Any
    opt_state: Any
    diverged: Any
    constants: Any = field(default_factory=dict)

    @property
    def variables(self) -> dict[str, Any]:
        """What a Flax module's ``apply`` takes."""
        return {"params": self.params, "batch_stats": self.batch_stats, "constants": self.constants}
