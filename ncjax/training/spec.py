"""What is fixed about a run when it is compiled."""

from dataclasses import dataclass, field
from typing import Literal

from ncjax.data import Augmentation
from ncjax.models import ModelSpec
from ncjax.training.learning_rates import Schedule

Loss = Literal["cross_entropy", "mse"]
Optimizer = Literal["sgd", "adam", "adamw"]
ComputeDtype = Literal["float32", "bfloat16"]


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
      optimizer: ``sgd``, ``adam`` (Kingma & Ba 2014, arXiv 1412.6980) or ``adamw``, which is Adam with
        ``Hyper.weight_decay``.
      nesterov: whether momentum is Nesterov's.
      schedule: of the learning rate.
      terms: those of ``TERMS`` that the program computes at all (``active_terms``); the others' strengths must be 0.
      penalty_probes: random probes a sample for the geometric-complexity penalty.
      compute_dtype: of activations and of the parameters' copy that meets them, in training, forward and backward.
        Parameters, their updates, running averages, losses and everything measured are in single precision anyway.
      augmentation: random changes to training images, none by default.
      frozen: layers whose parameters and stored averages no step changes; batch normalisation inside them uses
        these averages.
    """

    model: ModelSpec
    num_classes: int
    batch_size: int
    loss: Loss = "cross_entropy"
    optimizer: Optimizer = "sgd"
    nesterov: bool = False
    schedule: Schedule = field(default_factory=Schedule)
    terms: tuple[str, ...] = ()
    penalty_probes: int = 1
    compute_dtype: ComputeDtype = "float32"
    augmentation: Augmentation = field(default_factory=Augmentation)
    frozen: tuple[str, ...] = ()
