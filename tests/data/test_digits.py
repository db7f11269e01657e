import numpy as np

from ncjax.data.digits import make_digits


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    original, splits = load_digits(), make_digits()
    images = np.concatenate([splits["train"].images, splits["test"].images])[..., 0]
    labels = np.concatenate([splits["train"].labels, splits["test"].labels])
    np.testing.assert_array_equal(np.rint(images / 255.0 * 16.0), original.images)
    np.testing.assert_array_equal(labels, original.target)
