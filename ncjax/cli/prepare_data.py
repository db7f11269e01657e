"""Prepares a data set once, so that sweeps find it.

python -m experiments.prepare_data --dataset=fashion_mnist --source=/usr/share/datasets/fashion-mnist
"""

import time
from pathlib import Path

from absl import flags

from ncjax.cli import entry as launch

DATASET = flags.DEFINE_string("dataset", None, "Name of the data set, e.g. cifar10 or mini_imagenet.")
SOURCE = flags.DEFINE_string("source", "", "Folder of the original files; without it, what tensorflow_datasets has.")
DATA_DIR = flags.DEFINE_string("data_dir", None, "Folder of tensorflow_datasets; by default TFDS_DATA_DIR or its own.")
IMAGE_SIZE = flags.DEFINE_integer("image_size", 0, "Height and width for image files; by default the data set's own.")
flags.mark_flag_as_required("dataset")


def main() -> None:
    """Prepares the data set that the flags name and says what there is."""
    from ncjax import data

    start = time.perf_counter()
    spec = data.DataSpec(str(DATASET.value), source=str(SOURCE.value), image_size=IMAGE_SIZE.value)
    splits = data.prepare(spec, Path(DATA_DIR.value) if DATA_DIR.value else None)
    for name, split in splits.items():
        shape = "x".join(map(str, split.images.shape[1:]))
        print(
            f"{name}: {len(split)} images of {shape}, {split.num_classes} classes, {split.images.nbytes / 1e6:.0f} MB"
        )
    print(f"prepared in {time.perf_counter() - start:.1f} s; cache: {data.cache_root()}")


def start() -> None:
    """Runs the command."""
    launch.run(main)
