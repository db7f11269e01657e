import jax
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from ncjax.data import BatchBlocks, Split, stream

NUM, BATCH, STEPS = 11, 4, 3


def order(seed, epoch):
    return np.random.default_rng([seed, epoch]).permutation(NUM)


def expected_batch(seed, step):
    epoch, position = divmod(step, NUM // BATCH)
    return order(seed, epoch)[position * BATCH : (position + 1) * BATCH]


@pytest.fixture
def split():
    images = np.arange(NUM, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    return Split(images, np.arange(NUM, dtype=np.int32), tuple("abcdefghijk"))


@pytest.fixture
def blocks(split):
    return BatchBlocks(split, order, (3, 8, 3, 1), BATCH, STEPS)


@pytest.fixture
def sharding():
    mesh = jax.make_mesh((4, 2), ("runs", "batch"), axis_types=(AxisType.Auto,) * 2)
    return NamedSharding(mesh, PartitionSpec("runs", None, "batch"))


@pytest.mark.parametrize("block", [0, 1, 5])
def test_a_block_holds_the_batches_of_its_steps_over_the_ends_of_epochs(blocks, block):
    images, labels = blocks.read(block)
    steps = range(block * STEPS, (block + 1) * STEPS)
    assert labels.tolist() == [[expected_batch(seed, step).tolist() for step in steps] for seed in blocks.seeds]
    np.testing.assert_array_equal(images[..., 1, 1, 0], labels)


def test_parts_of_a_block_make_up_the_block(blocks):
    parts = [
        [blocks.read(2, runs, batch)[1] for batch in (slice(0, 2), slice(2, 4))] for runs in (slice(1), slice(1, 4))
    ]
    np.testing.assert_array_equal(np.concatenate([np.concatenate(row, axis=2) for row in parts]), blocks.read(2)[1])


def test_a_stream_puts_each_device_its_part_of_the_blocks_in_order(blocks, sharding):
    arrived = list(stream(blocks, sharding, first=1, count=4))
    assert len(arrived) == 3
    for number, (images, labels) in enumerate(arrived, start=1):
        assert images.sharding == labels.sharding == sharding
        np.testing.assert_array_equal(labels, blocks.read(number)[1])
        np.testing.assert_array_equal(images, blocks.read(number)[0])
        assert {shard.data.shape for shard in labels.addressable_shards} == {(1, STEPS, 2)}


def test_each_part_is_read_once_a_block_and_only_where_a_device_holds_it(blocks, sharding, monkeypatch):
    read, asked = BatchBlocks.read, []

    def noting(self, block, runs, batch):
        asked.append((block, runs.start, batch.start))
        return read(self, block, runs, batch)

    monkeypatch.setattr(BatchBlocks, "read", noting)
    list(stream(blocks, sharding, first=0, count=1))
    assert sorted(asked) == [(0, run, sample) for run in range(4) for sample in (0, 2)]


def test_an_error_in_reading_reaches_the_consumer(blocks, sharding, monkeypatch):
    def fail(*_):
        raise OSError("the disk is gone")

    monkeypatch.setattr(BatchBlocks, "read", fail)
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream(blocks, sharding, first=0, count=1))
