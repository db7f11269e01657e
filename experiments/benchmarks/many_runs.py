"""Three ways to advance many runs on one device: which is the fastest is what `runs_axis` and `lowering` choose."""

import dataclasses
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from experiments.benchmarks.case import Options, Row
from experiments.benchmarks.subjects import network, training_flops
from experiments.benchmarks.table import quantity
from experiments.benchmarks.train import one_run
from ncjax import training

# Of what `jax.vmap` makes of a convolution over runs with a kernel each; as matrix products; and one run after another.
WAYS: dict[str, tuple[str, Literal["xla", "matmul"]]] = {
    "vmap, grouped convolution": ("vmap", "xla"),
    "vmap, matrix products": ("vmap", "matmul"),
    "lax.map, convolution": ("map", "xla"),
}
RUNS = (12, 4, 1)


def many_runs(options: Options) -> Iterator[Row]:
    """Training steps of 1, 4 and 12 runs of ConvNet-4 and ResNet-18 in each of the three ways."""
    if options.quick:
        sizes = [("convnet4", {"size": 8, "channels": 1, "widths": (4, 4), "num_classes": 4}, 4)]
    else:
        sizes = [
            ("convnet4", {"size": 28, "channels": 1, "num_classes": 64}, 128),
            ("resnet18", {"size": 32, "channels": 3, "num_classes": 10}, 128),
        ]
    for name, shape, batch in sizes:
        for runs in (2, 1) if options.quick else RUNS:
            for way in WAYS:
                title = f"{name}, {runs} runs, batch {batch}: {way}"
                if not options.wants(title):
                    continue
                try:
                    yield _measured(name, shape, batch, runs, way, title)
                except Exception as error:
                    yield Row.failed("many_runs", title, error)


def advance(sharing: str, spec: training.TrainSpec) -> Any:
    """Training steps of many runs as one compiled program."""

    @partial(jax.jit, donate_argnums=2)
    def steps(hyper: Any, seeds: Any, state: Any, inputs: Any, start: Any, number: Any) -> Any:
        def one(run: tuple[Any, ...]) -> Any:
            hyper, seed, state = run
            return training.train_steps(spec, hyper, seed, state, inputs, start, number)

        return lax.map(one, (hyper, seeds, state)) if sharing == "map" else jax.vmap(one)((hyper, seeds, state))

    return steps


def starts(spec: training.TrainSpec, image_shape: tuple[int, ...], runs: int) -> tuple[Any, Any, Any]:
    """Hyper-parameters, seeds and initial states of many runs, which differ in their seeds."""
    seeds = jnp.arange(runs, dtype=jnp.int32)
    hyper = jax.tree.map(lambda value: jnp.full(runs, value, jnp.float32), training.Hyper(0.01, 0.9, 5e-4))
    initial = jax.jit(jax.vmap(partial(training.init_run, spec, image_shape=image_shape)))
    return hyper, seeds, initial(hyper, seeds)


def _measured(name: str, shape: dict[str, Any], batch: int, runs: int, way: str, title: str) -> Row:
    sharing, lowering = WAYS[way]
    subject = network(name, **shape)
    spec, inputs = one_run(subject, batch, num_images=4 * batch)
    spec = dataclasses.replace(spec, model=dataclasses.replace(spec.model, lowering=lowering))
    hyper, seeds, state = starts(spec, subject.image_shape, runs)
    began = time.perf_counter()
    program = advance(sharing, spec).lower(hyper, seeds, state, inputs, jnp.int32(0), jnp.int32(1)).compile()
    compiling = time.perf_counter() - began
    memory = program.memory_analysis()

    def call(number: int) -> float:
        nonlocal state
        start = time.perf_counter()
        state = jax.block_until_ready(program(hyper, seeds, state, inputs, jnp.int32(0), jnp.int32(number)))
        return time.perf_counter() - start

    call(1)
    # As many steps as take about a second, but a few.
    steps = max(2, min(200, int(1.0 / max(call(2) / 2, 1e-6))))
    taken = min(call(steps), call(steps)) / steps
    rate = runs * training_flops(subject, batch) / taken
    note = (
        f"{1e3 * taken:.3g} ms a step of all runs; {quantity(rate)}FLOP/s; compiled in {compiling:.1f} s; "
        f"temporaries {quantity(getattr(memory, 'temp_size_in_bytes', 0) or 0)}B"
    )
    return Row("many_runs", title, runs * batch / taken, "images/s", note)
