"""What a reader of the measures has to know: where one cannot mean what its name says."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer

from ncjax.metrics.arrays import ArrayLike

_LISTED = 8


def caveats(
    counts: Integer[ArrayLike, " C"], dim: int, class_names: Sequence[Any] | np.ndarray | None = None
) -> tuple[str, ...]:
    """Where the measures of collapse of given features do not mean what their names say, a sentence each.

    On the host, from `stats.counts` and `stats.dim`: under a trace no number can be looked at.

    Args:
        counts: [C] samples of each class.
        dim: Number of features d.
        class_names: Names of the C classes; their numbers by default.

    Returns:
        Sentences, none where nothing is to be said.

    Examples:
        >>> for sentence in caveats(np.array([9, 1, 9, 9]), dim=2):
        ...     print(sentence)  # doctest: +NORMALIZE_WHITESPACE
        one sample only of class 1: without variance within, it lowers cdnv, nc1, vci and variance_ratio
        2 features cannot hold a simplex of 4 classes, which takes 3: nc2_equiangularity and nc2_maxangle cannot reach
        0, nc2_etf cannot fall below 0.61, and nc1 and vci are taken on rank 2
    """
    numbers = np.asarray(counts)
    names = np.arange(len(numbers)) if class_names is None else np.asarray(class_names)
    present, samples = int((numbers > 0).sum()), int(numbers.sum())
    sentences = []
    if present < len(numbers):
        sentences.append(f"no sample of class {_listed(names[numbers == 0])}: absent classes take part in no mean")
    if present < 2:
        sentences.append("one class at most: what compares classes is not a number")
    if (numbers == 1).any():
        sentences.append(
            f"one sample only of class {_listed(names[numbers == 1])}: without variance within, it lowers cdnv, nc1, "
            "vci and variance_ratio"
        )
    if dim < present - 1:
        # The cosine between a Gram matrix of rank d and the frame's of rank C - 1 is sqrt(d / (C - 1)) at most.
        least = (2 - 2 * (dim / (present - 1)) ** 0.5) ** 0.5
        sentences.append(
            f"{dim} features cannot hold a simplex of {present} classes, which takes {present - 1}: nc2_equiangularity "
            f"and nc2_maxangle cannot reach 0, nc2_etf cannot fall below {least:.2g}, and nc1 and vci are taken on "
            f"rank {dim}"
        )
    if samples < dim + present:
        sentences.append(
            f"{samples} samples in {dim} dimensions: with fewer than d + C, vci says nothing about the distribution"
        )
    return tuple(sentences)


def _listed(names: np.ndarray) -> str:
    shown = ", ".join(map(str, names[:_LISTED].tolist()))
    return shown + (f" and {len(names) - _LISTED} more" if len(names) > _LISTED else "")
