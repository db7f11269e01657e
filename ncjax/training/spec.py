"""What is fixed about a run when it is compiled."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from ncjax.data import Augmentation
from ncjax.models import ModelSpec
from ncjax.options import option
from ncjax.training.learning_rates import Schedule

Loss = Literal["cross_entropy", "mse"]
Optimizer = Literal["sgd", "adam", "adamw"]
ComputeDtype = Literal["float32", "bfloat16"]


@dataclass(frozen=True)
class TrainSpec:
    """Static choices of training; frozen and hashable.

    Every epoch is a fresh permutation of the train split, cut into ``n // batch_size`` batches; the samples left over
    sit this epoch out.

    Attributes:
        model: which network.
        num_classes: classes to train on.
        terms: those of ``TERMS`` that the program computes at all (``active_terms``); the others' strengths must be 0.
        penalty_probes: random probes a sample for the geometric-complexity penalty.
        augmentation: random changes to training images, none by default.
        frozen: layers whose parameters and stored averages no step changes; batch normalisation inside them uses these
            averages.
    """

    model: ModelSpec
    num_classes: int
    batch_size: int = option(32, "samples a step", at_least=1, axis=True)
    optimizer: Optimizer = option(
        "sgd",
        "adam is that of arXiv 1412.6980, adamw decouples its decay (weight_decay)",
        choices=get_args(Optimizer),
        axis=True,
    )
    nesterov: bool = option(False, "whether momentum is Nesterov's", axis=True, used_by=("sgd",))
    schedule: Schedule = field(default_factory=Schedule)
    loss: Loss = option(
        "cross_entropy",
        "mse is half the squared distance of the logits to the one-hot target (arXiv 2106.02073)",
        choices=get_args(Loss),
        axis=True,
    )
    terms: tuple[str, ...] = ()
    penalty_probes: int = 1
    compute_dtype: ComputeDtype = option(
        "float32",
        "of activations and of the parameters' copy that meets them, in training alone; parameters, updates, running "
        "averages, losses and everything measured are in single precision anyway",
        choices=get_args(ComputeDtype),
        key="compute_dtype",
    )
    augmentation: Augmentation = field(default_factory=Augmentation)
    frozen: tuple[str, ...] = ()
