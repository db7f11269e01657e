"""Eight runs of the quickstart's network, trained and measured as one program, against torch run by run."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import ml_collections

from experiments.benchmarks import peers, subjects
from experiments.benchmarks.case import OURS, Case, Options, Target
from experiments.benchmarks.pipeline import Pipeline, first_group
from experiments.benchmarks.timing import alternate
from ncjax.sweep import default_config

# Quantities that do not come from random numbers, which the libraries draw differently.
_CERTAIN = (
    "loss",
    "error",
    "cdnv",
    "variance_ratio",
    "nc2_etf",
    "nc3",
    "strong_variance",
    "ncc_error",
    "ncc_error_test_means",
)
# In single precision a pseudo-inverse at its default cut-off may be far off: these are held against double precision.
_INVERSES = ("nc1", "vci")
_TOLERANCE = 3e-2


def sweep(options: Options) -> Iterator[Case]:
    """The work between two checkpoints: so many steps of every run, then every measurement."""
    config = quickstart(options.quick)
    epochs, checkpoints = config.train.epochs, config.measure.checkpoints
    group = first_group(config)
    steps = max(1, round(epochs * group.steps_per_epoch / (checkpoints - 1)))
    title = f"{group.num_runs} runs, {steps} steps of batch {group.spec.train.batch_size} each, then measured"
    if not options.wants(title):
        return
    whole: dict[str, Callable[[], Any]] = {OURS: lambda: group.advance(0, steps, measuring=True)}
    measuring: dict[str, Callable[[], Any]] = {OURS: lambda: group.advance(0, 0, measuring=True)}
    notes = []
    if peers.torch is not None:
        from experiments.benchmarks.torch_sweep import TorchSweep

        theirs = TorchSweep(group)
        notes.append(_check(group, theirs))
        whole["torch"] = lambda: theirs.advance(steps, measuring=True)
        measuring["torch"] = lambda: theirs.advance(0, measuring=True)
    images = group.num_runs * steps * group.spec.train.batch_size
    timings = alternate(whole, min(options.repeats, 3), options.max_seconds)
    measured = alternate(measuring, min(options.repeats, 3), options.max_seconds)
    ours = timings[OURS].median - measured[OURS].median
    share = measured[OURS].median / ours
    subject = subjects.network(
        group.spec.train.model.name,
        size=group.spec.image_shape[0],
        channels=group.spec.image_shape[2],
        num_classes=group.spec.train.num_classes,
        norm=group.spec.train.model.norm,
        widths=group.spec.train.model.widths,
    )
    flops = group.num_runs * steps * subjects.training_flops(subject, group.spec.train.batch_size)
    case = Case("sweep", title, timings, flops=flops, items=(images, "images"), notes=tuple(notes))
    yield case.aiming(ratio=2.0)
    case = Case("sweep", f"{group.num_runs} runs, measured once", measured, items=(group.num_runs, "runs"))
    yield case.aiming(Target("measuring, as a share of the training between", share, 0.15, at_least=False))


def quickstart(quick: bool) -> ml_collections.ConfigDict:
    """The quickstart's network, data and schedule with eight runs; tiny if `quick`."""
    from configs import quickstart

    config = quickstart.get_config()
    config.sweep.learning_rate = (0.025, 0.05)
    if quick:
        small = default_config()
        small.data.name = "digits"
        small.data.target_classes = ("7", "8", "9")
        small.model.update(name="convnet4", widths=(4, 4), norm="none")
        small.train.update(epochs=0.5, learning_rate=0.01)
        small.sweep.seed = (0, 1)
        small.measure.update(checkpoints=2, complexity_samples=16)
        small.transfer.update(ways=3, episodes=4)
        return small
    return config


def _check(group: Pipeline, theirs: Any) -> str:
    """Raises unless both measure the same of the initial networks, and again after a few steps of training."""
    worst = inverse_gap = 0.0
    rows = []
    for steps in (0, 3):
        ours = jax.device_get(group.advance(0, steps, measuring=True))
        rows = theirs.advance(steps, measuring=True)
        if missing := [name for name in ours if name not in rows[0]]:
            raise AssertionError(f"torch does not measure {missing}")
        names = [name for name in ours if name.startswith(("train/", "test/", "target/"))]
        for index, row in enumerate(rows):
            double = theirs.double_report(index)
            for name in names:
                here = float(ours[name][index])
                if name.split("/")[1] in _CERTAIN:
                    worst = max(worst, _gap(f"{name}, run {index}, step {steps}", here, float(row[name])))
                elif name.split("/")[1] in _INVERSES:
                    worst = max(worst, _gap(f"{name}, run {index}, step {steps}", here, float(double[name])))
                    inverse_gap = max(inverse_gap, abs(float(row[name]) / float(double[name]) - 1))
    return (
        f"{len(rows[0])} quantities a run, which agree before and after training to {worst:.0e} (nc1 and vci with "
        f"torch in double precision: in single precision its pseudo-inverses are off by up to {inverse_gap:.0%})"
    )


def _gap(name: str, here: float, there: float) -> float:
    gap = abs(here - there) / (abs(there) + 1e-2)
    if not gap < _TOLERANCE:
        raise AssertionError(f"{name}: {here:.6g} here, {there:.6g} there")
    return gap
