"""The one default config, with every key, and its reading into typed, checked objects."""

import dataclasses
import math
from typing import Any, get_args

import ml_collections
from ml_collections import config_dict

from ncjax.data import Augmentation, DataSpec
from ncjax.measurement import MeasureSpec
from ncjax.sweep.plan.axes import AXES
from ncjax.sweep.plan.grid import Run, expand
from ncjax.training import ComputeDtype, InitSpec, images_at_once
from ncjax.transfer import EpisodeSpec


def default_config() -> ml_collections.ConfigDict:
    """Every key of a sweep's config with its default value; a config file starts from here and changes some.

    Returns:
      A ``ConfigDict``, locked: a key that is not here cannot be added.

    Example:
      >>> config = default_config()
      >>> config.sweep.learning_rate = (0.01, 0.1)
      >>> len(read_config(config).runs)
      2
    """
    config = ml_collections.ConfigDict()
    config.data = {field.name: field.default for field in dataclasses.fields(DataSpec)}
    config.model = {
        "name": "convnet4",
        "widths": (),  # units of each stage; () for the network's standard widths
        "norm": "standard",  # none, batch, group, or standard for the network's own
        "lowering": "auto",  # of convolutions: auto, xla or matmul
        "classifier": "learned",  # or etf: fixed at a simplex equiangular tight frame
    }
    config.train = {
        "epochs": 30.0,
        "batch_size": 32,
        "loss": "cross_entropy",  # or mse
        "optimizer": "sgd",  # sgd, adam or adamw
        "learning_rate": 0.1,
        "momentum": 0.0,
        "nesterov": False,
        "beta1": 0.9,  # of Adam's mean of gradients
        "beta2": 0.999,  # of Adam's mean of squared gradients
        "sam_rho": 0.0,  # radius of sharpness-aware minimisation, around any of the optimizers; 0 for none
        "schedule": "constant",  # of the learning rate: constant, steps or cosine
        "warmup_epochs": 0.0,  # of a linear rise before it
        "decay_at": (1 / 3, 2 / 3),  # fractions of training at which steps falls
        "decay_factor": 0.1,  # what steps multiplies the rate by
        "l2": 0.0,  # λ of (λ/2)·‖θ‖² in the loss
        "weight_decay": 0.0,  # decoupled: what a step takes off all parameters, times the learning rate
        "gc_penalty": 0.0,  # λ of λ·GC of the embedding on the batch, in the loss
        "gradient_norm_penalty": 0.0,  # λ of λ·‖∇L‖² of the batch's loss L, in the loss
        "spectral_penalty": 0.0,  # λ of (λ/2)·Σ σ₁(W)² over the kernels, in the loss
        "label_smoothing": 0.0,
        "seed": 0,
    }
    # Fine-tuning: every run starts from this one's newest checkpoint, with a new classifier.
    config.init = {
        "workdir": "",  # of the sweep that trained it; empty for fresh weights
        "run": 0,
        "last_stages": -1,  # of the network to train, the others stay as they are; -1 for all
    }
    # Each axis replaces the value of the same name above; the runs are the product of the axes. None: not swept.
    config.sweep = {name: config_dict.placeholder(tuple) for name in SWEEP_AXES}
    config.sweep.zipped = ()  # tuples of axes that advance together, as in (("learning_rate", "l2"),)
    config.sweep.points = ()  # dicts from axes to one value each, as in ({"l2": 0.1}, {"momentum": 0.9})
    # Several sweeps around one base point, by name: each holds what config.sweep does, and config.sweep multiplies it.
    # config.sweeps = {"rates": {"learning_rate": (0.1, 0.2)}, "strengths": {"l2": (0.0, 1e-3)}} are three runs, not
    # four: what two sweeps share runs once and bears both names.
    config.sweeps = {}
    config.measure = {
        "checkpoints": 9,  # the first before training, the others log-spaced
        "first_epoch": 0.5,  # of the second checkpoint
        "chunk": 0,  # images through the network at once; 0 for what suits the device
        "complexity_samples": 512,  # images a split on which geometric complexity is measured
        "complexity_probes": 1,  # random probes a sample; 0 for the exact value
        "seed": 0,  # of probes and episodes
        # What single claims need; each costs time at every checkpoint, and nothing where it is left out.
        "flatness_samples": 0,  # train images for the loss's gradient norm, Hessian trace and sharpness; 0 for none
        "hessian_probes": 8,  # Hessian-vector products for the trace; 0 leaves the trace out
        "sam_radius": 0.05,  # of the sharpness
        "first_layer": False,  # the first-layer inequality; of model mlp alone
        "estimator_sizes": (),  # products a sample at which estimators of geometric complexity are compared
        "bounds": False,  # bounds on the nearest class mean's error, by CDNV and by geometric complexity
        "fine_probes": False,  # probes of the features for the classes below the labels
    }
    config.transfer = {
        "ways": 5,
        "shots": (1, 5),
        "queries": 15,
        "episodes": 500,  # 0 leaves few-shot accuracy out
        "heads": ("ncm",),
    }
    # Of training images: padding of random crops in pixels, probability of a flip, side of the square cut out.
    config.augmentation = {field.name: field.default for field in dataclasses.fields(Augmentation)}
    config.compute_dtype = "float32"  # or bfloat16, of training's forward and backward pass alone
    # Of train images from the host's disk to the devices, for sets that do not fit there; same batches, same results.
    config.stream = {
        "train": "auto",  # always, never, or auto: if the train images take over half of a device's memory
        "buffer_mib": 64,  # of a block of batches of all runs; up to five blocks are under way
        "threads": 2,  # that read at once
    }
    config.mesh = {
        "runs": 0,  # devices over which runs are spread; 0 for all of them
        "batch": 0,  # devices among which each run divides its batches; 0 for those that runs leave free
        "runs_per_program": 0,  # most runs in one program; 0 for as many as memory holds
    }
    config.runs_axis = "auto"  # how runs share a device: map (one after another), vmap (side by side) or auto
    config.lock()
    return config


