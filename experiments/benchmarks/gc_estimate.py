"""Geometric complexity from random probes, to one per cent, against the exact value and against torch."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from experiments.benchmarks import gc, peers
from experiments.benchmarks.case import OURS, Case, Options, Target
from experiments.benchmarks.subjects import Network, network, normalised, pass_flops, pixels
from experiments.benchmarks.timing import alternate, fastest
from ncjax import metrics

_REL_STDERR = 0.01
_KEY = 0
# Images at once in torch: the best of these.
_BATCHES = (32, 128)


def estimate(options: Options) -> Iterator[Case]:
    """The networks of `gc.exact`, on as many images as one per cent of relative standard error takes."""
    for name in ("convnet4",) if options.quick else ("vgg13", "resnet18"):
        subject = network(name, widths=(4, 4, 4, 4), norm="none") if options.quick else network(name)
        title = f"to 1%, {subject.title}, d = {subject.embedding_dim}"
        if options.wants(title):
            yield _case(subject, title, options)


def probe_estimate(subject: Network, options: Options, **choice: Any) -> Callable[[Any, Any], metrics.Estimate]:
    """Ours, compiled: variables and images to an estimate."""

    @jax.jit
    def value(variables: Any, images: Any) -> metrics.Estimate:
        return metrics.geometric_complexity(
            partial(subject.embed, variables),
            images,
            method="probes",
            key=jax.random.key(_KEY),
            precision=peers.JAX_PRECISION[options.precision],
            **choice,
        )

    return value


def _case(subject: Network, title: str, options: Options) -> Case:
    # Small networks in small trials reach any precision late; what there is is enough to see that all works.
    population = normalised(pixels(256 if options.quick else 8192, subject.image_shape))
    variables, images = jax.device_put((subject.variables, population))
    adaptive = probe_estimate(subject, options, rel_stderr=_REL_STDERR)
    found = adaptive(variables, images)
    count = int(found.num_samples)
    contestants: dict[str, Callable[[], Any]] = {OURS: lambda: adaptive(variables, images).mean.block_until_ready()}
    exact_seconds, exact_images, exact_note = _exact_cost(subject, variables, images[:count], options)
    notes = [f"{count:,} images, one probe each: {float(found.mean):.4g} ± {float(found.stderr):.2g}", exact_note]
    if peers.torch is not None:
        name, call = _best_torch(subject, population[:count], options)
        contestants[name] = call
        theirs = call().cpu().numpy()
        error = np.hypot(float(found.stderr), theirs.std() / np.sqrt(count))
        if not abs(theirs.mean() - float(found.mean)) < 5 * error:
            raise AssertionError(f"{title}: {float(found.mean):.5g} here, {theirs.mean():.5g} there, ± {error:.2g}")
        notes.append(f"torch: {theirs.mean():.4g} ± {theirs.std() / np.sqrt(count):.2g}")
    timings = alternate(contestants, options.repeats, options.max_seconds)
    forward, backward = pass_flops(subject, 1)
    ours = timings[OURS].median
    case = Case(
        "gc_estimate",
        title,
        timings,
        flops=count * (forward + backward),
        items=(count, "images"),
        notes=tuple(notes),
    )
    return case.aiming(
        Target("cheaper than exact at the same precision", exact_seconds * exact_images / ours, 50.0),
        Target("cheaper than exact on the same images", exact_seconds * count / ours, 50.0),
        ratio=2.0,
    )


def _exact_cost(subject: Network, variables: Any, images: Any, options: Options) -> tuple[float, float, str]:
    """Seconds of an exact value, and on how many images it would reach the same relative standard error."""
    two = probe_estimate(subject, options, num_probes=2)(variables, images)
    # The two probes of an image tell their own noise from the spread of the images.
    spread = len(images) * (float(two.stderr) ** 2 - float(two.stderr_probes) ** 2)
    needed = max(2.0, spread / (_REL_STDERR * float(two.mean)) ** 2)
    few = images[: 2 if options.quick else 4]
    value = gc.exact_value(subject, options)
    timing = alternate({OURS: lambda: value(variables, few).block_until_ready()}, repeats=2)[OURS]
    seconds = timing.median / len(few)
    note = f"exact: {seconds:.3g} s an image, {needed:.0f} images for the same precision"
    return seconds, needed, note


def _best_torch(subject: Network, images: np.ndarray, options: Options) -> tuple[str, Callable[[], Any]]:
    from experiments.benchmarks import torch_metrics

    torch = peers.torch
    trials, calls = {}, {}
    for layout, module, x in gc.torch_layouts(subject, images):
        ways = {"": module.embed}
        if not options.quick:
            ways["compile "] = torch.compile(module.embed)
        for batch in _BATCHES[:1] if options.quick else _BATCHES:
            for way, embed in ways.items():
                name = f"torch random projections, {way}batch {batch}{layout}"
                trials[name] = partial(torch_metrics.random_projections, embed, x[:128], batch)
                calls[name] = partial(torch_metrics.random_projections, embed, x, batch)
    best = fastest(trials, repeats=2)
    return best, calls[best]
