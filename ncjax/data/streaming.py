"""Batches read from the cache while training goes on, for data sets that do not fit on the device.

Reading is through grain: threads gather blocks of batches from the memory-mapped images, other threads copy them to the
devices, both ahead of the training that consumes them.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import Sharding
from jaxtyping import Int, Int32, UInt8

from ncjax.data.dataset import Split

BLOCKS_AHEAD = 2
"""Blocks that wait on the devices beside the one in use; another one may be on its way there."""


@dataclass(frozen=True, eq=False)
class BatchBlocks:
    """The batches of a group of runs, in blocks of consecutive steps, any part of which can be read by itself.

    Block b holds steps b·`steps` to (b + 1)·`steps` − 1. Every epoch takes its samples in a new order, cut into
    `n // batch_size` batches; the samples left over sit this epoch out.

    Args:
        split: images to train on, best a memory map, and their labels.
        order: from a run's seed and an epoch to a permutation of the split's `n` samples.
        seeds: of the runs; runs of equal seeds get equal batches.
        batch_size: samples a step.
        steps: in a block.

    Examples:
        >>> split = Split(np.zeros((6, 8, 8, 1), np.uint8), np.arange(6, dtype=np.int32), tuple("abcdef"))
        >>> blocks = BatchBlocks(split, lambda seed, epoch: np.roll(np.arange(6), epoch), (0,), batch_size=2, steps=2)
        >>> blocks.shape, blocks.read(1)[1].tolist()  # the third batch, then the first of the next epoch
        ((1, 2, 2, 8, 8, 1), [[[4, 5], [5, 0]]])
    """

    split: Split
    order: Callable[[int, int], Int[np.ndarray, " n"]]
    seeds: tuple[int, ...]
    batch_size: int
    steps: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a block's images: [runs, steps, batch, h, w, c]."""
        return (len(self.seeds), self.steps, self.batch_size, *self.split.images.shape[1:])

    def read(
        self, block: int, runs: slice = slice(None), batch: slice = slice(None)
    ) -> tuple[UInt8[np.ndarray, "runs steps batch h w c"], Int32[np.ndarray, "runs steps batch"]]:
        """A block, or the part of it that some runs and some of each batch's samples make up.

        Args:
            block: its number, from 0.
            runs: which runs.
            batch: which samples of every batch.

        Returns:
            Images and labels.
        """
        seeds = self.seeds[runs]
        parts = {}
        for seed in dict.fromkeys(seeds):
            taken = np.stack([self._batch(seed, block * self.steps + step)[batch] for step in range(self.steps)])
            parts[seed] = (self.split.images[taken], self.split.labels[taken])
        images, labels = zip(*(parts[seed] for seed in seeds), strict=True)
        return np.stack(images), np.stack(labels)

    def _batch(self, seed: int, step: int) -> Int[np.ndarray, " batch"]:
        epoch, position = divmod(step, len(self.split) // self.batch_size)
        return self._orders(seed, epoch)[position * self.batch_size : (position + 1) * self.batch_size]

    @functools.cached_property
    def _orders(self) -> Callable[[int, int], Int[np.ndarray, " n"]]:
        # A block spans two epochs at most times, and threads work on neighbouring blocks.
        return functools.lru_cache(maxsize=4 * len(set(self.seeds)))(self.order)


def stream(
    blocks: BatchBlocks, sharding: Sharding, first: int, count: int, threads: int = 2
) -> Iterator[tuple[jax.Array, jax.Array]]:
    """Blocks on the devices, read and copied ahead of their use.

    A process reads only the parts that its own devices hold, so several hosts share the reading.

    Args:
        blocks: what to read.
        sharding: of arrays [runs, steps, batch, ...] over devices; it may divide the first and third axes.
        first: number of the first block.
        count: number of blocks in all; those from `first` to `count` − 1 come.
        threads: that read at once.

    Returns:
        Iterator over images [runs, steps, batch, h, w, c] uint8 and labels [runs, steps, batch] int32.

    Examples:
        >>> split = Split(np.zeros((6, 8, 8, 1), np.uint8), np.arange(6, dtype=np.int32), tuple("abcdef"))
        >>> blocks = BatchBlocks(split, lambda seed, epoch: np.arange(6), (0, 1), batch_size=3, steps=2)
        >>> device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
        >>> [labels.shape for images, labels in stream(blocks, device, first=1, count=3)]
        [(2, 2, 3), (2, 2, 3)]
    """
    # Here, since it takes a second to import and few need it.
    import grain

    source = grain.MapDataset.source(_LocalParts(blocks, sharding))[first:count]
    options = grain.ReadOptions(num_threads=threads, prefetch_buffer_size=threads)
    on_devices = source.to_iter_dataset(options).map(functools.partial(_to_devices, blocks.shape, sharding))
    return iter(grain.experimental.ThreadPrefetchIterDataset(on_devices, prefetch_buffer_size=BLOCKS_AHEAD))


class _LocalParts:
    """The parts of each block that this process's devices hold, by their place in the whole."""

    def __init__(self, blocks: BatchBlocks, sharding: Sharding) -> None:
        self._blocks = blocks
        where = sharding.addressable_devices_indices_map(blocks.shape)
        self._places = {_place(index, blocks.shape) for index in where.values() if index is not None}

    def __len__(self) -> int:
        # Training knows its own end.
        return 2**31

    def __getitem__(self, block: Any) -> dict[Any, tuple[np.ndarray, np.ndarray]]:
        return {place: self._blocks.read(int(block), slice(*place[0]), slice(*place[1])) for place in self._places}


def _to_devices(shape: tuple[int, ...], sharding: Sharding, parts: dict[Any, Any]) -> tuple[jax.Array, jax.Array]:
    def part(kind: int, index: Any) -> np.ndarray:
        return parts[_place(index, shape)][kind]

    images = jax.make_array_from_callback(shape, sharding, functools.partial(part, 0))
    labels = jax.make_array_from_callback(shape[:3], sharding, functools.partial(part, 1))
    return images, labels


def _place(index: tuple[slice, ...], shape: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which runs and which samples of a batch a device holds."""
    (run_start, run_stop, _), (batch_start, batch_stop, _) = index[0].indices(shape[0]), index[2].indices(shape[2])
    return (run_start, run_stop), (batch_start, batch_stop)
