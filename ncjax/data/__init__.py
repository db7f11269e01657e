"""Named data sets as arrays in memory."""

from ncjax.data.cache import cache_root
from ncjax.data.dataset import Dataset, Split, normalize, pixel_statistics
from ncjax.data.registry import SOURCES, Source, load, names
from ncjax.data.spec import DataSpec
from ncjax.data.views import class_subset, concatenate, select_classes, split_by_class

__all__ = [
    "SOURCES",
    "DataSpec",
    "Dataset",
    "Source",
    "Split",
    "cache_root",
    "class_subset",
    "concatenate",
    "load",
    "names",
    "normalize",
    "pixel_statistics",
    "select_classes",
    "split_by_class",
]
