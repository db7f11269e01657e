"""The directions as they are drawn."""

from typing import Any

import numpy as np
import pytest

from ncjax.metrics import TopDirections
from ncjax.report import draw_directions, save
from ncjax.report.figures.style import house_style

RNG = np.random.default_rng(0)


def directions(count, *shape):
    return top_of(np.geomspace(1, 0.1, count), RNG.normal(size=(count, *shape)), np.full(count, 1e-3))


def top_of(*parts: Any) -> TopDirections:
    return TopDirections(*parts)


def images_of(figure):
    return [axes.images[0] for axes in figure.axes if axes.images]


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_each_panel_is_its_direction_with_the_largest_entry_positive(shape):
    top = directions(6, *shape)
    figure = draw_directions(top)
    drawn = images_of(figure)
    assert [image.get_gid() for image in drawn] == [f"data/direction{number}" for number in range(1, 7)]
    for image, vector in zip(drawn, top.vectors, strict=True):
        flat = vector.reshape(5, 7)
        np.testing.assert_allclose(image.get_array(), flat / flat.flat[np.abs(flat).argmax()])
        assert image.get_clim() == (-1, 1)
    # Two rows of four, of which two panels are empty.
    assert [axes.axison for axes in figure.axes] == [True] * 6 + [False] * 2


def test_colours_stand_about_grey():
    top = directions(2, 4, 4, 3)
    for image, vector in zip(images_of(draw_directions(top)), top.vectors, strict=True):
        np.testing.assert_allclose(image.get_array(), 0.5 + vector / vector.flat[np.abs(vector).argmax()] / 2)


def test_titles_say_value_share_and_doubt():
    top = top_of(np.array([2.0, 0.5, np.nan]), np.ones((3, 2, 2)), np.array([0.01, 0.2, np.nan]))
    titles = [axes.get_title() for axes in draw_directions(top, complexity=4.0).axes]
    assert titles == ["1: 2 (50%)", "2: 0.5 (12%) ± 0.2"]
    assert draw_directions(top).axes[0].get_title() == "1: 2"


def test_a_direction_of_zero_is_blank():
    top = top_of(np.zeros(1), np.zeros((1, 3, 3)), np.zeros(1))
    assert (images_of(draw_directions(top))[0].get_array() == 0).all()


def test_what_is_no_image_is_named():
    with pytest.raises(ValueError, match=r"top: got directions of shape \(2, 9\), expected \(k, h, w\)"):
        draw_directions(directions(2, 9))
    with pytest.raises(ValueError, match="top: no value is a number"):
        draw_directions(top_of(np.full(2, np.nan), np.ones((2, 3, 3)), np.zeros(2)))


def test_equal_figures_give_equal_files(tmp_path):
    top = directions(3, 5, 5)
    with house_style():
        one, other = (save(draw_directions(top), tmp_path, name) for name in ("one", "other"))
    assert one[0].read_bytes() == other[0].read_bytes()
