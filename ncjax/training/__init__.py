"""Training and measuring of one run, as pure functions."""

from ncjax.training.hyper import HYPER_NAMES, Hyper
from ncjax.training.inputs import RunInputs, balanced_sample, run_inputs
from ncjax.training.measurement import MeasureSpec, map_chunks, measure
from ncjax.training.objective import regularised_loss, sample_losses
from ncjax.training.run import RunState, init_run, optimizer, sample_order, train_steps
from ncjax.training.sharding import on_every_device, split_batch
from ncjax.training.spec import Loss, TrainSpec

__all__ = [
    "HYPER_NAMES",
    "Hyper",
    "Loss",
    "MeasureSpec",
    "RunInputs",
    "RunState",
    "TrainSpec",
    "balanced_sample",
    "init_run",
    "map_chunks",
    "measure",
    "on_every_device",
    "optimizer",
    "regularised_loss",
    "run_inputs",
    "sample_losses",
    "sample_order",
    "split_batch",
    "train_steps",
]
