import jax
import numpy as np
import pytest

from ncjax import metrics


@pytest.mark.parametrize(
    ("counts", "dim", "sentence"),
    [
        ([9, 0, 9], 3, "no sample of class 1: absent classes take part in no mean"),
        ([9, 0], 3, "one class at most: what compares classes is not a number"),
        ([9, 1, 9], 3, "one sample only of class 1: without variance within"),
        ([9, 9, 9], 1, "1 features cannot hold a simplex of 3 classes, which takes 2"),
        ([3, 3, 3], 8, "9 samples in 8 dimensions: with fewer than d + C, vci says nothing"),
    ],
)
def test_each_case_is_said(counts, dim, sentence):
    assert any(said.startswith(sentence) for said in metrics.caveats(np.array(counts), dim))


def test_nothing_is_said_where_all_measures_mean_what_they_say():
    assert metrics.caveats(np.array([9, 9, 9]), 2) == ()


def test_names_stand_in_for_numbers_and_a_long_list_ends():
    assert "class cat:" in metrics.caveats(np.array([9, 0]), 2, ("dog", "cat"))[0]
    assert "6, 7 and 1 more:" in metrics.caveats(np.repeat([0, 5], [9, 2]), 1)[0]


@pytest.mark.parametrize(("classes", "dim"), [(4, 2), (9, 3), (30, 7)])
def test_no_frame_comes_nearer_to_a_simplex_than_is_said(classes, dim):
    least = (2 - 2 * (dim / (classes - 1)) ** 0.5) ** 0.5
    # A tight frame: orthonormal columns that sum to zero.
    rng = np.random.default_rng(0)
    centred = rng.normal(size=(classes, dim)) @ np.diag(1.0 + np.arange(dim))
    tight = np.linalg.qr(centred - centred.mean(axis=0))[0]
    for rows, reached in ((tight, True), (centred, False)):
        distance = float(metrics.nc2_etf(metrics.class_stats(rows.astype(np.float32), np.arange(classes), classes)))
        assert distance == pytest.approx(least, rel=1e-5) if reached else distance > least


def test_statistics_under_a_trace_have_no_caveats_to_tell():
    with pytest.raises(jax.errors.TracerArrayConversionError):
        jax.eval_shape(lambda counts: metrics.caveats(counts, 2), np.array([1, 2]))
