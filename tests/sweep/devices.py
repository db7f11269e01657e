"""The same runs on 1, 2, 4 and 8 devices along either axis of the mesh, with and without batch normalisation.

python -m tests.sweep.devices

Prints, for each mesh, the largest deviation from one device, relative to the largest entry of each array: of the
parameters after 12 steps and of all measurements.
"""

import dataclasses
import os

# Before JAX starts; the tests do the same for themselves.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")

import jax
import numpy as np

from ncjax.measurement import MeasureSpec
from ncjax.models import ModelSpec
from ncjax.sweep import ProgramSpec, advance_group, init_group, make_mesh, replicate, stack_runs
from ncjax.training import Hyper, TrainSpec, run_inputs
from tests.small import small_dataset

MESHES = ((1, 1), (2, 1), (4, 1), (8, 1), (1, 2), (1, 4), (1, 8), (2, 4), (4, 2))
RUNS = tuple((Hyper(learning_rate=rate, l2=1e-3), seed) for rate in (0.05, 0.1, 0.2, 0.3) for seed in (0, 1))


def program(norm, sharing="map"):
    """Of a small network whose batches of eight divide among as many devices."""
    train = TrainSpec(ModelSpec("mlp", widths=(6, 5), norm=norm), num_classes=3, batch_size=8)
    return ProgramSpec(train, MeasureSpec(chunk=8), (4, 4, 1), sharing)


def outcome(spec, shape, runs=RUNS, steps=12):
    """Parameters and measurements after some steps on a mesh of a shape."""
    mesh = make_mesh(shape[0], shape[0], shape[1])
    hyper, seeds = stack_runs(mesh, [hyper for hyper, _ in runs], [seed for _, seed in runs])
    state = init_group(spec, mesh, hyper, seeds)
    inputs = run_inputs(small_dataset(), complexity_samples=9)
    inputs = dataclasses.replace(inputs, target_images=None, target_labels=None, target_index=None)
    inputs = replicate(mesh, inputs)
    call = (np.int32(0), np.int32(steps), np.bool_(True))
    state, measured = advance_group(spec, mesh, hyper, seeds, state, inputs, *call)
    kept = {"params": state.params, "batch_stats": state.batch_stats}
    return jax.tree.map(lambda leaf: np.asarray(leaf)[: len(runs)], (kept, measured))


def deviation(ours, theirs):
    """The largest difference of two pytrees, relative to the largest entry of each array.

    An array without entries above 0.01 counts as 0.01: a bias under batch normalisation is rounding noise about zero.
    """
    differences = jax.tree.map(lambda a, b: float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 0.01)), ours, theirs)
    return max(jax.tree.leaves(differences))


def main():
    """Prints the table."""
    print("| runs × batch | norm | parameters | measurements |")
    print("|---|---|---|---|")
    for norm in ("none", "batch"):
        state, measured = outcome(program(norm), (1, 1))
        for shape in MESHES:
            ours, values = outcome(program(norm), shape)
            row = f"{deviation(ours, state):.1e} | {deviation(values, measured):.1e}"
            print(f"| {shape[0]} × {shape[1]} | {norm} | {row} |", flush=True)


if __name__ == "__main__":
    main()
