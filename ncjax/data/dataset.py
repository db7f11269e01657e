"""Labelled images in memory: the arrays that training, measuring and transfer share."""

import dataclasses
import functools
import hashlib
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int32, Int64, UInt8

_PIXELS_AT_ONCE = 1 << 24


@dataclass(frozen=True, eq=False)
class Split:
    """Labelled images: one part of a data set.

    Args:
        images: `[n, h, w, c]` uint8, 0 to 255; may be a read-only memory map.
        labels: `[n]` int32 positions in `class_names`.
        class_names: a name for each class, all different.
        fine_labels: `[n]` int32 positions in `fine_class_names`, where `labels` are coarse: not trained on, kept to
            probe for. None: there are none.
        fine_class_names: a name for each fine class, all different.

    Raises:
        ValueError: if shapes, types or labels do not fit each other.

    Examples:
        >>> split = Split(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1], np.int32), ("cat", "dog"))
        >>> split.num_classes, len(split)
        (2, 2)
    """

    images: UInt8[np.ndarray, "n h w c"]
    labels: Int32[np.ndarray, " n"]
    class_names: tuple[str, ...]
    fine_labels: Int32[np.ndarray, " n"] | None = None
    fine_class_names: tuple[str, ...] = ()

    def __post_init__(self):
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise ValueError(f"images must be uint8 [n, h, w, c]; got {self.images.dtype} {list(self.images.shape)}")
        self._check("", self.labels, self.class_names)
        if self.fine_labels is not None:
            self._check("fine_", self.fine_labels, self.fine_class_names)

    def _check(self, kind: str, labels: np.ndarray, names: tuple[str, ...]) -> None:
        if labels.shape != self.images.shape[:1] or labels.dtype != np.int32:
            raise ValueError(
                f"{kind}labels must be int32 [{len(self.images)}], one for each image; "
                f"got {labels.dtype} {list(labels.shape)}"
            )
        if len(set(names)) != len(names):
            raise ValueError(f"{kind}class_names must all be different")
        if labels.size and not 0 <= labels.min() <= labels.max() < len(names):
            raise ValueError(
                f"{kind}labels must lie in 0..{len(names) - 1}, as there are {len(names)} class names; "
                f"got {labels.min()}..{labels.max()}"
            )

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: Int32[np.ndarray, " k"] | Int64[np.ndarray, " k"] | Bool[np.ndarray, " n"]) -> "Split":
        """Some of the images with all that belongs to them.

        Args:
            index: positions in the order wanted, or `[n]` bools.

        Returns:
            A split of the same classes.
        """
        fine = None if self.fine_labels is None else self.fine_labels[index]
        return dataclasses.replace(self, images=self.images[index], labels=self.labels[index], fine_labels=fine)

    @property
    def num_classes(self) -> int:
        """Number of classes, also of those without an image."""
        return len(self.class_names)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set as experiments use it: the splits, and the train split's pixel statistics.

    Args:
        name: the name in the registry.
        train: images to train on; labels 0 to C-1.
        test: held-out images of the same classes with the same labels.
        validation: classes never trained on, to choose by; own labels from 0. None where there is none.
        target: classes never trained on, to report few-shot transfer on; own labels from 0. None where there is none.
        mean: `[c]` mean of the train split's pixels scaled to [0, 1].
        std: `[c]` their standard deviation; 1 for a constant channel.

    Raises:
        ValueError: if train and test differ in classes, or splits in image shape.

    Examples:
        >>> split = Split(np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1), np.array([0, 1], np.int32), ("cat", "dog"))
        >>> pets = Dataset("pets", split, split, None, None, *pixel_statistics(split.images))
        >>> pets.train.num_classes
        2
    """

    name: str
    train: Split
    test: Split
    validation: Split | None
    target: Split | None
    mean: Float32[np.ndarray, " c"]
    std: Float32[np.ndarray, " c"]

    def __post_init__(self):
        if self.train.class_names != self.test.class_names:
            raise ValueError(f"test of {self.name!r} must have the classes of train, in the same order")
        for name, split in (("test", self.test), ("validation", self.validation), ("target", self.target)):
            if split is not None and split.images.shape[1:] != self.train.images.shape[1:]:
                raise ValueError(
                    f"{name} of {self.name!r} must have images of shape {self.train.images.shape[1:]}, "
                    f"as train has; got {split.images.shape[1:]}"
                )

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the images and labels of train, test and target.

        Computed from all of them when it is first asked for; of a cached data set it is known beforehand.
        """
        digest = hashlib.sha256()
        for split in (self.train, self.test, self.target):
            if split is not None:
                digest.update(np.ascontiguousarray(split.images).data)
                digest.update(np.ascontiguousarray(split.labels).data)
        return digest.hexdigest()


def pixel_statistics(
    images: UInt8[np.ndarray, "n h w c"],
) -> tuple[Float32[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
    """Mean and standard deviation of each channel's pixels scaled to [0, 1].

    Counted from the histogram of the 256 values, so exact and independent of the images' order. A constant channel
    gets the standard deviation 1: normalised, it is zero.

    Args:
        images: `[n, h, w, c]` uint8.

    Returns:
        Mean `[c]` and standard deviation `[c]` (population, dividing by n), float32.

    Raises:
        ValueError: if there is no image.

    Examples:
        >>> images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
        >>> pixel_statistics(images)
        (array([0.5], dtype=float32), array([0.5], dtype=float32))
    """
    if not images.size:
        raise ValueError("images must hold at least one image; got none")
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), np.int64)
    step = max(1, _PIXELS_AT_ONCE // images[0].size)
    for start in range(0, len(images), step):
        block = images[start : start + step]
        for channel in range(channels):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    values = np.arange(256) / 255.0
    share = counts / counts.sum(1, keepdims=True)
    mean = share @ values
    std = np.sqrt((share * (values[None, :] - mean[:, None]) ** 2).sum(1))
    constant = np.count_nonzero(counts, axis=1) == 1
    return mean.astype(np.float32), np.where(constant, 1.0, std).astype(np.float32)


def normalize(
    images: UInt8[Array | np.ndarray, "*batch c"],
    mean: Float[Array | np.ndarray, " c"],
    std: Float[Array | np.ndarray, " c"],
) -> Float32[Array, "*batch c"]:
    """Images as a model receives them: scaled to [0, 1], less the mean, over the standard deviation.

    Geometric complexity is taken with respect to this array; it scales with the square of `std`.

    Args:
        images: `[..., c]` uint8.
        mean: `[c]`, of pixels scaled to [0, 1].
        std: `[c]`, likewise.

    Returns:
        `[..., c]` float32.

    Examples:
        >>> images = np.array([0, 255], np.uint8).reshape(2, 1, 1, 1)
        >>> normalize(images, np.array([0.5], np.float32), np.array([0.5], np.float32)).ravel()
        Array([-1.,  1.], dtype=float32)
    """
    shape = (1,) * (images.ndim - 1) + (-1,)
    scaled = jnp.asarray(images).astype(jnp.float32) / 255.0
    return (scaled - jnp.reshape(mean, shape)) / jnp.reshape(std, shape)
