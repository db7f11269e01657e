"""Every public function compiles once for each set of shapes and options, whatever objects it is given."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics, transfer
from ncjax.metrics.compiled import compiled, compiled_by_content

KEY = jax.random.key(0)
H = np.random.default_rng(0).normal(size=(24, 4)).astype(np.float32)
Y = np.arange(24) % 3
W, B, S = jnp.asarray(H[:4, :3]), jnp.zeros(3), jnp.ones((3, 3))
SPEC = transfer.EpisodeSpec(ways=3, shots=(1,), queries=2, episodes=4)


def stats():
    return metrics.class_stats(H, Y, 3)


def loss(weights, features):
    return jnp.sum(jnp.tanh(features @ weights) ** 2)


# Functions are made anew at each call, as in a loop.
CALLS = {
    "between_variance": lambda: metrics.between_variance(stats()),
    "bootstrap": lambda: metrics.bootstrap(lambda s: 2 * metrics.variance_ratio(s), H, Y, 3, KEY, num_resamples=4),
    "bootstrap_splits": lambda: metrics.bootstrap_splits(lambda one: one[0].mean(), [(H, Y)], 3, KEY, num_resamples=4),
    "cdnv": lambda: metrics.cdnv(stats()),
    "cdnv_matrix": lambda: metrics.cdnv_matrix(stats()),
    "chain": lambda: metrics.chain(stats(), B, 1.0),
    "check_row_independence": lambda: metrics.check_row_independence(lambda x: x @ W, H),
    "class_mean_complexity": lambda: metrics.class_mean_complexity(H[:, 0], Y, 3),
    "class_poincare_constants": lambda: metrics.class_poincare_constants(H, Y, 3, KEY, num_features=8),
    "class_stats": stats,
    "classifier_certificate": lambda: metrics.classifier_certificate(H, Y, 3, W, B),
    "classify": lambda: metrics.classify(stats(), W, B, H),
    "collapse_report": lambda: metrics.collapse_report(stats(), W, 0.0, H, Y),
    "collapse_report_by_layer": lambda: metrics.collapse_report_by_layer({"a": H, "b": 2 * H}, Y, 3),
    "collapsed_to_a_point": lambda: metrics.collapsed_to_a_point(stats()),
    "complexity_penalty": lambda: metrics.complexity_penalty(lambda x: x @ W, H, KEY),
    "directional_cdnv": lambda: metrics.directional_cdnv(H, Y, 3),
    "directional_cdnv_of_sums": lambda: metrics.directional_cdnv_of_sums(stats(), B),
    "directional_sums": lambda: metrics.directional_sums(stats(), H, Y),
    "class_separation": lambda: metrics.class_separation(H, Y, 3),
    "directional_complexity": lambda: metrics.directional_complexity(lambda x: 2 * x, H, Y, stats()),
    "directional_complexity_bound": lambda: metrics.directional_complexity_bound(stats(), S, 1.0),
    "directional_geometric_collapse": lambda: metrics.directional_geometric_collapse(stats(), S),
    "class_ranks": lambda: metrics.class_ranks(H, Y, 3),
    "lidar": lambda: metrics.lidar(stats()),
    "effective_rank": lambda: metrics.effective_rank(B),
    "gradient_outer_products": lambda: metrics.gradient_outer_products(lambda x: x @ W, H, H[:2]),
    "linear_cka": lambda: metrics.linear_cka(H, H),
    "nc0": lambda: metrics.nc0(W),
    "nc5": lambda: metrics.nc5(stats(), H),
    "neco": lambda: metrics.neco(H, H, 2),
    "participation_ratio": lambda: metrics.participation_ratio(B),
    "rank_report": lambda: metrics.rank_report(H, 3),
    "singular_values": lambda: metrics.singular_values(H),
    "spectrum_slope": lambda: metrics.spectrum_slope(B),
    "stable_rank": lambda: metrics.stable_rank(B),
    "top_input_directions": lambda: metrics.top_input_directions(lambda x: x @ W, H, KEY, num_values=1, num_products=2),
    "top_variance": lambda: metrics.top_variance(B, 1),
    "principal_angles": lambda: metrics.principal_angles(H, H[:, :2]),
    "weight_angles": lambda: metrics.weight_angles(stats(), W),
    "one_versus_rest": lambda: metrics.one_versus_rest(stats(), W),
    "uniformity_moments": lambda: metrics.uniformity_moments(stats()),
    "duality_moments": lambda: metrics.duality_moments(stats(), W),
    "norm_moments": lambda: metrics.norm_moments(stats()),
    "class_table": lambda: metrics.class_table(H, Y, 3, min_count=2),
    "rows_of_frequent_classes": lambda: metrics.rows_of_frequent_classes(Y, 3, 2),
    "minority_collapse": lambda: metrics.minority_collapse(W, np.arange(3) > 0),
    "separation_law": lambda: metrics.separation_law(jnp.abs(H[0])),
    "gradient_outer_product": lambda: metrics.gradient_outer_product(lambda x: x @ W, H),
    "neural_feature_correlation": lambda: metrics.neural_feature_correlation(np.eye(4, dtype=np.float32), W),
    "dropped_rows": lambda: metrics.dropped_rows(Y, 3),
    "few_shot_certificate": lambda: metrics.few_shot_certificate(H, Y, 3, shots=5),
    "first_layer_inequality": lambda: metrics.first_layer_inequality(lambda k, x: jnp.tanh(x @ k), W, H),
    "geometric_collapse_pooled": lambda: metrics.geometric_collapse_pooled(stats(), 1.0),
    "geometric_collapse_tight": lambda: metrics.geometric_collapse_tight(stats(), B),
    "geometric_complexity": lambda: metrics.geometric_complexity(lambda x: jax.nn.relu(x @ W), H),
    "geometric_complexity_by_layer": lambda: metrics.geometric_complexity_by_layer(lambda x: {"a": x @ W}, H),
    "held_out_report": lambda: metrics.held_out_report(stats(), H, Y),
    "hessian_eigenvalues": lambda: metrics.hessian_eigenvalues(lambda *a: loss(*a), W, H, key=KEY, num_products=4),
    "hessian_trace": lambda: metrics.hessian_trace(lambda *a: loss(*a), W, H, key=KEY, num_probes=4),
    "hyperspherical_uniformity": lambda: metrics.hyperspherical_uniformity(stats()),
    "loss_gradient_norm": lambda: metrics.loss_gradient_norm(lambda *a: loss(*a), W, H),
    "mse_decomposition": lambda: metrics.mse_decomposition(stats(), W, B, 1e-3),
    "nc1": lambda: metrics.nc1(stats()),
    "nc2_equiangularity": lambda: metrics.nc2_equiangularity(stats(), W),
    "nc2_equinorm": lambda: metrics.nc2_equinorm(stats(), W),
    "nc2_etf": lambda: metrics.nc2_etf(stats(), W),
    "nc2_maxangle": lambda: metrics.nc2_maxangle(stats(), W),
    "nc3": lambda: metrics.nc3(stats(), W),
    "nc4": lambda: metrics.nc4(stats(), W, B, H),
    "ncc_error": lambda: metrics.ncc_error(stats(), H, Y),
    "nearest_class_mean": lambda: metrics.nearest_class_mean(stats(), H),
    "nearest_mean_bound": lambda: metrics.nearest_mean_bound(0.1, 3, 5),
    "poincare_constant": lambda: metrics.poincare_constant(H, KEY, num_features=8),
    "poincare_lower_bound": lambda: metrics.poincare_lower_bound(H, Y, 3),
    "resample_within_classes": lambda: metrics.resample_within_classes(KEY, Y, 3),
    "sam_sharpness": lambda: metrics.sam_sharpness(lambda *a: loss(*a), W, H),
    "spectrum_between": lambda: metrics.spectrum_between(stats()),
    "spectrum_within": lambda: metrics.spectrum_within(stats()),
    "squared_distances": lambda: metrics.squared_distances(stats()),
    "train_test_report": lambda: metrics.train_test_report(H, Y, 3, test=(H, Y), kernel=W, bias=B),
    "variance_ratio": lambda: metrics.variance_ratio(stats()),
    "vci": lambda: metrics.vci(stats()),
    "accuracy_interval": lambda: transfer.accuracy_interval(B),
    "choose_head": lambda: transfer.choose_head(H, Y, KEY, ways=3, shots=1, queries=2, episodes=4),
    "episode_results": lambda: transfer.episode_results(H, transfer.class_index(Y), KEY, SPEC),
    "few_shot": lambda: transfer.few_shot(H, Y, KEY, ways=3, shots=1, queries=2, episodes=4),
    "given_episode_results": lambda: transfer.given_episode_results(
        H, transfer.sample_episodes(transfer.class_index(Y), KEY, SPEC), SPEC
    ),
    "gbc": lambda: transfer.gbc(H, Y, 3),
    "h_score": lambda: transfer.h_score(H, Y, 3),
    "h_score_shrunk": lambda: transfer.h_score_shrunk(H, Y, 3),
    "leep": lambda: transfer.leep(H, Y, 3),
    "log_me": lambda: transfer.log_me(H, Y, 3),
    "scores": lambda: transfer.scores(H, Y, 3),
    "trans_rate": lambda: transfer.trans_rate(H, Y, 3),
    "knn_accuracy": lambda: transfer.knn_accuracy(H, Y, H, Y, 3),
    "linear_probe": lambda: transfer.linear_probe(H, Y, H, Y, 3, KEY, head="ridge"),
    "sample_episodes": lambda: transfer.sample_episodes(transfer.class_index(Y), KEY, SPEC),
}
# No program of their own: on the host, part of a program, or the first part of a function above.
WITHOUT = {"all_reduce", "caveats", "check_fits", "checked_features", "class_index", "find_head", "read_episodes"}
WITHOUT |= {
    "read_npz",
    "write_episodes",
    "sample_episode",
    "minimise",
    "episode_accuracies",
    "given_episode_accuracies",
}


@pytest.fixture(scope="module")
def listened():
    names: list[object] = []

    def listen(event: str, duration_secs: float, **data: str | int) -> None:
        if "backend_compile_duration" in event:
            names.append(data)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return names


@pytest.fixture
def compilations(listened):
    del listened[:]
    return listened


@pytest.mark.structure
@pytest.mark.parametrize("name", CALLS)
def test_a_second_call_compiles_nothing(name, compilations):
    CALLS[name]()
    del compilations[:]
    CALLS[name]()
    assert not compilations


def test_the_second_calls_cover_every_public_function():
    public = {name for room in (metrics, transfer) for name in room.__all__ if inspect.isfunction(getattr(room, name))}
    jitted = (name for name in metrics.__all__ if hasattr(getattr(metrics, name), "lower"))
    public |= {name for name in jitted if not inspect.isclass(getattr(metrics, name))}
    assert public - WITHOUT == set(CALLS)


@pytest.mark.slow
def test_a_report_keeps_its_order():
    assert next(iter(CALLS["collapse_report"]())) == "collapsed_to_a_point"
    assert next(iter(CALLS["train_test_report"]())).startswith("train/")


def test_weights_that_change_in_place_are_read_anew(compilations):
    holder = {"weights": 2 * jnp.eye(4)}
    embed = lambda x: x @ holder["weights"]  # noqa: E731
    before = metrics.geometric_complexity(embed, H).mean
    del compilations[:]
    holder["weights"] = 3 * jnp.eye(4)
    assert (float(before), float(metrics.geometric_complexity(embed, H).mean)) == (16, 36)
    assert not compilations


@pytest.mark.parametrize("other", [lambda x: jnp.sin(x) * 2, lambda x: jnp.cos(x) * 3, lambda x: x * 2])
def test_functions_that_compute_something_else_are_told_apart(other):
    first = lambda x: jnp.cos(x) * 2  # noqa: E731
    x = jnp.ones(3)
    np.testing.assert_allclose(compiled_by_content(first, x), first(x), rtol=1e-6)
    np.testing.assert_allclose(compiled_by_content(other, x), other(x), rtol=1e-6)


def test_a_derivative_goes_through_weights_that_the_function_holds():
    slope = jax.grad(lambda w: metrics.geometric_complexity(lambda x: w * x, H).mean)(3.0)
    assert float(slope) == pytest.approx(24)


def test_options_may_be_lists_and_numbers_of_numpy():
    total = compiled("powers", "times")(lambda x, powers, times: sum(x**power for power in powers) * times)
    assert float(total(jnp.float32(2), powers=[1, 2], times=np.int64(3))) == 18
