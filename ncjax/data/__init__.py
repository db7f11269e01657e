"""Named data sets as arrays in memory."""

from ncjax.data.augmentation import Augmentation, augment
from ncjax.data.cache import SplitBlocks, cache_root
from ncjax.data.class_names import class_lists
from ncjax.data.dataset import Dataset, Split, normalize, pixel_statistics
from ncjax.data.labels import coarse_groups, coarsen, long_tail, noisy_labels, random_labels
from ncjax.data.outline import outline
from ncjax.data.preparation import prepare
from ncjax.data.registry import SOURCES, Source, load, names, tfds_source
from ncjax.data.spec import DataSpec
from ncjax.data.streaming import BatchBlocks, stream
from ncjax.data.tfds_directory import NotPreparedError, tfds_root
from ncjax.data.views import class_subset, concatenate, sample_subset, select_classes, split_by_class

__all__ = [
    "SOURCES",
    "Augmentation",
    "BatchBlocks",
    "DataSpec",
    "Dataset",
    "NotPreparedError",
    "Source",
    "Split",
    "SplitBlocks",
    "augment",
    "cache_root",
    "class_lists",
    "class_subset",
    "coarse_groups",
    "coarsen",
    "concatenate",
    "load",
    "long_tail",
    "names",
    "noisy_labels",
    "normalize",
    "outline",
    "pixel_statistics",
    "prepare",
    "random_labels",
    "sample_subset",
    "select_classes",
    "split_by_class",
    "stream",
    "tfds_root",
    "tfds_source",
]
