"""How cost grows: with runs in a program, outputs, images, samples and classes; measured, fitted, plotted."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import collapse, gc, many_runs, train
from experiments.benchmarks.case import Case, Options, Target
from experiments.benchmarks.subjects import network, normalised, pixels
from experiments.benchmarks.timing import Timing, alternate


def scaling(options: Options) -> Iterator[Case]:
    """One curve a case; a slope of 1 in logarithms is a cost that grows linearly."""
    curves: list[tuple[str, list[int], list[Timing]]] = []
    # The most that the slope may be over the upper half of each curve: 1 and what a median leaves uncertain.
    sources: list[tuple[str, Callable[[Options], Mapping[int, Callable[[], Any]]], float]] = [
        ("runs in one program", _runs, 1.1),
        ("outputs d, exact complexity", _outputs, 1.1),
        ("images, exact complexity", _images, 1.1),
        ("samples, collapse_report", _samples, 1.1),
        ("classes C, collapse_report", _classes, 2.0),
    ]
    for title, source, aim in sources:
        if not options.wants(title):
            continue
        calls = source(options)
        timings = alternate({str(size): call for size, call in calls.items()}, min(options.repeats, 3), 60.0)
        sizes = list(calls)
        curves.append((title, sizes, list(timings.values())))
        upper = len(sizes) // 2
        slope = (np.log(timings[str(sizes[-1])].median) - np.log(timings[str(sizes[upper - 1])].median)) / (
            np.log(sizes[-1]) - np.log(sizes[upper - 1])
        )
        yield Case(
            "scaling",
            title,
            timings,
            targets=(Target("slope", float(slope), aim, at_least=False),),
            values={"sizes": sizes, "seconds": [timing.median for timing in timings.values()]},
        )
    if options.figures is not None:
        _draw(curves, options.figures)


@dataclass
class _Steps:
    """Eight steps of every run, from where the last call has left them."""

    advance: Callable[..., Any]
    hyper: Any
    seeds: Any
    state: Any
    inputs: Any

    def __call__(self) -> None:
        start, steps = jnp.int32(0), jnp.int32(8)
        after = self.advance(self.hyper, self.seeds, self.state, self.inputs, start, steps)
        self.state = jax.block_until_ready(after)


def _runs(options: Options) -> dict[int, Callable[[], Any]]:
    """Training steps of many runs of a small network."""
    if options.quick:
        subject = network("mlp", size=8, channels=1, norm="none", widths=(8,))
    else:
        subject = network("convnet4", size=28, channels=1, num_classes=64, norm="none", widths=(8, 8, 8, 8))
    on_cpu = jax.default_backend() == "cpu"
    spec, inputs = train.one_run(subject, batch=32, num_images=128)
    calls: dict[int, Callable[[], Any]] = {}
    for runs in (1, 2) if options.quick else (1, 2, 4, 8, 16, 32):
        hyper, seeds, state = many_runs.starts(spec, subject.image_shape, runs)
        calls[runs] = _Steps(many_runs.advance("map" if on_cpu else "vmap", spec), hyper, seeds, state, inputs)
    return calls


def _outputs(options: Options) -> dict[int, Callable[[], Any]]:
    """Exact complexity of a network that differs in the width of its last layer alone."""
    calls: dict[int, Callable[[], Any]] = {}
    for width in (4, 8) if options.quick else (32, 64, 128, 256, 512):
        subject = network("convnet4", size=16, norm="none", widths=(8, 16, 32, width))
        images = jax.device_put(normalised(pixels(8, subject.image_shape)))
        value, variables = gc.exact_value(subject, options), jax.device_put(subject.variables)
        calls[width] = lambda value=value, variables=variables, images=images: value(
            variables, images
        ).block_until_ready()
    return calls


def _images(options: Options) -> dict[int, Callable[[], Any]]:
    """Exact complexity on more and more images."""
    subject = network("convnet4", size=16, norm="none", widths=(8, 16, 32, 64))
    value, variables = gc.exact_value(subject, options), jax.device_put(subject.variables)
    calls: dict[int, Callable[[], Any]] = {}
    for count in (2, 4) if options.quick else (8, 16, 32, 64, 128, 256):
        images = jax.device_put(normalised(pixels(count, subject.image_shape)))
        calls[count] = lambda images=images: value(variables, images).block_until_ready()
    return calls


def _samples(options: Options) -> dict[int, Callable[[], Any]]:
    sizes = (100, 200) if options.quick else (3125, 6250, 12_500, 25_000, 50_000, 100_000)
    return {size: _report(size, 8 if options.quick else 256, 10) for size in sizes}


def _classes(options: Options) -> dict[int, Callable[[], Any]]:
    sizes = (2, 4) if options.quick else (10, 30, 100, 300, 1000)
    return {size: _report(100 if options.quick else 20_000, 8 if options.quick else 256, size) for size in sizes}


def _report(samples: int, dim: int, classes: int) -> Callable[[], Any]:
    arrays = jax.device_put(collapse.clustered_features(samples, dim, classes))
    report = collapse.report_function(classes)
    return lambda: jax.block_until_ready(report(*arrays))


def _draw(curves: list[tuple[str, list[int], list[Timing]]], folder: Path) -> None:
    """One panel a curve, both axes logarithmic, with the line of linear growth through its last point."""
    from ncjax.report.figures.style import house_style, panels

    with house_style():
        figure, axes = panels(1, len(curves))
        for axis, (title, sizes, timings) in zip(axes[0], curves, strict=True):
            medians = np.array([timing.median for timing in timings])
            axis.fill_between(sizes, [timing.low for timing in timings], [timing.high for timing in timings], alpha=0.3)
            axis.loglog(sizes, medians, "o-", label="measured")
            axis.loglog(sizes, medians[-1] * np.array(sizes) / sizes[-1], "--", color="#777777", label="linear")
            axis.set(title=title, xlabel=title.partition(",")[0], ylabel="seconds")
            # Every other size, written out: labels of logarithmic ticks run into each other on so short an axis.
            axis.set_xticks(sizes[::2], [f"{size:,}" for size in sizes[::2]])
            axis.minorticks_off()
            axis.legend()
        folder.mkdir(parents=True, exist_ok=True)
        figure.savefig(folder / "scaling.png")
