import pytest

from ncjax.data import DataSpec


def test_equal_specs_are_one_key():
    assert len({DataSpec(), DataSpec("glyphs"), DataSpec(seed=1)}) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": ""}, "name: got .* expected the name of a data set"),
        ({"train_per_class": -1}, "train_per_class: got .* expected a whole number of at least 0"),
        ({"image_size": 28.0}, "image_size: got .* expected a whole number of at least 0"),
        ({"seed": True}, "seed: got .* expected a whole number of at least 0"),
        ({"target_classes": "abc"}, "target_classes: got .* expected a tuple of class names"),
        ({"target_classes": (1, 2)}, "target_classes: got .* expected a tuple of class names"),
        ({"source_classes": ("a", "b"), "target_classes": ("b",)}, "in both source_classes and target_classes"),
        ({"source": None}, "source: got None, expected text"),
        ({"coarse": 2}, "coarse: got 2, expected the name of a grouping"),
        ({"train_samples": -1}, "train_samples: got .* expected a whole number of at least 0"),
        ({"train_samples": 9, "train_per_class": 3}, "train_per_class and train_samples cannot both be given"),
        ({"imbalance": 0.5}, "imbalance: got .* expected a number of at least 1"),
        ({"imbalance": float("nan")}, "imbalance: got .* expected a number of at least 1"),
        ({"imbalance": float("inf")}, "imbalance: got .* expected a number of at least 1"),
        ({"label_noise": 1.1}, "label_noise: got .* expected a number from 0 to 1"),
        ({"label_noise": True}, "label_noise: got .* expected a number from 0 to 1"),
        ({"random_labels": 1}, "random_labels: got .* expected True or False"),
        ({"source_classes": ("a", "a")}, "twice in source_classes"),
        ({"target": "glyphs"}, "target must be another data set.* got 'glyphs' and name 'glyphs'"),
        ({"target": "digits", "target_classes": ("a",)}, "target must be .* got 'digits' and target_classes"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_bad_option_is_an_error_that_names_it(options, message):
    with pytest.raises(ValueError, match=message):
        DataSpec(**options)
