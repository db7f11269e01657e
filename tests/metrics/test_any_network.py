"""One small network with the same weights in four libraries: the library must not matter."""

import equinox
import flax.linen
import flax.nnx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import metrics

RNG = np.random.default_rng(0)
IMAGES = jnp.asarray(RNG.normal(size=(11, 2, 3)), jnp.float32)
FIRST = RNG.normal(size=(6, 8)).astype(np.float32)
OFFSET = RNG.normal(size=8).astype(np.float32)
SECOND = RNG.normal(size=(8, 5)).astype(np.float32)


def bare():
    return lambda images: jnp.tanh(images.reshape(images.shape[0], -1) @ FIRST + OFFSET[None, :]) @ SECOND


def linen():
    class Network(flax.linen.Module):
        @flax.linen.compact
        def __call__(self, images):
            hidden = jnp.tanh(flax.linen.Dense(8, name="first")(images.reshape(images.shape[0], -1)))
            return flax.linen.Dense(5, use_bias=False, name="second")(hidden)

    params = {"first": {"kernel": FIRST, "bias": OFFSET}, "second": {"kernel": SECOND}}
    return allowing_rank_promotion(lambda images: Network().apply({"params": params}, images))


def nnx():
    class Network(flax.nnx.Module):
        def __init__(self):
            self.first = flax.nnx.Linear(6, 8, rngs=flax.nnx.Rngs(0))
            self.second = flax.nnx.Linear(8, 5, use_bias=False, rngs=flax.nnx.Rngs(1))

        def __call__(self, images):
            return self.second(jnp.tanh(self.first(images.reshape(images.shape[0], -1))))

    network = Network()
    network.first.kernel, network.first.bias = flax.nnx.Param(jnp.asarray(FIRST)), flax.nnx.Param(jnp.asarray(OFFSET))
    network.second.kernel = flax.nnx.Param(jnp.asarray(SECOND))
    return allowing_rank_promotion(network)


def of_equinox():
    class Network(equinox.Module):
        first: equinox.nn.Linear
        second: equinox.nn.Linear

        def __call__(self, image):
            return self.second(jnp.tanh(self.first(image.reshape(-1))))

    first = equinox.nn.Linear(6, 8, key=jax.random.key(0))
    second = equinox.nn.Linear(8, 5, use_bias=False, key=jax.random.key(1))
    network = equinox.tree_at(
        lambda network: (network.first.weight, network.first.bias, network.second.weight),
        Network(first, second),
        (jnp.asarray(FIRST.T), jnp.asarray(OFFSET), jnp.asarray(SECOND.T)),
    )
    return jax.vmap(network)


def allowing_rank_promotion(network):
    """Flax adds biases of lower rank than what they are added to."""

    def embed(images):
        with jax.numpy_rank_promotion("allow"):
            return network(images)

    return embed


NETWORKS = {"bare": bare, "linen": linen, "nnx": nnx, "equinox": of_equinox}


def squares():
    """|df/dx|^2 of each image by the chain rule, in float64."""
    hidden = np.tanh(np.asarray(IMAGES, np.float64).reshape(11, -1) @ FIRST.astype(np.float64) + OFFSET)
    jacobians = np.einsum("ij,nj,jk->nik", FIRST.astype(np.float64), 1 - hidden**2, SECOND.astype(np.float64))
    return (jacobians**2).sum(axis=(1, 2))


@pytest.mark.parametrize("library", NETWORKS)
def test_exact_complexity_is_that_of_the_chain_rule(library):
    estimate = metrics.geometric_complexity(NETWORKS[library](), IMAGES)
    np.testing.assert_allclose(estimate.per_sample, squares(), rtol=1e-5)


@pytest.mark.parametrize("library", NETWORKS)
def test_probes_and_the_penalty_work_on_any_network(library):
    network = NETWORKS[library]()
    estimate = metrics.geometric_complexity(network, IMAGES, "probes", num_probes=64, key=jax.random.key(0))
    assert abs(float(estimate.mean) - squares().mean()) < 4 * float(estimate.stderr_probes)

    def penalty(scale):
        return metrics.complexity_penalty(lambda x: scale * network(x), IMAGES, jax.random.key(0))

    value, slope = jax.jit(jax.value_and_grad(penalty))(1.0)
    np.testing.assert_allclose(float(slope), 2 * float(value), rtol=1e-5)


@pytest.mark.parametrize("library", NETWORKS)
def test_rows_of_any_network_are_found_independent(library):
    metrics.check_row_independence(NETWORKS[library](), IMAGES)


def linen_normalised(use_stored):
    layer = flax.linen.BatchNorm(use_running_average=use_stored)
    variables = {
        "params": {"scale": jnp.full(3, 2.0), "bias": jnp.zeros(3)},
        "batch_stats": {"mean": jnp.zeros(3), "var": jnp.full(3, 4.0)},
    }
    return lambda images: layer.apply(variables, images, mutable=["batch_stats"])[0]


def nnx_normalised(use_stored):
    layer = flax.nnx.BatchNorm(3, use_running_average=True, rngs=flax.nnx.Rngs(0))
    layer.scale, layer.var = flax.nnx.Param(jnp.full(3, 2.0)), flax.nnx.BatchStat(jnp.full(3, 4.0))
    graph, state = flax.nnx.split(layer)
    return lambda images: flax.nnx.merge(graph, state, copy=True)(images, use_running_average=use_stored)


@pytest.mark.parametrize("normalised", [linen_normalised, nnx_normalised])
def test_batch_normalisation_is_measured_on_stored_averages_only(normalised):
    # Scale 2 over standard deviation 2: each of the six entries has slope 1, up to the 1e-5 added to the variance.
    stored = allowing_rank_promotion(normalised(use_stored=True))
    metrics.check_row_independence(stored, IMAGES)
    np.testing.assert_allclose(float(metrics.geometric_complexity(stored, IMAGES).mean), 6, rtol=1e-4)
    with pytest.raises(ValueError, match="batch normalisation must use its stored averages"):
        metrics.check_row_independence(allowing_rank_promotion(normalised(use_stored=False)), IMAGES)


def linen_training():
    layer = flax.linen.BatchNorm(use_running_average=False)
    variables = layer.init(jax.random.key(0), IMAGES)
    return lambda images: layer.apply(variables, images)


def linen_undecided():
    variables = flax.linen.BatchNorm(use_running_average=True).init(jax.random.key(0), IMAGES)
    return lambda images: flax.linen.BatchNorm().apply(variables, images)


def linen_dropout():
    return lambda images: flax.linen.Dropout(0.5, deterministic=False).apply({}, images)


def nnx_training():
    return flax.nnx.BatchNorm(3, rngs=flax.nnx.Rngs(0))


def nnx_dropout():
    return flax.nnx.Dropout(0.5, rngs=flax.nnx.Rngs(0))


def equinox_training():
    layer, state = equinox.nn.make_with_state(equinox.nn.BatchNorm)(2, "batch", mode="batch")
    return jax.vmap(lambda image: layer(image, state)[0])


@pytest.mark.parametrize(
    "network", [linen_training, linen_undecided, linen_dropout, nnx_training, nnx_dropout, equinox_training]
)
def test_a_network_in_training_mode_is_told_how_to_leave_it(network):
    function = allowing_rank_promotion(network())
    advice = r"^embed cannot be evaluated .*stored averages.*use_running_average=True.*model\.eval\(\).*inference_mode"
    for measure in (metrics.geometric_complexity, metrics.check_row_independence):
        with pytest.raises(ValueError, match=advice) as caught:
            measure(function, IMAGES)
        assert "\n" not in str(caught.value)
