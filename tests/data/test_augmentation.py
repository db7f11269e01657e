import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.data import Augmentation, augment
from ncjax.data.augmentation import random_crop, random_cutout, random_flip

IMAGES = jnp.asarray(np.random.default_rng(0).uniform(1, 2, (64, 6, 5, 2)).astype(np.float32))
KEY = jax.random.key(0)


def test_nothing_is_done_by_default():
    assert not Augmentation().active
    np.testing.assert_array_equal(augment(Augmentation(), KEY, IMAGES), IMAGES)


def test_crops_are_windows_of_the_padded_image():
    padded = np.pad(IMAGES, ((0, 0), (2, 2), (2, 2), (0, 0)))
    found = set()
    for image, around in zip(random_crop(KEY, IMAGES, 2), padded, strict=True):
        places = [
            (row, column)
            for row in range(5)
            for column in range(5)
            if np.array_equal(image, around[row : row + 6, column : column + 5])
        ]
        assert len(places) == 1
        found.update(places)
    assert {row for row, _ in found} == {column for _, column in found} == set(range(5))


def test_flips_are_mirror_images_of_half_the_batch():
    flipped = np.asarray(random_flip(KEY, IMAGES))
    mirrored = np.array([np.array_equal(a, b[:, ::-1]) for a, b in zip(flipped, IMAGES, strict=True)])
    same = np.array([np.array_equal(a, b) for a, b in zip(flipped, IMAGES, strict=True)])
    assert (mirrored ^ same).all()
    assert 16 < mirrored.sum() < 48


def test_cutouts_are_squares_that_may_reach_over_the_edge():
    holes = np.asarray(random_cutout(KEY, IMAGES, 3) == 0)
    assert (holes[..., 0] == holes[..., 1]).all()
    for hole in holes[..., 0]:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole.sum() == len(rows) * len(columns)
        assert 2 <= len(rows) <= 3
        assert np.ptp(rows) == len(rows) - 1
    assert len({hole.tobytes() for hole in holes}) > 10


def test_what_is_not_cut_out_stays():
    cut = random_cutout(KEY, IMAGES, 3)
    np.testing.assert_array_equal(cut[cut != 0], IMAGES[cut != 0])


ALL = Augmentation(crop_padding=2, flip=True, cutout=3)


def test_same_under_jit_and_vmap_over_runs():
    keys = jax.random.split(KEY, 2)
    together = jax.jit(jax.vmap(lambda key: augment(ALL, key, IMAGES)))(keys)
    np.testing.assert_array_equal(together[1], augment(ALL, keys[1], IMAGES))


def test_key_decides():
    first, second = (augment(ALL, jax.random.key(seed), IMAGES) for seed in (0, 1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop_padding": -1}, "crop_padding: got -1, expected a whole number of at least 0"),
        ({"cutout": 1.5}, "cutout: got 1.5, expected a whole number of at least 0"),
        ({"flip": 1}, "flip: got 1, expected True or False"),
    ],
)
@pytest.mark.usefixtures("as_users_run")
def test_bad_option_is_an_error_that_names_it(options, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**options)
