"""Training and measuring of one run, as pure functions."""

from ncjax.training.chunks import images_at_once, map_chunks, map_splits
from ncjax.training.hyper import HYPER_NAMES, Hyper
from ncjax.training.inputs import RunInputs, balanced_sample, run_inputs
from ncjax.training.measurement import MeasureSpec, measure, outputs_of
from ncjax.training.objective import regularised_loss, sample_losses
from ncjax.training.run import RunState, init_run, optimizer, sample_order, train_block, train_steps
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
    "images_at_once",
    "init_run",
    "map_chunks",
    "map_splits",
    "measure",
    "optimizer",
    "outputs_of",
    "regularised_loss",
    "run_inputs",
    "sample_losses",
    "sample_order",
    "train_block",
    "train_steps",
]
