"""Operations counted from what JAX traced."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from ncjax.hardware.operations import product_operations

A, B = jnp.ones((3, 4)), jnp.ones((4, 5))
IMAGES, KERNEL = jnp.ones((2, 8, 8, 6)), jnp.ones((3, 3, 6, 10))


def count(function, *arguments, highest=1.0):
    return product_operations(jax.make_jaxpr(function)(*arguments), highest)


def convolve(images, kernel, groups=1):
    numbers = ("NHWC", "HWIO", "NHWC")
    return lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=numbers, feature_group_count=groups
    )


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (lambda a, b: a @ b, (A, B), 2 * 3 * 4 * 5),
        (lambda a, b: jnp.einsum("nij,njk->nik", a, b), (jnp.ones((7, 3, 4)), jnp.ones((7, 4, 5))), 7 * 2 * 3 * 4 * 5),
        (convolve, (IMAGES, KERNEL), 2 * (2 * 8 * 8 * 10) * 3 * 3 * 6),
        (lambda i, k: convolve(i, k, groups=6), (IMAGES, jnp.ones((3, 3, 1, 12))), 2 * (2 * 8 * 8 * 12) * 3 * 3),
        (lambda a: jnp.sin(a) + 1, (A,), 0),
        (lambda a, b: jax.jit(lambda a: jax.checkpoint(lambda a: a @ b)(a))(a), (A, B), 120),
        (lambda a, b: lax.map(lambda row: row @ b, a), (A, B), 3 * 2 * 4 * 5),
        (lambda a, b: lax.cond(a.sum() > 0, lambda: a @ b, lambda: jnp.zeros((3, 5))), (A, B), 120),
        (
            lambda a, b: lax.fori_loop(0, a[0, 0].astype(int), lambda _, b: b @ b.T @ b, b),
            (A, B),
            2 * (4 * 4 * 5 + 4 * 5 * 4),
        ),
    ],
)
def test_products_and_convolutions_count_as_often_as_they_run(function, arguments, expected):
    assert count(function, *arguments) == expected


def test_full_precision_counts_as_often_as_the_chip_needs():
    def products(a, b):
        return jnp.dot(a, b, precision="highest") + a @ b

    assert count(products, A, B, highest=6.0) == 7 * 120


def test_training_counts_three_times_the_forward_pass():
    def loss(kernels, x):
        for kernel in kernels:
            x = jnp.tanh(x @ kernel)
        return x.sum()

    kernels, x = [jnp.ones((16, 16))] * 3, jnp.ones((8, 16))
    forward = count(loss, kernels, x)
    # But for the gradient of the input, which nobody asks for.
    assert count(jax.grad(loss), kernels, x) == 3 * forward - forward / 3
