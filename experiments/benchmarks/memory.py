"""Memory of compiled programs, as XLA plans it, against what was set aside."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks import gc
from experiments.benchmarks.case import Case, Options, Target
from experiments.benchmarks.subjects import Network, network
from ncjax import metrics

GIB = 2**30
# What geometric_complexity sets aside for the intermediate values of a block of samples, on CPUs and elsewhere.
_SET_ASIDE_ON_CPU, _SET_ASIDE = 2 * GIB, GIB / 2


def memory(options: Options) -> Iterator[Case]:
    """Exact complexity of VGG-13 at batch 256 with the default chunks, and the collapse report."""
    subject = network("convnet4", widths=(4, 4, 4, 4), norm="none") if options.quick else network("vgg13")
    batch = 8 if options.quick else 256
    title = f"exact complexity, {subject.title}, d = {subject.embedding_dim}, batch {batch}"
    if options.wants(title):
        planned = exact_memory(subject, batch, options)
        set_aside = _SET_ASIDE_ON_CPU if jax.default_backend() == "cpu" else _SET_ASIDE
        yield Case(
            "memory",
            title,
            targets=(
                Target("GiB planned", planned / GIB, 4.0, at_least=False),
                Target("over what is set aside", planned / set_aside, 1.5, at_least=False),
            ),
            notes=(f"{planned / GIB:.2f} GiB of temporary memory, {set_aside / GIB:.1f} set aside for a block",),
        )
    samples, dim, classes = (500, 16, 4) if options.quick else (50_000, 512, 100)
    title = f"collapse_report, {samples:,} × {dim}, C = {classes}"
    if options.wants(title):
        planned = report_memory(samples, dim, classes)
        size = 4 * samples * dim
        yield Case(
            "memory",
            title,
            targets=(Target("copies of the features", planned / size, 2.0, at_least=False),),
            notes=(f"{planned / 2**20:.0f} MiB of temporary memory for features of {size / 2**20:.0f} MiB",),
        )


def planned_bytes(compiled: Any) -> int:
    """Temporary memory of a compiled program, arguments and results not counted."""
    return int(compiled.memory_analysis().temp_size_in_bytes)


def exact_memory(subject: Network, batch: int, options: Options) -> int:
    """Temporary bytes of the exact complexity of a batch."""
    images = jax.ShapeDtypeStruct((batch, *subject.image_shape), jnp.float32)
    return planned_bytes(gc.exact_value(subject, options).lower(subject.variables, images).compile())


def report_memory(samples: int, dim: int, classes: int) -> int:
    """Temporary bytes of class statistics and collapse report."""

    def report(features: Any, labels: Any) -> dict[str, Any]:
        return metrics.collapse_report(metrics.class_stats(features, labels, classes), None, None, features, labels)

    features = jax.ShapeDtypeStruct((samples, dim), jnp.float32)
    labels = jax.ShapeDtypeStruct((samples,), jnp.int32)
    return planned_bytes(jax.jit(partial(report)).lower(features, labels).compile())
