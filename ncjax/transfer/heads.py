"""Few-shot heads: classifiers fitted to the handful of labelled samples of one episode.

A head is a frozen, hashable object with two pure methods. `prepare` sees the whole feature set once, before any
episode; `scores` sees one episode, and the way with the largest score is the prediction. A head that iterates also has
`solve`, which tells how far it came. To add a head, write such a class and add one line to `HEADS`.
"""

import difflib
import math
from dataclasses import dataclass
from functools import partial
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ncjax.plugins import is_plugin, load_plugin
from ncjax.transfer.logistic import LogisticRegression
from ncjax.transfer.options import is_positive
from ncjax.transfer.precision import about_mean, centered, matmul, range_exponent, times_power_of_two, unit_range
from ncjax.transfer.svm import LinearSVM


@runtime_checkable
class Head(Protocol):
    """What a few-shot classifier has to offer."""

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:
        """Transforms the whole feature set, once for all episodes."""

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query for each way from prepared features; the largest score is the prediction."""


@runtime_checkable
class IterativeHead(Head, Protocol):
    """A classifier whose fit is found step by step, and which says how well it was found."""

    def solve(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> tuple[Float[Array, "queries ways"], Float[Array, ""]]:
        """The scores, and the norm of the objective's gradient where the fit stopped, in the head's own unit."""


@dataclass(frozen=True)
class NearestMean:
    """Nearest class mean in Euclidean distance, the rule of prototypical networks.

    `scores` are 2⟨q, m⟩ − ‖m‖² halved, which orders the ways as −‖q − m‖² does. `prepare` moves and scales the whole
    feature set by one shift and one power of two: no comparison changes, and neither a large common mean nor very small
    features (as at deep collapse) cost precision.

    Source: Snell, Swersky, Zemel 2017, equations 1 and 2, https://arxiv.org/abs/1703.05175.

    Examples:
        >>> import jax.numpy as jnp
        >>> support = jnp.array([[[0.0, 0.0], [0.0, 2.0]], [[4.0, 0.0], [4.0, 2.0]]])  # means (0, 1) and (4, 1)
        >>> NearestMean().scores(support, jnp.array([[1.0, 5.0], [3.0, 5.0]])).argmax(axis=1).tolist()
        [0, 1]
    """

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:
        """Shifts the features by `center` (default: their mean) and scales them to unit range."""
        return centered(features, center)

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query by its distance to each way's mean support."""
        means = support.mean(axis=1)
        return matmul(query, means.T) - 0.5 * jnp.sum(means**2, axis=1)[None, :]


@dataclass(frozen=True)
class NearestMeanCosine:
    """Nearest class mean of centred features of unit length, the CL2N rule of SimpleShot.

    The features are centred and divided by their norms, and queries are compared with the mean of each way's unit
    supports in Euclidean distance. With one shot this is the largest cosine similarity; with more shots the means are
    left at the length they have. SimpleShot centres by the mean of the *source* classes' features: pass it as
    `center`. The mean of the given features, the default, also knows the unlabelled target samples. A feature at the
    centre has no direction and stays zero.

    Source: Wang, Chao, Weinberger, van der Maaten 2019, https://arxiv.org/abs/1911.04623.

    Examples:
        >>> import jax.numpy as jnp
        >>> head = NearestMeanCosine()
        >>> head.prepare(jnp.array([[4.0, 1.0], [1.0, 3.0], [1.0, 1.0]]), center=jnp.ones(2)).tolist()
        [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    """

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:
        """Centres the features by `center` (default: their mean) and divides each by its norm."""
        directions = centered(features, center)
        norms = jnp.linalg.norm(directions, axis=1, keepdims=True)
        return jnp.where(norms == 0, 0, directions / jnp.where(norms == 0, 1, norms))

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query by its distance to each way's mean unit support."""
        return NearestMean().scores(support, query)


