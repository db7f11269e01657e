"""Exact geometric complexity against every way that torch has to take a Jacobian."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import numpy as np

from experiments.benchmarks import peers
from experiments.benchmarks.case import OURS, Case, Options, Target
from experiments.benchmarks.subjects import Network, network, normalised, pass_flops, pixels
from experiments.benchmarks.timing import alternate, fastest
from ncjax import metrics

# Rows of the Jacobian, counted over all images at hand, that torch takes in one pass.
_ROWS = (32, 128, 512)


def exact(options: Options) -> Iterator[Case]:
    """VGG-13 and ResNet-18, 512 outputs."""
    for name in ("convnet4",) if options.quick else ("vgg13", "resnet18"):
        subject = network(name, widths=(4, 4, 4, 4), norm="none") if options.quick else network(name)
        batch = 2 if options.quick else 16
        title = f"exact, {subject.title}, d = {subject.embedding_dim}, batch {batch}"
        if options.wants(title):
            yield _exact_case(subject, batch, title, options)


def exact_value(subject: Network, options: Options) -> Any:
    """Ours, compiled: variables and images to squared Jacobian norms [n]."""

    @jax.jit
    def value(variables: Any, images: Any) -> Any:
        embed = partial(subject.embed, variables)
        precision = peers.JAX_PRECISION[options.precision]
        return metrics.geometric_complexity(embed, images, method="exact", precision=precision).per_sample

    return value


def _exact_case(subject: Network, batch: int, title: str, options: Options) -> Case:
    images = normalised(pixels(batch, subject.image_shape))
    ours = exact_value(subject, options)
    variables, inputs = jax.device_put((subject.variables, images))
    forward, backward = pass_flops(subject, batch)
    flops = forward + subject.embedding_dim * backward
    contestants: dict[str, Callable[[], Any]] = {OURS: lambda: ours(variables, inputs).block_until_ready()}
    # Where what is zero is left out, as on CPUs, a rate of all operations can pass the ceiling.
    notes = [f"rate of all operations, zeros too: {flops / batch / 1e9:.3g} GFLOP an image"]
    if peers.torch is not None:
        name, call = _best_torch(subject, images, options)
        contestants[name] = call
        error = np.abs(np.asarray(ours(variables, inputs)) - call().cpu().numpy()).max() / np.mean(call().cpu().numpy())
        if not error < (1e-3 if options.precision == "float32" else 0.1):
            raise AssertionError(f"{title}: values differ by {error:.1e}")
        notes.append(f"values agree to {error:.0e}")
    # Both have run and compiled: nothing is left to warm up.
    timings = alternate(contestants, options.repeats, options.max_seconds, warm_up=0 if peers.torch is not None else 1)
    case = Case("gc", title, timings, flops=flops, items=(batch, "images"), notes=tuple(notes))
    share = flops / timings[OURS].median / options.ceiling_flops
    on_gpu = jax.default_backend() != "cpu"
    return case.aiming(Target("share of the matmul ceiling, zeros counted", share, 0.5 if on_gpu else 0.8), ratio=2.0)


def _best_torch(subject: Network, images: np.ndarray, options: Options) -> tuple[str, Callable[[], Any]]:
    """The quickest of torch's ways on a few images and outputs, as a function of nothing on all of them."""
    from experiments.benchmarks import torch_metrics

    outputs, batch = subject.embedding_dim, len(images)
    trials, calls = {}, {}
    for rows in _ROWS[:1] if options.quick else _ROWS:
        for layout, net, x in torch_layouts(subject, images):
            name = f"torch vmap(jacrev), chunk {rows}{layout}"
            chunk = min(rows, outputs)
            # Each trial is as much work as all outputs of one image.
            trials[name] = partial(torch_metrics.vmap_jacrev, net.embed, x[:1], chunk)
            calls[name] = partial(torch_metrics.vmap_jacrev, net.embed, x, chunk)
            chunk = max(1, rows // batch)
            name = f"torch vmap(vjp of the batch), chunk {chunk}{layout}"
            trials[name] = partial(torch_metrics.batch_jacobian, net.embed, x, chunk, outputs // batch)
            calls[name] = partial(torch_metrics.batch_jacobian, net.embed, x, chunk)
    next(iter(trials.values()))()
    best = fastest(trials, repeats=1, warm_up=0)
    return best, calls[best]


def torch_layouts(subject: Network, images: np.ndarray) -> list[tuple[str, Any, Any]]:
    """The network in torch, frozen, in both memory layouts: a word for the layout, the module, its images."""
    from experiments.benchmarks.torch_models import build_torch, load_flax

    found = []
    inputs = peers.tensor(images.transpose(0, 3, 1, 2))
    for word, layout in (("", peers.torch.contiguous_format), (" channels_last", peers.torch.channels_last)):
        module = build_torch(subject.spec, subject.num_classes, subject.image_shape[2], subject.embedding_dim)
        module = load_flax(module, subject.variables).eval().requires_grad_(requires_grad=False)
        found.append((word, module.to(peers.device(), memory_format=layout), inputs.contiguous(memory_format=layout)))
    return found
