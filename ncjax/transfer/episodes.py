"""Few-shot episodes: which classes, which supports, which queries, drawn on the device from a key.

Episode i is a function of fold_in(key, i) alone, so the same episodes come out whatever the chunk size, the number of
devices or the number of episodes asked for. (Keys must be threefry keys, JAX's default: batched draws from `rbg` keys
depend on the batch.)
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple, no_type_check

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PRNGKeyArray, UInt32

from ncjax.metrics.arrays import as_array
from ncjax.metrics.platform import platform
from ncjax.options import check, option, whole_numbers
from ncjax.transfer.heads import Head, find_head

ArrayLike = Array | np.ndarray
ScalarInt = Int[Array, ""] | int


@dataclass(frozen=True)
class EpisodeSpec:
    """What an evaluation draws and measures; hashable, so that it can be a static argument.

    Attributes:
        chunk: episodes computed at once; None chooses as many as fit `chunk_bytes()`. Under vmap each of the mapped
            feature sets takes that much.

    Raises:
        ValueError: if a count is not a whole number in range, a list is empty, or a head's name is unknown.

    Examples:
        >>> EpisodeSpec(shots=(1, 5), heads=("ncm", "ridge")).samples_per_class
        20
    """

    ways: int = option(5, "classes a few-shot episode", at_least=2)
    shots: tuple[int, ...] = option(
        (5,),
        "numbers of supports a class; several share one draw: s shots are the first s supports of the largest",
        config=(1, 5),
        allows=lambda shots: bool(shots) and whole_numbers(1, shots),
        expected="at least one whole number of at least 1",
    )
    queries: int = option(15, "queries a class", at_least=1)
    episodes: int = option(10_000, "how many; in a config, 0 leaves few-shot accuracy out", config=500, at_least=1)
    heads: tuple[str | Head, ...] = option(
        ("ncm",), "names in ncjax.transfer.HEADS, or head objects", allows=bool, expected="at least one head"
    )
    chunk: int | None = None

    def __post_init__(self) -> None:
        check(self)
        if self.chunk is not None and not whole_numbers(1, (self.chunk,)):
            raise ValueError(f"chunk: got {self.chunk!r}, expected a whole number of at least 1")
        for head in self.heads:
            find_head(head)

    @property
    def samples_per_class(self) -> int:
        """Samples that an episode takes of each of its classes."""
        return max(self.shots) + self.queries


@no_type_check  # JAX rebuilds registered classes around things that are not arrays (specs, shapes, sentinels)
@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ClassIndex:
    """Which samples each class holds: a pytree to be passed to compiled functions, made by `class_index`.

    Attributes:
        order: int32 [n], the samples' indices, class after class.
        starts: int32 [classes], where each class starts in `order`.
        counts: int32 [classes], samples a class.
        smallest: label and number of samples of the smallest class (static).
    """

    order: Int[Array, " n"]
    starts: Int[Array, " classes"]
    counts: Int[Array, " classes"]
    smallest: tuple[int, int] = field(metadata={"static": True})


class Episodes(NamedTuple):
    """Indices of the samples of episodes, for one episode or with a leading axis of them.

    Attributes:
        support: int32 [..., ways, shots].
        query: int32 [..., ways, queries].
    """

    support: Int[Array, "*episodes ways shots"]
    query: Int[Array, "*episodes ways queries"]


def class_index(labels: ArrayLike) -> ClassIndex:
    """Lists the samples of each class, on the host.

    Args:
        labels: integers [n]; any values. A class is a value that occurs.

    Returns:
        The index, classes in ascending order of their labels.

    Raises:
        ValueError: if `labels` are not a vector of integers or are empty.

    Examples:
        >>> index = class_index(np.array([7, 3, 7, 7]))
        >>> index.order.tolist(), index.counts.tolist(), index.smallest
        ([1, 0, 2, 3], [1, 3], (3, 1))
    """
    # Numbers of 64 bits stay what they are: any value is a label.
    values = labels if isinstance(labels, np.ndarray) else np.asarray(as_array("labels", labels))
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"labels: need a vector of at least one class label, got shape {values.shape}")
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"labels: need integers, got {values.dtype}")
    classes, counts = np.unique(values, return_counts=True)
    smallest = int(counts.argmin())
    return ClassIndex(
        order=jnp.asarray(np.argsort(values, kind="stable"), jnp.int32),
        starts=jnp.asarray(np.cumsum(counts) - counts, jnp.int32),
        counts=jnp.asarray(counts, jnp.int32),
        smallest=(int(classes[smallest]), int(counts[smallest])),
    )


def check_fits(table: ClassIndex, spec: EpisodeSpec) -> None:
    """Checks that a data set has enough classes and samples for the episodes asked for.

    Works on traced tables too: it reads shapes and static fields only.

    Raises:
        ValueError: if there are fewer classes than ways, or a class has fewer samples than an episode takes of it.

    Examples:
        >>> check_fits(class_index(np.array([0, 0, 1, 1, 1])), EpisodeSpec(ways=2, shots=(1,), queries=2))
        Traceback (most recent call last):
        ValueError: labels: class 0 has 2 samples, fewer than the 3 that an episode takes (1 shots + 2 queries)
    """
    num_classes = table.counts.shape[0]
    if spec.ways > num_classes:
        raise ValueError(f"ways: {spec.ways} is more than the {num_classes} classes among the labels")
    label, count = table.smallest
    if count < spec.samples_per_class:
        raise ValueError(
            f"labels: class {label} has {count} samples, fewer than the {spec.samples_per_class} that an episode takes "
            f"({max(spec.shots)} shots + {spec.queries} queries)"
        )


def sample_episode(table: ClassIndex, key: PRNGKeyArray, spec: EpisodeSpec) -> Episodes:
    """Draws one episode: ways classes out of all, then supports and queries of each, all without replacement.

    Every ordered choice is equally likely. The classes and the queries do not depend on the number of shots, and fewer
    shots take a prefix of the supports: accuracies at 1 and 5 shots of the same key are paired.

    Args:
        table: the samples of each class.
        key: the episode's own key.
        spec: ways, shots and queries (static).

    Returns:
        support [ways, max(shots)] and query [ways, queries]: indices into the labels.

    Raises:
        ValueError: if the data set is too small for the episode.

    Examples:
        >>> import jax
        >>> spec = EpisodeSpec(ways=2, shots=(1,), queries=2)
        >>> episode = sample_episode(class_index(np.arange(6) % 2), jax.random.key(0), spec)
        >>> sorted([*episode.support.ravel().tolist(), *episode.query.ravel().tolist()])
        [0, 1, 2, 3, 4, 5]
    """
    check_fits(table, spec)
    # One call for all random numbers: each call of threefry adds a quarter of a second to the compilation on a CPU.
    bits = jax.random.bits(key, (1 + spec.samples_per_class, spec.ways, 2), jnp.uint32)
    classes = draw_without_replacement(bits[0], jnp.asarray(table.counts.shape[0], jnp.int32))
    members = draw_without_replacement(bits[1:], table.counts[classes])
    samples = table.order[table.starts[classes][None, :] + members].T
    return Episodes(support=samples[:, spec.queries :], query=samples[:, : spec.queries])


def sample_episodes(table: ClassIndex, key: PRNGKeyArray, spec: EpisodeSpec, first: ScalarInt = 0) -> Episodes:
    """Draws the episodes that an evaluation with this key uses, for instance to hand them to other software.

    Args:
        table: the samples of each class.
        key: the evaluation's key.
        spec: ways, shots, queries and the number of episodes (static).
        first: number of the first episode.

    Returns:
        support [episodes, ways, max(shots)] and query [episodes, ways, queries]: indices into the labels.

    Raises:
        ValueError: if the data set is too small for the episodes.

    Examples:
        >>> import jax
        >>> spec = EpisodeSpec(ways=2, shots=(1, 2), queries=1, episodes=3)
        >>> sample_episodes(class_index(np.arange(6) % 2), jax.random.key(0), spec).support.shape
        (3, 2, 2)
    """
    numbers = jnp.arange(spec.episodes) + first
    return _sample_numbered(table, key, numbers, spec)


@partial(jax.jit, static_argnames="spec")
def _sample_numbered(
    table: ClassIndex, key: PRNGKeyArray, numbers: Int[Array, " episodes"], spec: EpisodeSpec
) -> Episodes:
    return jax.vmap(lambda number: sample_episode(table, jax.random.fold_in(key, number), spec))(numbers)


def draw_without_replacement(
    bits: UInt32[Array, " num *sets 2"], sizes: Int[Array, " *sets"]
) -> Int[Array, " num *sets"]:
    """Draws `num` different positions out of each of several ranges, in random order.

    The first `num` steps of a Fisher–Yates shuffle, without the array that is shuffled: step i swaps position i with a
    uniform one of [i, size). This maps the size·(size − 1)⋯ possible swaps one to one onto the ordered choices, so the
    draw is as uniform as the swaps. They are remainders of 64-bit numbers: the probabilities of two positions differ by
    less than 2⁻⁴⁸ of their value for sizes up to 65,536, and above that by about the size times 2⁻³².
    Cost num², whatever the sizes. A smaller `num` gives a prefix of the same draw.

    Args:
        bits: random bits, two words a position.
        sizes: sizes of the ranges, each at least `num`; may be traced.

    Returns:
        Positions, [i, s] in [0, sizes[s]), all different along the first axis.

    Examples:
        >>> import jax
        >>> bits = jax.random.bits(jax.random.key(0), (4, 1, 2))
        >>> sorted(draw_without_replacement(bits, jax.numpy.array([4])).ravel().tolist())
        [0, 1, 2, 3]
    """
    steps = jnp.arange(bits.shape[0], dtype=jnp.int32).reshape((-1,) + (1,) * sizes.ndim)
    return follow_swaps(steps + _remainder(bits, (sizes[None] - steps).astype(jnp.uint32)).astype(jnp.int32))


def follow_swaps(swaps: Int[Array, " num *sets"]) -> Int[Array, " num *sets"]:
    """Returns the first `num` elements of 0, 1, 2, … after swapping position i with swaps[i], for i = 0, 1, ….

    The element that ends at i is found by following the swaps from swaps[i] back to the start.

    Args:
        swaps: positions, swaps[i] ≥ i.

    Examples:
        >>> import jax.numpy as jnp
        >>> follow_swaps(jnp.array([2, 2, 2])).tolist()  # 0 1 2 -> 2 1 0 -> 2 0 1
        [2, 0, 1]
    """
    num = swaps.shape[0]
    steps = jnp.arange(num, dtype=jnp.int32).reshape((num,) + (1,) * (swaps.ndim - 1))

    def undo(done: Int[Array, ""], position: Int[Array, " num *sets"]) -> Int[Array, " num *sets"]:
        step = num - 2 - done
        swapped = jax.lax.dynamic_index_in_dim(swaps, step, axis=0)
        return jnp.where((steps > step) & (position == swapped), step, position)

    return jax.lax.fori_loop(0, num - 1, undo, swaps)


def _remainder(words: UInt32[Array, "*shape 2"], divisor: UInt32[Array, "*shape"]) -> UInt32[Array, "*shape"]:
    """(2³²·words[…, 0] + words[…, 1]) mod divisor, in 32-bit arithmetic that is exact for divisors up to 65,536."""
    half = jnp.uint32(2**16) % divisor
    return (words[..., 0] % divisor * (half * half % divisor) + words[..., 1] % divisor) % divisor


def chunk_bytes() -> int:
    """Memory that the features of the episodes of one chunk may take: 8 MiB on a CPU (its cache), 256 MiB elsewhere.

    Examples:
        >>> chunk_bytes() >= 2**23
        True
    """
    return 2**23 if platform() == "cpu" else 2**28


def chunk_sizes(spec: EpisodeSpec, feature_dim: int, itemsize: int) -> tuple[int, int]:
    """Divides the episodes into equal chunks that respect the memory bound.

    Args:
        spec: the episodes.
        feature_dim: d.
        itemsize: bytes a feature.

    Returns:
        The number of chunks and the episodes in each; their product may exceed the number of episodes by a few.

    Examples:
        >>> chunk_sizes(EpisodeSpec(episodes=10, chunk=4), feature_dim=8, itemsize=4)
        (3, 4)
    """
    supports = spec.ways * max(spec.shots)
    per_episode = (spec.ways * spec.samples_per_class * feature_dim + supports**2) * itemsize
    chunk = spec.chunk or max(1, chunk_bytes() // per_episode)
    num_chunks = math.ceil(spec.episodes / chunk)
    return num_chunks, math.ceil(spec.episodes / num_chunks)
