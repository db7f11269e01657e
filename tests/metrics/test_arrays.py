from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from ncjax import metrics

ROWS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
LABELS = np.arange(6) % 2
pytestmark = pytest.mark.usefixtures("unchecked")


class Tensor:
    """How a PyTorch tensor answers NumPy, on a GPU, with a gradient or in half precision."""

    def __init__(self, problem: Exception):
        self.problem = problem

    def __repr__(self):
        # Names of tests must not hold addresses: workers would disagree on them.
        return f"Tensor({type(self.problem).__name__})"

    def detach(self):
        return self

    def __array__(self, dtype=None, copy=None):
        raise self.problem


GRADIENT = "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
ATTACHED: Any = Tensor(RuntimeError(GRADIENT))
HALF = Tensor(TypeError("Got unsupported ScalarType BFloat16"))


def double(x):
    return 2 * x


FUNCTIONS = {
    "geometric_complexity": lambda rows: metrics.geometric_complexity(double, rows),
    "complexity_penalty": lambda rows: metrics.complexity_penalty(double, rows, jax.random.key(0)),
    "check_row_independence": lambda rows: metrics.check_row_independence(double, rows),
    "first_layer_inequality": lambda rows: metrics.first_layer_inequality(lambda k, x: x @ k, np.eye(3), rows),
    "poincare_constant": lambda rows: metrics.poincare_constant(rows, jax.random.key(0)),
    "class_poincare_constants": lambda rows: metrics.class_poincare_constants(rows, LABELS, 2, jax.random.key(0)),
    "poincare_lower_bound": lambda rows: metrics.poincare_lower_bound(rows, LABELS, 2),
    "class_stats": lambda rows: metrics.class_stats(rows, LABELS, 2),
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ATTACHED, r"cannot be read as an array, got Tensor: pass `\w+\.detach\(\)\.float\(\)\.cpu\(\)\.numpy\(\)`$"),
        (HALF, r"cannot be read as an array, got Tensor: pass"),
        (None, "must be an array of numbers, got None$"),
        (ROWS.astype(object), "must be an array of numbers, got object$"),
        (ROWS.astype(str), "must be an array of numbers, got <U"),
        (ROWS.astype("m8[s]"), "must be an array of numbers, got timedelta"),
        (ROWS.astype(np.longdouble), r"must have at most 64 bits a number, got \w+: pass"),
        (np.ma.masked_array(ROWS, ROWS > 0), "must not be a masked array"),
        ([[1.0], [1.0, 2.0]], "cannot be read as an array, got list: "),
        (ROWS.astype(np.complex64), "must hold floats.*, got complex64"),
        (LABELS[:, None], "must hold floats.*, got int"),
        (ROWS[:, :0], r"got (shape )?\(6, 0\)"),
    ],
    ids=str,
)
def test_what_is_no_array_of_floats_gets_one_line(function, rows, message):
    with pytest.raises(ValueError, match=f"^(images|features) {message}" if message[0] != "g" else message) as caught:
        FUNCTIONS[function](rows)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("function", ["geometric_complexity", "class_stats", "poincare_lower_bound"])
@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_foreign_byte_order_changes_no_number(function, dtype):
    own, foreign = FUNCTIONS[function](ROWS), FUNCTIONS[function](ROWS.astype(dtype))
    jax.tree.map(np.testing.assert_array_equal, own, foreign)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16])
def test_small_floats_are_computed_with_in_single_precision(dtype):
    small = ROWS.astype(dtype)
    stats, expected = FUNCTIONS["class_stats"](small), FUNCTIONS["class_stats"](small.astype(np.float32))
    jax.tree.map(np.testing.assert_array_equal, stats, expected)
    estimate: Any = FUNCTIONS["geometric_complexity"](small)
    assert estimate.mean.dtype == jnp.float32


@pytest.mark.parametrize("number", [np.int64(2), np.uint8(2), jnp.int32(2)])
def test_a_number_of_classes_may_be_an_integer_of_any_library(number):
    np.testing.assert_array_equal(metrics.class_stats(ROWS, LABELS, number).counts, [3, 3])
    np.testing.assert_array_equal(metrics.class_mean_complexity(ROWS[:, 0] * 0, LABELS, number), [0, 0])
    assert metrics.poincare_lower_bound(ROWS, LABELS, number).shape == (2,)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (2.0, "num_classes must be a whole number, got 2.0"),
        (None, "num_classes must be a whole number, got None"),
        (0, "num_classes must be at least 1, got 0"),
    ],
)
def test_what_is_no_number_of_classes_gets_one_line(number, message):
    for function in (metrics.class_stats, metrics.poincare_lower_bound):
        with pytest.raises(ValueError, match=message):
            function(ROWS, LABELS, number)


def test_a_traced_number_of_classes_is_named():
    with pytest.raises(ValueError, match="num_classes fixes shapes and must be known while tracing"):
        jax.jit(lambda number: metrics.class_stats(ROWS, LABELS, number))(2)


class Foreign:
    """An array of another library: NumPy can read it, and its attributes are methods, as PyTorch's are."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values

    def size(self):
        return self.values.shape


def test_features_and_labels_of_another_library_are_read():
    features, labels = np.eye(4, dtype=np.float32), np.arange(4) % 2
    foreign: list[Any] = [Foreign(features), Foreign(labels)]
    value = metrics.directional_cdnv(*foreign, num_classes=2)
    assert float(value) == float(metrics.directional_cdnv(features, labels, num_classes=2))
    stats = metrics.class_stats(*foreign, num_classes=2)
    assert stats.counts.tolist() == [2, 2]


def test_labels_that_cannot_be_read_are_named():
    with pytest.raises(ValueError, match=r"labels cannot be read as an array, got Tensor: pass `labels\.detach"):
        metrics.class_stats(np.eye(4, dtype=np.float32), ATTACHED, num_classes=2)