SWEEP_AXES = tuple(AXES)


@dataclasses.dataclass(frozen=True)
class StreamSpec:
    """Whether and how train images are streamed from the host.

    Attributes:
      train: ``always``, ``never``, or ``auto``: if they take over half of a device's memory.
      buffer_mib: size of a block of batches of all runs, in MiB.
      threads: that read at once.
    """

    train: str
    buffer_mib: int
    threads: int

    def applies(self, image_bytes: int, device_bytes: int) -> bool:
        """Whether train images of so many bytes are streamed to devices of so much memory.

        Example:
          >>> StreamSpec("auto", 64, 2).applies(image_bytes=3_932_160_000, device_bytes=16 * 2**30)
          False
        """
        return self.train == "always" or (self.train == "auto" and image_bytes > device_bytes // 2)


@dataclasses.dataclass(frozen=True)
class SweepPlan:
    """A config, read and checked.

    Attributes:
      data: which data set.
      runs: the grid, in order of their indices.
      epochs: passes over the train split.
      checkpoints: how often to measure, the state before training included.
      first_epoch: epoch of the second checkpoint.
      complexity_samples: images a split on which geometric complexity is measured.
      measure: static choices of measuring; its target classes are filled in when the data is known.
      train: static choices of training that all runs share, by name.
      init: the network that runs start from.
      stream: of train images from the host.
      mesh_runs: devices over which runs are spread; 0 for all.
      mesh_batch: devices among which each run divides its batches; 0 for those that runs leave free.
      runs_per_program: most runs in one program; 0 for as many as memory holds.
      runs_axis: ``auto``, ``map`` or ``vmap``.
      fine_probes: whether features are probed for the classes below the labels.
    """

    data: DataSpec
    runs: tuple[Run, ...]
    epochs: float
    checkpoints: int
    first_epoch: float
    complexity_samples: int
    measure: MeasureSpec
    train: dict[str, Any]
    init: InitSpec
    stream: StreamSpec
    mesh_runs: int
    mesh_batch: int
    runs_per_program: int
    runs_axis: str
    fine_probes: bool = False


def read_config(config: ml_collections.ConfigDict) -> SweepPlan:
    """Checks a config's values and makes typed objects of them.

    Args:
      config: with the keys of ``default_config``.

    Returns:
      The plan of the sweep.

    Raises:
      ValueError: one line that names the key, what came and what would be right.

    Example:
      >>> config = default_config()
      >>> config.train.epochs = -1.0
      >>> read_config(config)
      Traceback (most recent call last):
      ValueError: config.train.epochs: got -1.0, expected a number above 0
    """
    _check_keys(default_config(), config, "config")
    train, options = config.train, config.measure
    _at_least(config, "train.epochs", 0, strictly=True)
    _at_least(config, "measure.checkpoints", 2)
    _at_least(config, "measure.first_epoch", 0, strictly=True)
    _at_least(config, "measure.chunk", 0)
    _at_least(config, "measure.complexity_samples", 1)
    _at_least(config, "measure.complexity_probes", 0)
    _at_least(config, "measure.seed", 0)
    _at_least(config, "measure.flatness_samples", 0)
    _at_least(config, "measure.hessian_probes", 0)
    _at_least(config, "measure.sam_radius", 0, strictly=True)
    _at_least(config, "transfer.episodes", 0)
    _at_least(config, "stream.buffer_mib", 1)
    _at_least(config, "stream.threads", 1)
    for name in config.mesh:
        _at_least(config, f"mesh.{name}", 0)
    _one_of(config, "compute_dtype", get_args(ComputeDtype))
    _one_of(config, "stream.train", ("auto", "always", "never"))
    _one_of(config, "runs_axis", ("auto", "map", "vmap"))
    if options.first_epoch > train.epochs:
        raise ValueError(
            f"config.measure.first_epoch: got {options.first_epoch}, expected at most train.epochs={train.epochs}"
        )
    data, runs = _named("config.data", DataSpec, config.data), expand(config)
    _check_measure(options, runs)
    return SweepPlan(
        data=data,
        runs=runs,
        epochs=train.epochs,
        checkpoints=options.checkpoints,
        first_epoch=options.first_epoch,
        complexity_samples=options.complexity_samples,
        measure=MeasureSpec(
            chunk=options.chunk or images_at_once(),
            complexity_probes=options.complexity_probes,
            transfer=_named("config.transfer", EpisodeSpec, config.transfer) if config.transfer.episodes else None,
            seed=options.seed,
            flatness_samples=options.flatness_samples,
            hessian_probes=options.hessian_probes,
            sam_radius=options.sam_radius,
            first_layer=options.first_layer,
            estimator_sizes=_sizes(options.estimator_sizes),
            bounds=options.bounds,
        ),
        fine_probes=options.fine_probes,
        train={
            "compute_dtype": config.compute_dtype,
            "augmentation": _named("config.augmentation", Augmentation, config.augmentation),
        },
        init=_named("config.init", InitSpec, config.init),
        stream=StreamSpec(**config.stream),
        mesh_runs=config.mesh.runs,
        mesh_batch=config.mesh.batch,
        runs_per_program=config.mesh.runs_per_program,
        runs_axis=config.runs_axis,
    )


def _check_keys(wanted: ml_collections.ConfigDict, there: Any, place: str) -> None:
    """Makes sure that a config begins as the default does; a section of several sweeps may hold more."""
    for key, value in wanted.items():
        if not isinstance(there, ml_collections.ConfigDict) or key not in there:
            raise ValueError(f"{place}.{key}: missing; expected a config that begins as ncjax.sweep.default_config()")
        if isinstance(value, ml_collections.ConfigDict):
            _check_keys(value, there[key], f"{place}.{key}")


def _check_measure(options: ml_collections.ConfigDict, runs: tuple[Run, ...]) -> None:
    """Refuses what cannot be measured of the networks in question."""
    other = sorted({run.model.name for run in runs} - {"mlp"})
    if options.first_layer and other:
        raise ValueError(
            f"config.measure.first_layer: got True with model {other[0]}, expected mlp: of a convolution the "
            f"inequality does not speak"
        )
    if options.hessian_probes == 1:
        raise ValueError("config.measure.hessian_probes: got 1, expected 0 or at least 2, for a standard error")


def _sizes(sizes: tuple[int, ...]) -> tuple[int, ...]:
    if any(not isinstance(size, int) or size < 1 for size in sizes) or list(sizes) != sorted(set(sizes)):
        raise ValueError(f"config.measure.estimator_sizes: got {sizes}, expected ascending whole numbers from 1")
    return tuple(sizes)


def _named(key: str, make: Any, section: ml_collections.ConfigDict) -> Any:
    """Builds a checked dataclass from a section, so that its errors begin with the section's key."""
    try:
        return make(**section.to_dict())
    except ValueError as error:
        raise ValueError(f"{key}.{error}") from None


def _at_least(config: ml_collections.ConfigDict, key: str, least: float | int, strictly: bool = False) -> None:
    value = _get(config, key)
    is_number = isinstance(value, int | float) and math.isfinite(value)
    if not is_number or not (value > least if strictly else value >= least):
        expected = f"a number above {least}" if strictly else f"at least {least}"
        raise ValueError(f"config.{key}: got {value}, expected {expected}")


def _one_of(config: ml_collections.ConfigDict, key: str, choices: tuple[str, ...]) -> None:
    value = _get(config, key)
    if value not in choices:
        raise ValueError(f"config.{key}: got {value!r}, expected one of {', '.join(choices)}")


def _get(config: ml_collections.ConfigDict, key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config
