"""The linear support vector machine as a few-shot head, solved on the host."""

from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float

from ncjax.transfer.crammer_singer import crammer_singer
from ncjax.transfer.options import is_positive


@dataclass(frozen=True)
class LinearSVM:
    """Multi-class linear support vector machine of Crammer and Singer, without intercept: MetaOptNet's SVM head.

    With supports s_i of way y_i the scores of a query q are Wᵀq, where W minimises
    ½‖W‖² + C Σ_i max_w (1 − [w = y_i] + (W_w − W_{y_i})ᵀs_i).

    The episodes of a chunk are solved on the host in double precision (`crammer_singer`): about a millisecond an
    episode, on one core whatever the accelerator; in a sweep it holds up the devices. A large common mean of the
    features costs neither time nor digits. Outside 1e-3/n < C·s² < 1e8, s the largest distance of the n supports to
    their mean, C is taken at that limit: beyond it the ordering of the scores no longer depends on C.

    Attributes:
        c: C > 0, the weight of the hinge losses; 0.1 is MetaOptNet's. It acts on the features as they come.

    Raises:
        ValueError: if `c` is not positive and finite.

    Source: Crammer, Singer 2001, https://jmlr.org/papers/v2/crammer01a.html; as a head Lee et al. 2019
    (MetaOptNet), https://arxiv.org/abs/1904.03758.

    Examples:
        >>> import jax.numpy as jnp
        >>> support = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> LinearSVM(c=1.0).scores(support, jnp.array([[3.0, 1.0], [0.2, 0.9]])).argmax(axis=1).tolist()
        [0, 1]
    """

    c: float = 0.1

    def __post_init__(self) -> None:
        if not is_positive(self.c):
            raise ValueError(f"c: the svm head needs a positive, finite number, got {self.c}")

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:  # noqa: ARG002
        """Leaves the features as they are."""
        return features

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query by its margin."""
        ways = support.shape[0]
        result = jax.ShapeDtypeStruct((query.shape[0], ways), query.dtype)

        def on_host(support: Array, query: Array) -> np.ndarray:
            # JAX's own arrays come in: their operations must not be called from inside a running program.
            samples, queries = np.asarray(support, np.float64), np.asarray(query, np.float64)
            batch = samples.shape[:-3]
            samples = samples.reshape(-1, samples.shape[-3] * samples.shape[-2], samples.shape[-1])
            scores = margins(self.c, ways, samples, queries.reshape(-1, *queries.shape[-2:]))
            return scores.reshape(*batch, *result.shape).astype(result.dtype)

        return jax.pure_callback(on_host, result, support, query, vmap_method="broadcast_all")


def margins(c: float, ways: int, samples: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Scores of many episodes at once, in double precision.

    Args:
        c: C of `LinearSVM`.
        ways: number of ways.
        samples: supports [episodes, ways·shots, d], way after way.
        queries: [episodes, queries, d].

    Returns:
        [episodes, queries, ways]; NaN in episodes that hold a number that is not finite.

    Examples:
        >>> margins(1.0, 2, np.eye(2)[None], np.array([[[3.0, 1.0]]])).round(6).tolist()
        [[[1.0, -1.0]]]
    """
    number = samples.shape[1]
    targets = np.repeat(np.eye(ways), number // ways, axis=0)
    with np.errstate(invalid="ignore", over="ignore"):  # features that are not finite end as NaN
        distances = ((samples - samples.mean(axis=1, keepdims=True)) ** 2).sum(axis=2).max(axis=1)
        unit = np.where(distances == 0, 1, distances)
        gram = samples @ samples.swapaxes(1, 2) / unit[:, None, None]
        alpha = crammer_singer(gram, targets, np.clip(c * unit, 1e-3 / number, 1e8))
        scores = queries @ samples.swapaxes(1, 2) / unit[:, None, None] @ alpha
    finite = np.isfinite(samples).all(axis=(1, 2)) & np.isfinite(queries).all(axis=(1, 2))
    return np.where(finite[:, None, None], scores, np.nan)
