import matplotlib as mpl
import numpy as np
import pytest

from ncjax.report.figures.style import epoch_axis, house_style, log_ticks, panels, value_colours, value_label


@pytest.mark.parametrize(
    ("value", "text"), [(0.1, "0.1"), (5e-4, "5e-4"), (2.5e-4, "2.5e-4"), (1e-7, "1e-7"), (0.0, "0"), (256, "256")]
)
def test_values_read_as_a_person_writes_them(value: float, text: str) -> None:
    assert value_label(value) == text


def test_colours_grow_lighter_and_stay_visible_on_white() -> None:
    shades = [mpl.colors.to_rgb(colour) for colour in value_colours(range(6)).values()]
    light = [np.dot(shade, (0.2126, 0.7152, 0.0722)) for shade in shades]
    assert light == sorted(light)
    assert light[-1] < 0.75


def test_style_ends_with_its_block() -> None:
    before = mpl.rcParams["axes.grid"]
    with house_style():
        pass
    assert mpl.rcParams["axes.grid"] == before


def test_epoch_zero_has_its_place_on_the_axis() -> None:
    _, axes = panels(1, 1)
    epochs = np.array([0, 0.5, 0.9, 1.6, 2.9, 5.2, 9.3, 17, 30])
    epoch_axis(axes[0, 0], epochs)
    ticks = axes[0, 0].get_xticks()
    assert ticks[0] == 0
    assert len(ticks) <= 7
    assert axes[0, 0].get_xlim()[0] < 0


def test_an_inverted_logarithmic_axis_has_labels_too() -> None:
    figure, axes = panels(1, 1)
    axes[0, 0].plot([0.3, 0.6], [1.0, 2.0])
    axes[0, 0].set_xscale("log")
    axes[0, 0].invert_xaxis()
    log_ticks(axes[0, 0], "x")
    figure.canvas.draw()
    labels = [label.get_text() for label in axes[0, 0].get_xticklabels()]
    assert "0.4" in labels
