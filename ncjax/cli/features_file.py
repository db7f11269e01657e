"""Reads features that any framework saved with numpy.savez, and says one clear line where they do not fit."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Split = tuple[np.ndarray, np.ndarray]

_NAMES = ("features", "labels", "kernel", "bias", "test_features", "test_labels")
_LISTED = 8


@dataclass(frozen=True, eq=False)
class FeaturesFile:
    """Features of one or two splits, checked, with their classifier if there is one.

    Attributes:
        train: [n, d] floats and [n] int32 from 0 to C - 1.
        test: the same of the test split, or None.
        classes: the label in the file of each of the C classes.
        kernel: [d, C] or None.
        bias: [C] or None.
        kernel_layout: how the file holds the kernel: "[d, C]", "[C, d]", "[d, C] (assumed)", or None without one.
        notes: what a reader of the numbers has to know, a sentence each.
    """

    train: Split
    test: Split | None
    classes: tuple[int, ...]
    kernel: np.ndarray | None
    bias: np.ndarray | None
    kernel_layout: str | None
    notes: tuple[str, ...]


def read_features(path: Path) -> FeaturesFile:
    """Reads an .npz file; nothing in it is ever unpickled.

    Args:
        path: of a file with the arrays `features` [n, d] and `labels` [n], and optionally `kernel` [d, C] (or [C, d],
            as in PyTorch), `bias` [C], `test_features` [m, d] and `test_labels` [m]. Without a kernel the classes are
            the labels that occur; with one they are its columns.

    Returns:
        The checked arrays.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no .npz file, lacks an array, or an array does not fit.
    """
    from ncjax.transfer import read_npz

    arrays, there = read_npz(path, _NAMES, "numpy.savez(path, features=…, labels=…)")
    unknown = sorted(set(there) - set(_NAMES))
    notes = [f"not read: {_listed(unknown)}; the names read are {', '.join(_NAMES)}"] if unknown else []
    splits = {"": _split(arrays, "", there)}
    if "test_features" in arrays or "test_labels" in arrays:
        splits["test_"] = _split(arrays, "test_", there)
        if splits["test_"][0].shape[1] != splits[""][0].shape[1]:
            raise ValueError(
                f"test_features: got {splits['test_'][0].shape[1]} columns, expected the {splits[''][0].shape[1]} of "
                "features"
            )
    kernel, bias, layout = _classifier(arrays, splits[""][0].shape[1])
    if kernel is None:
        classes = np.unique(np.concatenate([labels for _, labels in splits.values()]))
    else:
        classes = np.arange(kernel.shape[1])
        for prefix, (_, labels) in splits.items():
            if labels.max() >= len(classes):
                raise ValueError(
                    f"{prefix}labels: got {labels.max()}, expected 0..{len(classes) - 1} for the kernel's "
                    f"{len(classes)} classes"
                )
    if len(np.unique(splits[""][1])) < 2:
        raise ValueError(f"labels: all samples are of class {splits[''][1][0]}, expected at least two classes")
    indexed = {
        prefix: (features, np.searchsorted(classes, labels).astype(np.int32))
        for prefix, (features, labels) in splits.items()
    }
    for prefix, split in indexed.items():
        notes += _sample_notes(f"{prefix}labels", split, classes)
    notes += _numbering_note(classes)
    if layout == "[d, C] (assumed)":
        assert kernel is not None
        notes.append(_square_kernel_note(indexed[""], kernel, bias))
    elif layout == "[C, d]":
        notes.append("kernel: stored as [C, d], as PyTorch does, and transposed")
    return FeaturesFile(indexed[""], indexed.get("test_"), tuple(classes.tolist()), kernel, bias, layout, tuple(notes))


def _split(arrays: Mapping[str, np.ndarray], prefix: str, there: list[str]) -> Split:
    for name in (f"{prefix}features", f"{prefix}labels"):
        if name not in arrays:
            raise ValueError(f"{name}: no such array in the file, which holds {_listed(there) or 'nothing'}")
    features = _floats(arrays, f"{prefix}features", 2)
    if features.shape[1] == 0 or features.shape[0] == 0:
        raise ValueError(f"{prefix}features: got shape {features.shape}, expected at least one row and one column")
    labels = arrays[f"{prefix}labels"]
    if not np.issubdtype(labels.dtype, np.integer):
        raise ValueError(f"{prefix}labels: got {labels.dtype}, expected integers")
    if labels.shape != features.shape[:1]:
        raise ValueError(
            f"{prefix}labels: got shape {labels.shape}, expected {features.shape[:1]}, one a row of features"
        )
    if labels.min() < 0:
        raise ValueError(f"{prefix}labels: got {labels.min()}, expected 0 or above")
    return features, labels


def _floats(arrays: Mapping[str, np.ndarray], name: str, ndim: int) -> np.ndarray:
    array = arrays[name]
    if array.dtype not in (np.float16, np.float32, np.float64):
        raise ValueError(f"{name}: got {array.dtype}, expected floats of 16, 32 or 64 bits")
    if array.ndim != ndim:
        raise ValueError(f"{name}: got shape {array.shape}, expected {ndim} {'axes' if ndim > 1 else 'axis'}")
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"{name}: {len(wrong)} values are not finite, the first {array[place]} at {place}")
    return array


def _classifier(arrays: Mapping[str, np.ndarray], dim: int) -> tuple[np.ndarray | None, np.ndarray | None, str | None]:
    if "kernel" not in arrays:
        if "bias" in arrays:
            raise ValueError("bias: given without a kernel, expected both or none")
        return None, None, None
    kernel = _floats(arrays, "kernel", 2)
    rows, columns = kernel.shape
    if rows == columns == dim:
        layout = "[d, C] (assumed)"
    elif rows == dim:
        layout = "[d, C]"
    elif columns == dim:
        kernel, layout = kernel.T, "[C, d]"
    else:
        raise ValueError(f"kernel: got shape {kernel.shape}, expected [d, C] or [C, d] with d = {dim}")
    if kernel.shape[1] < 2:
        raise ValueError(f"kernel: got shape {(rows, columns)}, expected at least two classes")
    bias = _floats(arrays, "bias", 1) if "bias" in arrays else None
    if bias is not None and len(bias) != kernel.shape[1]:
        raise ValueError(f"bias: got {len(bias)} entries, expected the kernel's {kernel.shape[1]} classes")
    return kernel, bias, layout


def _sample_notes(name: str, split: Split, classes: np.ndarray) -> list[str]:
    from ncjax.metrics import caveats

    features, labels = split
    counts = np.bincount(labels, minlength=len(classes))
    return [f"{name}: {sentence}" for sentence in caveats(counts, features.shape[1], classes)]


def _numbering_note(classes: np.ndarray) -> list[str]:
    if np.array_equal(classes, np.arange(len(classes))):
        return []
    numbering = "np.unique(labels, return_inverse=True)[1] numbers them; ncjax.metrics takes labels from 0 alone"
    return [f"labels: {_listed(classes)} are classes 0..{len(classes) - 1} in ascending order, as {numbering}"]


def _square_kernel_note(split: Split, kernel: np.ndarray, bias: np.ndarray | None) -> str:
    features, labels = split
    offset = 0 if bias is None else bias[None, :]
    errors = [float((np.argmax(features @ matrix + offset, axis=1) != labels).mean()) for matrix in (kernel, kernel.T)]
    return (
        f"kernel: square, so its layout cannot be told; taken as [d, C], where it errs on {errors[0]:.1%} of the train "
        f"samples (as [C, d]: {errors[1]:.1%})"
    )


def _listed(names: object) -> str:
    listed = [str(name) for name in np.asarray(names).tolist()]
    return ", ".join(listed[:_LISTED]) + (f" and {len(listed) - _LISTED} more" if len(listed) > _LISTED else "")