@dataclass(frozen=True)
class Ridge:
    """Ridge regression onto one-hot targets, without intercept.

    With supports S [ways·shots, d] and one-hot targets Y the scores of queries Q are Q Sᵀ (S Sᵀ + λI)⁻¹ Y: no
    intercept, no centring, λ not divided by the number of supports, so the same as scikit-learn's
    `Ridge(alpha=λ, fit_intercept=False)`, and the same ordering as MetaOptNet's ridge head. `scores` are these minus
    their mean over the ways, which no comparison of ways sees and which would round small differences away.

    A large common mean costs no precision, since it never enters a Gram matrix. Let c be the mean of the n supports,
    R = S − 1cᵀ, p = q − c, A = RᵀR + λI, Ỹ = Y − 1/ways. As every way has as many supports, Rᵀ1 = 0 and Ỹᵀ1 = 0, so the
    normal equations of S are those of R with one rank added, (A + n c cᵀ) W = RᵀỸ + n c ȳ. The formula of Sherman and
    Morrison solves them, with W₀ = A⁻¹RᵀỸ, h = A⁻¹c and κ = cᵀh:
    scores(q) = pᵀW₀ − (n pᵀh − 1)/(1 + nκ) · cᵀW₀.
    Where features outnumber supports the same is computed in the dual, by A⁻¹ = (I − Rᵀ(R Rᵀ + λI)⁻¹R)/λ. All is
    divided by a power of two beforehand, and λ by its square, so that no size of features leaves the range. Beyond
    λ = 2⁶⁰ of their unit, where the ordering no longer depends on λ, the scores are too large by a common factor.

    λ is absolute by default: it acts on the features as they come, so features ten times larger feel a λ a hundred
    times smaller. Published numbers are made this way. To compare feature sets of unlike scale (as in a sweep of
    learning rate or weight decay), `relative` measures λ in units of the mean squared coordinate over the whole
    feature set: the classifier then does not depend on the features' scale. A common mean counts in that unit: the
    larger it is beside the differences, the more queries go to one way. Centre such features.

    Attributes:
        l2: λ > 0. 50 is the value of MetaOptNet.
        relative: whether λ is in units of the features' mean squared coordinate.

    Raises:
        ValueError: if `l2` is not positive and finite.

    Source: Bertinetto et al. 2019 (R2D2), https://arxiv.org/abs/1805.08136; λ of Lee et al. 2019
    (MetaOptNet), https://arxiv.org/abs/1904.03758.

    Examples:
        >>> import jax.numpy as jnp
        >>> support = jnp.array([[[1.0, 0.0]], [[0.0, 1.0]]])
        >>> Ridge(l2=1.0).scores(support, jnp.array([[3.0, 1.0]])).round(5).tolist()
        [[0.5, -0.5]]
    """

    l2: float = 50.0
    relative: bool = False

    def __post_init__(self) -> None:
        if not is_positive(self.l2):
            raise ValueError(f"l2: the ridge head needs a positive, finite number, got {self.l2}")

    def prepare(self, features: Float[Array, "n d"], center: Float[Array, " d"] | None) -> Float[Array, "n d"]:  # noqa: ARG002
        """Leaves the features as they are or, if `relative`, divides them by their root mean square coordinate."""
        if not self.relative:
            return features
        scaled = unit_range(features)
        rms = jnp.sqrt(jnp.mean(scaled**2))
        return scaled / jnp.where(rms == 0, 1, rms)

    def scores(
        self, support: Float[Array, "ways shots d"], query: Float[Array, "queries d"]
    ) -> Float[Array, "queries ways"]:
        """Scores each query by its regression onto each way's indicator, minus the mean over the ways."""
        ways, shots, dim = support.shape
        episode = about_mean(support, query)
        exponent = range_exponent(*episode)
        samples, queries, mean = (times_power_of_two(part, -exponent) for part in episode)
        number, eye = ways * shots, partial(jnp.eye, dtype=samples.dtype)
        targets = jnp.repeat(eye(ways), shots, axis=0) - 1 / ways
        fraction, power = math.frexp(self.l2)
        strength = jnp.ldexp(jnp.asarray(fraction, samples.dtype), jnp.clip(power - 2 * exponent, -100, 60))
        # Rounding makes the Gram matrix of large features indefinite where their norms dwarf λ; this much more λ, below
        # the precision of the sum, keeps the factorisation defined.
        spread = jnp.sum(samples**2)
        strength = strength + 4 * jnp.finfo(samples.dtype).eps * spread
        column = mean[:, None]
        if dim < number:
            normal = matmul(samples.T, samples) + strength * eye(dim)
            kernel = _solved(normal, jnp.hstack([matmul(samples.T, targets), column]))
            of_queries, of_mean, unit = (
                matmul(queries, kernel),
                matmul(column.T, kernel)[0],
                jnp.ones((), samples.dtype),
            )
        else:
            along = matmul(samples, column)
            # The targets and `along` have no part in the direction of ones, where the Gram matrix is zero.
            gram = matmul(samples, samples.T) + strength * eye(number) + spread / number**2
            dual = _solved(gram, jnp.hstack([targets, along]))
            taken = matmul(along.T, dual)[0]
            of_queries, of_mean, unit = matmul(matmul(queries, samples.T), dual), taken, strength
            of_queries = of_queries.at[:, -1].set(matmul(queries, column)[:, 0] - of_queries[:, -1])
            of_mean = of_mean.at[-1].set(jnp.sum(mean**2) - taken[-1])
        share = (number * of_queries[:, -1:] - unit) / (unit + number * jnp.maximum(of_mean[-1], 0))
        # One product, though it multiplies by ones: a compiler may compute a sum of products twice, for the maximum and
        # for what is compared with it, and round it once with a fused multiplication and once without.
        combined = jnp.vstack([eye(ways), -of_mean[None, :-1]])
        return matmul(jnp.hstack([of_queries[:, :-1], share]), combined)


def _solved(matrix: Float[Array, "k k"], right: Float[Array, "k m"]) -> Float[Array, "k m"]:
    return jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix, lower=True), right)


HEADS: dict[str, Head] = {
    "ncm": NearestMean(),
    "ncm_cosine": NearestMeanCosine(),
    "ridge": Ridge(),
    "ridge_relative": Ridge(relative=True),
    "logistic": LogisticRegression(),
    "svm": LinearSVM(),
}


def find_head(head: str | Head) -> Head:
    """Returns the head of a name; a head object is returned as it is.

    Args:
        head: a name in `HEADS`, MODULE:NAME of a class or an object of your own, or an object with the methods of
            `Head`.

    Raises:
        ValueError: if the name is unknown (the message suggests the nearest) or the object is no head.

    Examples:
        >>> find_head("ridge")
        Ridge(l2=50.0, relative=False)
    """
    if not isinstance(head, str):
        if not isinstance(head, Head):
            raise ValueError(f"head: needs a name ({', '.join(HEADS)}) or a head object, got {head!r}")
        return head
    if head not in HEADS and is_plugin(head):
        found = load_plugin(head, "head")
        return find_head(found() if isinstance(found, type) else found)
    if head not in HEADS:
        nearest = difflib.get_close_matches(head, HEADS, n=1, cutoff=0.4)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"head: unknown name {head!r}, known are {', '.join(HEADS)}{hint}")
    return HEADS[head]
