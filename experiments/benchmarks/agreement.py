"""Does the device compile the whole program, and does it compute what the CPU computes?"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import peers
from experiments.benchmarks.case import Options, Row
from experiments.benchmarks.collapse import clustered_features, report_function
from experiments.benchmarks.pipeline import first_group
from experiments.benchmarks.subjects import Network, network, normalised, pixels
from experiments.benchmarks.sweep import quickstart
from experiments.benchmarks.train import one_run
from ncjax import metrics, models, training, transfer

_Method = Literal["exact", "probes"]


def compile_check(options: Options) -> Iterator[Row]:
    """Compiles the quickstart's whole program (train, measure, transfer) and runs it once."""
    group = first_group(quickstart(options.quick))
    began = time.perf_counter()
    group.advance(0, 0, measuring=True)
    yield Row("compile", f"quickstart's program, {group.num_runs} runs, with its first measuring", _since(began), "s")
    began = time.perf_counter()
    measured = jax.device_get(group.advance(0, 2, measuring=True))
    yield Row("compile", "two steps and measuring", _since(began), "s")
    broken = sorted(name for name, values in measured.items() if not np.isfinite(values).all())
    yield Row("compile", "measurements", float(len(measured)), "names", f"not finite: {', '.join(broken) or 'none'}")


def agreement(options: Options) -> Iterator[Row]:
    """Relative differences between this device and the CPU of the same process, at each precision."""
    cpu, device = jax.devices("cpu")[0], jax.devices()[0]
    quantities: dict[str, Callable[[Any], Any]] = {
        "collapse_report, worst of its numbers": partial(_report, options),
        **{f"few-shot accuracy, {head}": partial(_few_shot, options, head) for head in ("ncm", "ridge", "logistic")},
    }
    for name in ("convnet4", "resnet18"):
        for method in get_args(_Method):
            quantities[f"geometric complexity, {method}, {name}"] = partial(_complexity, options, name, method)
        quantities[f"parameters' change in 3 steps, {name}"] = partial(_steps, options, name)
    for title, compute in quantities.items():
        if not options.wants(title):
            continue
        expected: Any = None
        for precision in ("float32", "tf32"):
            try:
                with jax.default_matmul_precision(peers.JAX_PRECISION[precision]):
                    if expected is None:
                        expected = compute(cpu)
                    found = compute(device)
            except Exception as error:
                yield Row.failed("agreement", title, error)
                break
            yield Row("agreement", title, _difference(found, expected), "relative", precision)


def _difference(found: dict[str, Any] | np.ndarray, expected: dict[str, Any] | np.ndarray) -> float:
    if isinstance(expected, dict):
        return max(_difference(np.asarray(found[name]), np.asarray(expected[name])) for name in expected)
    size = np.linalg.norm(np.asarray(expected, np.float64).ravel())
    change = np.linalg.norm((np.asarray(found, np.float64) - expected).ravel())
    return float(change / size) if size else float(change)


def _report(options: Options, device: Any) -> dict[str, Any]:
    sizes = (200, 8, 4) if options.quick else (20_000, 256, 10)
    return jax.device_get(report_function(sizes[2])(*jax.device_put(clustered_features(*sizes), device)))


def _few_shot(options: Options, head: str, device: Any) -> np.ndarray:
    features, labels, *_ = clustered_features(600, 16 if options.quick else 256, 10)
    # Between chance and certainty, where rounding can show.
    rows = jax.device_put(
        features + 2 * np.random.default_rng(1).normal(size=features.shape).astype(np.float32), device
    )
    spec = transfer.EpisodeSpec(episodes=20 if options.quick else 500, heads=(head,))
    table = jax.device_put(transfer.class_index(labels), device)
    key = jax.device_put(jax.random.key(0), device)
    measure: Callable[..., Any] = jax.jit(transfer.episode_accuracies, static_argnames="spec")
    return np.asarray(measure(rows, table, key, spec).mean())


def _subject(options: Options, name: str, device: Any) -> Network:
    """The network, its convolutions as each platform computes them."""
    lowering = models.resolve_lowering("auto", device.platform)
    if options.quick:
        return network(name, size=8, channels=1, widths=(4, 4, 4, 4), lowering=lowering)
    return network(name, size=28, channels=1, lowering=lowering)


def _complexity(options: Options, name: str, method: _Method, device: Any) -> np.ndarray:
    subject = _subject(options, name, device)
    count = 4 if name == "convnet4" or options.quick else 2
    variables, images = jax.device_put((subject.variables, normalised(pixels(count, subject.image_shape))), device)

    @jax.jit
    def value(variables: Any, images: Any, key: Any) -> Any:
        given = {} if method == "exact" else {"key": key, "num_probes": 4}
        embed = partial(subject.embed, variables)
        return metrics.geometric_complexity(embed, images, method=method, **given).per_sample

    return np.asarray(value(variables, images, jax.device_put(jax.random.key(0), device)))


def _steps(options: Options, name: str, device: Any) -> np.ndarray:
    subject = _subject(options, name, device)
    spec, inputs = one_run(subject, 8 if options.quick else 32, num_images=96)
    hyper = training.Hyper(jnp.float32(0.05), jnp.float32(0.9), jnp.float32(5e-4))
    seed = jnp.int32(0)
    state = jax.jit(partial(training.init_run, spec, image_shape=subject.image_shape))(hyper, seed)
    # The same start everywhere: initial weights are drawn on the default device.
    hyper, seed, state, inputs = jax.device_put((hyper, seed, state, inputs), device)
    advance = jax.jit(partial(training.train_steps, spec))
    after = advance(hyper, seed, state, inputs, *jax.device_put((jnp.int32(0), jnp.int32(3)), device))
    change = jax.tree.map(lambda new, old: np.subtract(new, old, dtype=np.float64), after.params, state.params)
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(change)])


def _since(began: float) -> float:
    return time.perf_counter() - began
