"""Training of one run, as pure functions."""

from ncjax.training.chunks import images_at_once, map_chunks, map_splits
from ncjax.training.fine_tuning import InitSpec, TrainedWeights, frozen_layers, start_from, transplant
from ncjax.training.hyper import HYPER_NAMES, TERMS, Hyper, active_terms
from ncjax.training.inputs import RunInputs, balanced_sample, check_complexity_samples, run_inputs
from ncjax.training.learning_rates import Schedule, ScheduleName, learning_rate_factor, make_schedule
from ncjax.training.objective import regularised_loss, sample_losses
from ncjax.training.optimizers import optimizer
from ncjax.training.regularisers import squared_gradient_norm, squared_spectral_norms
from ncjax.training.run import init_run, sample_order, train_block, train_steps
from ncjax.training.sharding import on_every_device, split_batch
from ncjax.training.spec import ComputeDtype, Loss, Optimizer, TrainSpec
from ncjax.training.state import RunState

__all__ = [
    "HYPER_NAMES",
    "TERMS",
    "ComputeDtype",
    "Hyper",
    "InitSpec",
    "Loss",
    "Optimizer",
    "RunInputs",
    "RunState",
    "Schedule",
    "ScheduleName",
    "TrainSpec",
    "TrainedWeights",
    "active_terms",
    "balanced_sample",
    "check_complexity_samples",
    "frozen_layers",
    "images_at_once",
    "init_run",
    "learning_rate_factor",
    "make_schedule",
    "map_chunks",
    "map_splits",
    "on_every_device",
    "optimizer",
    "regularised_loss",
    "run_inputs",
    "sample_losses",
    "sample_order",
    "split_batch",
    "squared_gradient_norm",
    "squared_spectral_norms",
    "start_from",
    "train_block",
    "train_steps",
    "transplant",
]
