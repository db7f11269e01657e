"""The 1,797 real handwritten digits that scikit-learn ships."""

import numpy as np

from ncjax.data.dataset import Split

_TEST_IMAGES = 500


def make_digits() -> dict[str, Split]:
    """Handwritten digits of 8x8 pixels: the first 1,297 to train on, the last 500 (mostly other writers) to test.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository
    (1998), https://doi.org/10.24432/C50P49, the part that scikit-learn ships.

    Returns:
        Splits `train` and `test` of ten classes; images `[n, 8, 8, 1]`, the 17 grey levels spread over 0 to 255.

    Examples:
        >>> splits = make_digits()
        >>> splits["train"].images.shape, splits["test"].images.shape
        ((1297, 8, 8, 1), (500, 8, 8, 1))
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = np.rint(digits.images * (255.0 / 16.0)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int32)
    names = tuple(str(name) for name in digits.target_names)
    cut = len(images) - _TEST_IMAGES
    return {"train": Split(images[:cut], labels[:cut], names), "test": Split(images[cut:], labels[cut:], names)}
