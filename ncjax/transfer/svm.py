"""The linear support vector machine as a few-shot head, solved on the host by liblinear."""

import warnings
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Array, Float

from ncjax.transfer.precision import support_coordinates


@dataclass(frozen=True)
class LinearSVM:
    """Multi-class linear support vector machine of Crammer and Singer, without intercept: MetaOptNet's SVM head.

    With supports s_i of way y_i the scores of a query q are Wᵀq, where W minimises
    ½‖W‖² + C Σ_i max_w (1 − [w = y_i] + (W_w − W_{y_i})ᵀs_i).

    No well-kept solver runs inside a compiled JAX program, so each episode is handed to liblinear (through
    scikit-learn) on the host. Use it from `few_shot`: about a millisecond an episode, on one core whatever the
    accelerator; in a sweep it holds up the devices.

    Attributes:
        c: C > 0, the weight of the hinge losses; 0.1 is MetaOptNet's. It acts on the features as they come.

    Raises:
        ValueError: if `c` is not positive and finite.

    Source: Crammer, Singer 2001, https://jmlr.org/papers/v2/crammer01a.html; as a head Lee et al. 2019
    (MetaOptNet), https://arxiv.org/abs/1904.03758.

    Example:
        >>> import jax.numpy as jnp
        >>> support = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> LinearSVM(c=1.0).scores(support, jnp.array([[3.0, 1.0], [0.2, 0.9]])).argmax(axis=1).tolist()
        [0, 1]
    """

    c: float = 0.1

    def __post_init__(self) -> None:
        if not 0 < self.c < float("inf"):
            raise ValueError(f"c: the svm head needs a positive, finite number, got {self.c}")

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:  # noqa: ARG002
        """Leaves the features as they are."""
        return features

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query by its margin."""
        ways = support.shape[0]
        samples, queries = support_coordinates(support, query)
        result = jax.ShapeDtypeStruct((query.shape[0], ways), samples.dtype)

        def on_host(samples: Array, queries: Array) -> np.ndarray:
            # JAX's own arrays come in: their operations must not be called from inside a running program.
            rows, columns = np.asarray(samples), np.asarray(queries)
            batch = rows.shape[:-2]
            flat = zip(rows.reshape(-1, *rows.shape[-2:]), columns.reshape(-1, *columns.shape[-2:]), strict=True)
            scores = [_margins(self.c, ways, *episode) for episode in flat]
            return np.stack(scores).reshape(*batch, *result.shape).astype(result.dtype)

        return jax.pure_callback(on_host, result, samples, queries, vmap_method="broadcast_all")


def _margins(c: float, ways: int, samples: np.ndarray, queries: np.ndarray) -> np.ndarray:
    # Imported here: the machine's own import takes as long as the rest of the package.
    from sklearn.svm import LinearSVC

    if not (np.isfinite(samples).all() and np.isfinite(queries).all()):
        return np.full((len(queries), ways), np.nan)
    solver = LinearSVC(C=c, multi_class="crammer_singer", fit_intercept=False, max_iter=10_000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a solver that stops early says so in a warning; its margins are near enough
        solver.fit(samples.astype(np.float64), np.repeat(np.arange(ways), len(samples) // ways))
    scores = queries.astype(np.float64) @ solver.coef_.T
    return scores if ways > 2 else np.hstack([-scores, scores])
