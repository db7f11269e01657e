"""The figure of layers shows accuracies at the end of runs, each network by its own depth."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes

from ncjax.report.figures.layer_transfer import FIGURE, NEW, TRAINED, by_depth, draw
from ncjax.report.figures.style import DATA_ID
from tests.claims.synthetic import TAPS, sweep_table, with_optional


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return with_optional(sweep_table())


@pytest.fixture(scope="module")
def two_networks(table: pd.DataFrame) -> pd.DataFrame:
    """The same, and a network of two stages that shares the embedding's name alone."""
    names = {
        f"{layer}/{old}/{name}": f"{layer}/{new}/{name}"
        for layer, name in (("target_layer", "accuracy_5shot"), ("test_layer", "ncc_error"))
        for old, new in (("block1", "stage0"), ("block2", "stage1"))
    }
    other = table.rename(columns=names).assign(run=table["run"] + 100, model="other")
    return pd.concat([table.assign(model="first"), other.drop(columns=other.filter(like="/block").columns)])


def curve(axes: Axes, column: str) -> np.ndarray:
    [line] = [line for line in axes.lines if line.get_gid() == f"{DATA_ID}/{column}"]
    return np.asarray(line.get_ydata(), float)


def test_new_classes_are_drawn_at_the_largest_number_of_shots_and_the_end(table: pd.DataFrame) -> None:
    final = table[table["epoch"] == 31]
    expected = [final[f"target_layer/{tap}/accuracy_5shot"].mean() for tap in TAPS]
    np.testing.assert_allclose(curve(draw(table).axes[0], NEW), expected)


def test_classes_trained_on_are_drawn_by_what_is_right_and_not_by_the_error(table: pd.DataFrame) -> None:
    final = table[table["epoch"] == 31]
    expected = [1 - final[f"test_layer/{tap}/ncc_error"].mean() for tap in TAPS]
    np.testing.assert_allclose(curve(draw(table).axes[0], TRAINED), expected)


def test_a_square_is_the_best_layer_of_each_line(table: pd.DataFrame) -> None:
    squares = [line for line in draw(table).axes[0].lines if line.get_marker() == "s"]
    assert [np.asarray(square.get_xdata()).item() for square in squares] == [2, 3]


def test_layers_stand_from_input_to_output_whatever_the_order_of_columns(table: pd.DataFrame) -> None:
    turned = table[table.columns[::-1]]
    assert by_depth(turned)["tap"].unique().tolist() == list(TAPS)


def test_each_network_has_a_panel_of_its_own_layers(two_networks: pd.DataFrame) -> None:
    labels = {
        axes.get_title("left"): [label.get_text() for label in axes.get_xticklabels()]
        for axes in draw(two_networks).axes
    }
    assert labels == {"first": list(TAPS), "other": ["stage0", "stage1", "embedding"]}


def test_a_network_of_which_no_run_is_left_has_no_panel(two_networks: pd.DataFrame) -> None:
    lost = two_networks.assign(diverged=two_networks["model"] == "other")
    assert len(draw(lost).axes) == 1


def test_the_words_name_the_best_layer_of_each_network(two_networks: pd.DataFrame) -> None:
    assert "here after block3 (0.78) of first, " in FIGURE.caption(two_networks)
    assert "classes trained on are served best after embedding" in FIGURE.caption(two_networks)
