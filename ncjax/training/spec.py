"""What is fixed about a run when it is compiled."""

from dataclasses import dataclass, field
from typing import Literal

from ncjax.data import Augmentation
from ncjax.models import ModelSpec

Loss = Literal["cross_entropy", "mse"]


@dataclass(frozen=True)
class TrainSpec:
    """Static choices of training; frozen and hashable.

    Attributes:
      model: which network.
      num_classes: classes to train on.
      batch_size: samples a step. Every epoch is a fresh permutation of the train split, cut into
        ``n // batch_size`` batches; the samples left over sit this epoch out.
      loss: ``cross_entropy``, or ``mse``: half the squared distance of the logits to the one-hot target
        (Han, Papyan & Donoho 2021, arXiv 2106.02073).
      nesterov: whether momentum is Nesterov's.
      penalise_complexity: whether the program computes the geometric-complexity penalty at all; when False,
        ``Hyper.gc_penalty`` must be 0.
      penalty_probes: random probes a sample for that penalty.
      augmentation: random changes to training images, none by default.
    """

    model: ModelSpec
    num_classes: int
    batch_size: int
    loss: Loss = "cross_entropy"
    nesterov: bool = False
    penalise_complexity: bool = False
    penalty_probes: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)
