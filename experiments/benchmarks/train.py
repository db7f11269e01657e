"""Training of one network: the compiled loop of ncjax against torch's best."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import peers
from experiments.benchmarks.case import OURS, Case, Options
from experiments.benchmarks.subjects import Network, network, pixels, training_flops
from experiments.benchmarks.timing import alternate, fastest
from ncjax import data, training

_MOMENTUM, _L2, _RATE = 0.9, 5e-4, 0.01
_LARGE_RATE = 1024.0


def train(options: Options) -> Iterator[Case]:
    """VGG-13 and ResNet-18 at 32×32, batch 128; ConvNet-4 at 28×28, batch 64."""
    if options.quick:
        sizes = [(network("convnet4", size=16, channels=1, widths=(4, 4, 4, 4)), 4, 2, 1.5)]
    else:
        sizes = [
            (network("vgg13"), 128, 2, 1.0),
            (network("resnet18"), 128, 1, 1.0),
            (network("convnet4", size=28, channels=1, num_classes=64), 64, 20, 1.5),
        ]
    for subject, batch, steps, ratio in sizes:
        title = f"{subject.title}, batch {batch}"
        if options.wants(title):
            yield _case(subject, batch, steps, title, options).aiming(ratio=ratio)


def one_run(subject: Network, batch: int, num_images: int) -> tuple[training.TrainSpec, training.RunInputs]:
    """What a run of this network on enlarged digits is compiled for, and its data."""
    images = pixels(num_images, subject.image_shape)
    labels = np.arange(num_images, dtype=np.int32) % subject.num_classes
    split = data.Split(images, labels, tuple(str(number) for number in range(subject.num_classes)))
    mean, std = data.pixel_statistics(images)
    dataset = data.Dataset("enlarged digits", split, split, None, None, mean, std)
    inputs = training.run_inputs(dataset, complexity_samples=subject.num_classes)
    return training.TrainSpec(subject.spec, subject.num_classes, batch), inputs


def _case(subject: Network, batch: int, steps: int, title: str, options: Options) -> Case:
    spec, inputs = one_run(subject, batch, num_images=batch * max(4, steps))
    seed = jnp.int32(0)
    hyper = training.Hyper(jnp.float32(_RATE), jnp.float32(_MOMENTUM), jnp.float32(_L2))
    state = training.init_run(spec, hyper, seed, subject.image_shape)
    advance = jax.jit(partial(training.train_steps, spec))
    held = {"state": state}

    def ours() -> None:
        held["state"] = jax.block_until_ready(
            advance(hyper, seed, held["state"], inputs, jnp.int32(0), jnp.int32(steps))
        )

    contestants: dict[str, Callable[[], Any]] = {OURS: ours}
    notes = []
    if peers.torch is not None:
        runs = _torch_runs(subject, state.variables, inputs, batch, steps, options)
        notes.append(_check(subject, spec, state, inputs, runs))
        best = fastest({name: run.steps for name, run in runs.items()}, repeats=1)
        contestants[best] = runs[best].steps
        notes.append(f"torch tried: {', '.join(name.removeprefix('torch ') for name in runs)}")
    timings = alternate(contestants, options.repeats, options.max_seconds)
    return Case(
        "train",
        title,
        timings,
        flops=steps * training_flops(subject, batch),
        items=(steps * batch, "images"),
        notes=tuple(notes),
    )


class _TorchRun:
    """A torch network with its data and optimizer."""

    def __init__(self, subject: Network, variables: Any, inputs: Any, batch: int, steps: int, layout: Any) -> None:
        from experiments.benchmarks.torch_models import build_torch, load_flax

        torch = peers.torch
        module = build_torch(subject.spec, subject.num_classes, subject.image_shape[2], subject.embedding_dim)
        self.module = load_flax(module, variables).to(peers.device(), memory_format=layout).train()
        images = (np.asarray(inputs.train_images) / np.float32(255) - np.asarray(inputs.mean)) / np.asarray(inputs.std)
        self.images = peers.tensor(images.transpose(0, 3, 1, 2).astype(np.float32)).contiguous(memory_format=layout)
        self.labels = peers.tensor(inputs.train_labels)
        order = training.sample_order(jnp.int32(0), jnp.int32(0), len(images))
        self.batches = peers.tensor(order)[: steps * batch].split(batch)
        self.forward = self.module
        self.optimizer = torch.optim.SGD(
            self.module.parameters(), lr=_RATE, momentum=_MOMENTUM, weight_decay=_L2, fused=True
        )

    def loss(self, batch: Any) -> Any:
        """Cross-entropy on a batch."""
        with peers.autocast():
            logits = self.forward(self.images[batch])[0]
            return peers.torch.nn.functional.cross_entropy(logits, self.labels[batch])

    def steps(self) -> None:
        """An epoch."""
        for batch in self.batches:
            self.optimizer.zero_grad(set_to_none=True)
            self.loss(batch).backward()
            self.optimizer.step()
        peers.synchronise()


def _torch_runs(
    subject: Network, variables: Any, inputs: Any, batch: int, steps: int, options: Options
) -> dict[str, _TorchRun]:
    torch = peers.torch
    make = partial(_TorchRun, subject, variables, inputs, batch, steps)
    runs = {
        "torch": make(torch.contiguous_format),
        "torch channels_last": make(torch.channels_last),
    }
    if not options.quick and options.compile_peer:
        compiled = {"torch compile": torch.contiguous_format, "torch compile channels_last": torch.channels_last}
        for name, layout in compiled.items():
            runs[name] = make(layout)
            runs[name].forward = torch.compile(runs[name].module)
    return runs


def _check(subject: Network, spec: Any, state: Any, inputs: Any, runs: dict[str, _TorchRun]) -> str:
    """Raises unless parameters, loss and gradients of all contestants agree; says how far they do."""
    from experiments.benchmarks.torch_models import gradients_by_name

    # One step of plain gradient descent changes the parameters by their gradient, the more so the larger the rate.
    plain = training.Hyper(jnp.float32(_LARGE_RATE), jnp.float32(0), jnp.float32(0))
    after = jax.jit(partial(training.train_steps, spec))(plain, jnp.int32(0), state, inputs, jnp.int32(0), jnp.int32(1))
    change = jax.tree.map(lambda a, b: np.subtract(a, b, dtype=np.float64) / _LARGE_RATE, state.params, after.params)
    ours = {"/".join(key.key for key in path): leaf for path, leaf in jax.tree.leaves_with_path(change)}
    size = np.sqrt(sum(np.sum(leaf**2) for leaf in ours.values()))
    worst = 0.0
    for name, run in runs.items():
        run.loss(run.batches[0]).backward()
        theirs = gradients_by_name(run.module)
        run.optimizer.zero_grad(set_to_none=True)
        if ours.keys() != theirs.keys():
            raise AssertionError(f"{subject.title}: {name} has other parameters: {sorted(ours.keys() ^ theirs.keys())}")
        error = np.sqrt(sum(np.sum((ours[key] - theirs[key]) ** 2) for key in ours)) / size
        worst = max(worst, float(error))
    # Rounding flips a ReLU or a maximum here and there, between torch's own layouts as well.
    if not worst < (1e-2 if peers.matmul_dtype() is peers.torch.float32 else 0.2):
        raise AssertionError(f"{subject.title}: gradients differ by {worst:.1e}")
    count = sum(leaf.size for leaf in ours.values())
    return f"{count:,} parameters in each; gradients agree to {worst:.0e}"
