import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax import models


@pytest.mark.parametrize(("dim", "num_classes"), [(2, 3), (7, 3), (63, 64), (1, 2)])
def test_a_frame_has_unit_columns_at_equal_angles_that_sum_to_zero(dim, num_classes):
    kernel = np.asarray(models.simplex_etf(jax.random.key(1), dim, num_classes), np.float64)
    cosines = (num_classes * np.eye(num_classes) - 1) / (num_classes - 1)
    np.testing.assert_allclose(kernel.T @ kernel, cosines, atol=1e-6)
    np.testing.assert_allclose(kernel.sum(axis=1), 0, atol=1e-5)


def test_too_few_dimensions_for_a_frame_are_named():
    with pytest.raises(ValueError, match="classifier: got 'etf' for 5 classes on an embedding of 3 dimensions"):
        models.simplex_etf(jax.random.key(0), 3, 5)


@pytest.mark.parametrize("name", list(models.MODELS))
def test_every_model_takes_a_fixed_classifier(name):
    model = models.build(models.ModelSpec(name, classifier="etf"), num_classes=7)
    variables = jax.eval_shape(lambda: models.initialise(model, jax.random.key(0), (28, 28, 1)))
    assert "classifier" not in variables["params"]
    kernel, bias = jax.eval_shape(models.classifier_weights, variables)
    images = jax.ShapeDtypeStruct((2, 28, 28, 1), "float32")
    logits, taps = jax.eval_shape(model.apply, variables, images)
    assert kernel.shape == (taps["embedding"].shape[1], 7)
    assert logits.shape == (2, 7)
    assert bias.shape == (7,)


def test_the_weights_of_a_learned_classifier_are_its_parameters():
    layer = {"kernel": jnp.ones((2, 3)), "bias": jnp.arange(3.0)}
    kernel, bias = models.classifier_weights({"params": {"classifier": layer}, "constants": {}})
    assert kernel is layer["kernel"]
    assert bias is layer["bias"]
