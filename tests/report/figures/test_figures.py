"""What the figures show is the data: artists are asked for what they carry."""

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from ncjax.report import FIGURES, save
from ncjax.report.figures import (
    complexity,
    estimators,
    layers,
    quantities_over_epochs,
    sample_size,
    splits,
    train_and_test,
    trajectories,
    transfer_and_collapse,
)
from ncjax.report.figures.through_time import SHARED_EPOCH, drawn_rows, geometric_mean, shared_map
from ncjax.report.pages.report import draw_figures
from tests.claims.synthetic import TAPS, sweep_table, with_diverged, with_optional


def artists(figure: Figure, name: str) -> list:
    """The artists that carry measurements and whose gid begins with the name."""
    return [
        artist
        for axes in figure.axes
        for artist in (*axes.lines, *axes.images)
        if str(artist.get_gid()).startswith(name)
    ]


def test_thick_lines_are_geometric_means_over_runs_of_a_value() -> None:
    table = sweep_table()
    figure = trajectories.draw(table)
    [line] = artists(figure, "data/train/cdnv/0.06")
    chosen = table[table["learning_rate"] == 0.06]
    expected = chosen.groupby("epoch")["train/cdnv"].apply(lambda values: np.exp(np.log(values).mean()))
    np.testing.assert_array_equal(line.get_xdata(), expected.index)
    np.testing.assert_allclose(line.get_ydata(), expected)


@pytest.mark.parametrize("split", ["train", "test"])
def test_shares_are_averaged_with_their_zeros_and_the_loss_by_its_logarithm(split: str) -> None:
    table = sweep_table()
    # Half of the runs have no error: a geometric mean would leave them out.
    table.loc[table["seed"] == 0, f"{split}/error"] = 0.0
    figure = splits.ERROR_FIGURE.draw(table)
    chosen = table[table["learning_rate"] == 0.06].groupby("epoch")
    [error] = artists(figure, f"data/{split}/error/0.06")
    np.testing.assert_allclose(error.get_ydata(), chosen[f"{split}/error"].mean())
    assert error.get_linestyle() == {"train": "-", "test": "--"}[split]
    [loss] = artists(figure, f"data/{split}/loss/0.06")
    np.testing.assert_allclose(loss.get_ydata(), np.exp(chosen[f"{split}/loss"].apply(lambda own: np.log(own).mean())))


def test_the_four_properties_of_collapse_are_drawn_without_test_where_it_was_not_measured() -> None:
    figure = splits.COLLAPSE_FIGURE.draw(with_optional(sweep_table()))
    assert [axes.get_title("left")[:3] for axes in figure.axes] == ["NC1", "NC2", "NC3", "NC4"]
    assert len(artists(figure, "data/train/")) == 4 * 3
    assert artists(figure, "data/test/") == []


def test_thin_lines_are_the_runs() -> None:
    table = sweep_table()
    panel = trajectories.draw(table).axes[0]
    thin = [line for line in panel.lines if line.get_gid() is None]
    assert len(thin) == 12
    first = table[table["run"] == 0]
    np.testing.assert_allclose(np.asarray(thin[0].get_ydata(), float), first["train/geometric_complexity"])


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (sweep_table(), 2),
        (sweep_table(batch_sizes=(16, 32), seeds=1), 3),
        (sweep_table(l2s=(0.0,)), 1),
        (sweep_table(learning_rates=(0.1,), l2s=(0.0,), seeds=3), 1),
    ],
    ids=["two axes", "three axes", "one axis", "seeds only"],
)
def test_trajectories_have_a_row_for_each_axis(table: pd.DataFrame, rows: int) -> None:
    assert len(trajectories.draw(table).axes) == 3 * rows


def test_each_point_is_the_end_of_a_run() -> None:
    table = sweep_table()
    points = artists(complexity.COLLAPSE_FIGURE.draw(table), "data/train/cdnv")
    drawn = np.array([(point.get_xdata()[0], point.get_ydata()[0]) for point in points])
    final = table[table["epoch"] == 31]
    np.testing.assert_array_equal(drawn, final[["train/geometric_complexity", "train/cdnv"]])


def test_transfer_is_drawn_against_source_complexity() -> None:
    table = sweep_table()
    points = artists(complexity.TRANSFER_FIGURE.draw(table), "data/target/accuracy_5shot")
    drawn = np.array([(point.get_xdata()[0], point.get_ydata()[0]) for point in points])
    final = table[table["epoch"] == 31]
    np.testing.assert_array_equal(drawn, final[["train/geometric_complexity", "target/accuracy_5shot"]])


def test_runs_out_of_the_terminal_phase_are_hollow() -> None:
    table = sweep_table()
    table.loc[table["run"] == 7, "train/error"] = 0.3
    points = artists(complexity.COLLAPSE_FIGURE.draw(table), "data/train/cdnv")
    assert [number for number, point in enumerate(points) if point.get_markerfacecolor() == "white"] == [7]


@pytest.mark.parametrize("wanted", FIGURES, ids=lambda wanted: wanted.name)
def test_diverged_runs_are_not_drawn(wanted) -> None:
    table = with_optional(sweep_table())
    lost, without = wanted.draw(with_diverged(table, 5)), wanted.draw(table[table["run"] != 5])
    for one, other in zip(lost.axes, without.axes, strict=True):
        for first, second in zip(one.lines, other.lines, strict=True):
            np.testing.assert_array_equal(first.get_ydata(), second.get_ydata())
        for first, second in zip(one.images, other.images, strict=True):
            np.testing.assert_array_equal(first.get_array(), second.get_array())


def test_train_and_test_curves_are_the_variance_ratios() -> None:
    table = sweep_table(learning_rates=(0.1,), l2s=(0.0,), seeds=1)
    figure = train_and_test.draw(table)
    for split in ("train", "test"):
        [line] = artists(figure, f"data/{split}/")
        np.testing.assert_allclose(line.get_ydata(), table[f"{split}/variance_ratio"])
    [line] = artists(figure, "data/test_over_train/variance_ratio/")
    np.testing.assert_allclose(line.get_ydata(), table["test/variance_ratio"] / table["train/variance_ratio"])


def test_heat_map_has_layers_upwards_and_time_rightwards() -> None:
    table = sweep_table(learning_rates=(0.1,), l2s=(0.0,), seeds=1).assign(**{"train/error": 0.0})
    figure = layers.draw(table)
    [image] = artists(figure, "data/layer")
    expected = table[[f"layer/{tap}/variance_ratio" for tap in TAPS]].to_numpy().T
    np.testing.assert_allclose(image.get_array(), expected)
    assert image.origin == "lower"
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == list(TAPS)


def test_train_and_test_heat_maps_share_one_colour_scale() -> None:
    train, test = (artists(layers.draw(sweep_table()), f"data/{name}")[0] for name in ("layer", "test_layer"))
    assert train.get_clim() == test.get_clim()


def test_checkpoints_of_different_batch_sizes_fall_on_one_epoch() -> None:
    table = sweep_table(batch_sizes=(16, 32), seeds=1)
    table["epoch"] *= np.where(table["batch_size"] == 16, 1.0, 1.01)
    rows = drawn_rows(table)
    assert rows[SHARED_EPOCH].nunique() == 9
    np.testing.assert_array_equal(np.unique(rows["epoch"]), np.unique(table["epoch"]))


@pytest.mark.parametrize("offset", [1.0, 1.002, 1.049])
def test_no_two_checkpoints_of_a_run_become_one(offset: float) -> None:
    epochs = [*np.linspace(0.3, 30, 100)]
    table = sweep_table(batch_sizes=(16, 32), seeds=1, epochs=epochs)
    table["epoch"] *= np.where(table["batch_size"] == 16, 1.0, offset)
    rows = drawn_rows(table)
    assert not rows.duplicated(["run", SHARED_EPOCH]).any()
    assert (rows.groupby("run").size() == 100).all()
    assert (rows[SHARED_EPOCH] / rows["epoch"]).between(1 / 1.06, 1.06).all()
    np.testing.assert_array_equal(rows.sort_values(["run", "epoch"]).index, rows.index)


def test_the_axis_covers_all_that_was_measured() -> None:
    table = sweep_table(seeds=1, epochs=[*np.linspace(0.3, 30, 100)])
    panel = trajectories.draw(table).axes[0]
    assert panel.get_xlim()[0] <= 0.3
    assert panel.get_xlim()[1] >= 30
    assert {len(np.asarray(line.get_xdata())) for line in panel.lines} == {100}
    epochs, means = shared_map(drawn_rows(table), ["train/cdnv"])
    assert (epochs[0], epochs[-1], means.shape) == (pytest.approx(0.3), 30.0, (1, 100))


def test_the_closest_checkpoints_meet() -> None:
    rows = [(0, 1.0), (0, 1.05), (0, 1.1), (1, 1.049), (1, 1.1)]
    table = pd.DataFrame(rows, columns=["run", "epoch"]).assign(step=range(5))
    assert drawn_rows(table)[SHARED_EPOCH].tolist() == pytest.approx([1.0, 1.0495, 1.1, 1.0495, 1.1])


def test_means_leave_out_epochs_at_which_a_run_under_way_was_not_measured() -> None:
    rows = [(0, 1.0, 1.0), (0, 2.0, 1.0), (0, 4.0, 1.0), (1, 1.0, 4.0), (1, 4.0, 4.0), (0, 8.0, 1.0)]
    table = pd.DataFrame(rows, columns=["run", "epoch", "x"]).assign(step=[0, 1, 2, 0, 1, 3])
    assert geometric_mean(drawn_rows(table), "x").to_dict() == pytest.approx({1.0: 2.0, 4.0: 2.0, 8.0: 1.0})


def test_a_heat_map_of_many_checkpoints_labels_a_few_and_the_last() -> None:
    table = sweep_table(seeds=1, epochs=[*range(1, 101)]).assign(**{"train/error": 0.0})
    labels = [label.get_text() for label in layers.draw(table).axes[0].get_xticklabels()]
    assert labels[-1] == "100"
    assert len(labels) <= 14


@pytest.mark.parametrize("wanted", FIGURES, ids=lambda wanted: wanted.name)
def test_words_of_a_figure_fit_its_table(wanted) -> None:
    table = with_optional(sweep_table())
    caption = wanted.caption(with_diverged(table, 3))
    assert "11 " in caption or "1 diverged" in caption
    assert wanted.alt(table).endswith(".")


def test_errors_are_drawn_against_the_share_of_the_cost() -> None:
    table = with_optional(sweep_table(seeds=1))
    [line] = artists(estimators.draw(table), "data/outputs")
    np.testing.assert_allclose(line.get_xdata(), [1 / 64, 4 / 64, 16 / 64])
    np.testing.assert_allclose(line.get_ydata(), [0.2, 0.1, 0.05])


@pytest.mark.parametrize(
    ("wanted", "column"),
    [
        (quantities_over_epochs.BOUND_FIGURE, "train/complexity_bound"),
        (quantities_over_epochs.VARIANCE_FIGURE, "test/weak_variance"),
    ],
)
def test_curves_are_geometric_means_over_runs(wanted, column: str) -> None:
    table = with_optional(sweep_table())
    [line] = artists(wanted.draw(table), f"data/{column}")
    expected = table.groupby("epoch")[column].apply(lambda values: np.exp(np.log(values).mean()))
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_sample_sizes_are_drawn_at_the_end_of_runs_in_the_terminal_phase() -> None:
    table = with_optional(sweep_table())
    table.loc[table["run"] == 0, "train/error"] = 0.5
    [line] = artists(sample_size.draw(table), "data/test/weak_variance")
    final = table[(table["epoch"] == 31) & (table["run"] > 0)]
    expected = final.groupby("train_samples")["test/weak_variance"].apply(lambda values: np.exp(np.log(values).mean()))
    np.testing.assert_array_equal(line.get_xdata(), expected.index)
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_probes_follow_train_variance_in_the_order_of_time() -> None:
    table = with_optional(sweep_table(seeds=1)).assign(coarse="case")
    fine = table.assign(coarse="", run=table["run"] + 6, **{"fine/ridge_accuracy": 0.0})
    _, path = artists(transfer_and_collapse.draw_probes(pd.concat([table, fine])), "data/fine/ridge_accuracy")
    trained = table[table["epoch"] > 0]
    np.testing.assert_allclose(path.get_ydata(), trained.groupby("epoch")["fine/ridge_accuracy"].mean())


def test_the_joint_figure_tells_coarse_labels_from_fine_ones() -> None:
    table = with_optional(sweep_table(seeds=1)).assign(coarse=lambda rows: np.where(rows["run"] < 3, "case", ""))
    figure = transfer_and_collapse.draw_joint(table)
    assert len(artists(figure, "data/target/accuracy_5shot")) == 2
    legend = figure.axes[-1].get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["fine labels", "coarse labels (case)"]


def test_a_row_of_trajectories_shows_the_runs_of_its_sweep() -> None:
    table = sweep_table(seeds=1)
    rows = {(0.02, 0.0): "learning_rate+l2", (0.06, 0.0): "learning_rate", (0.2, 0.0): "learning_rate"}
    names = [rows.get(pair, "l2") for pair in zip(table["learning_rate"], table["l2"], strict=True)]
    table = table.assign(sweep=names)
    lines = artists(trajectories.draw(table), "data/train/cdnv/0.02")
    base = table[table["sweep"] == "learning_rate+l2"]
    np.testing.assert_allclose(lines[0].get_ydata(), base["train/cdnv"])


def test_png_and_pdf_are_reproducible(tmp_path: Path) -> None:
    table = sweep_table(seeds=1)
    for name in ("one", "two"):
        save(complexity.COLLAPSE_FIGURE.draw(table), tmp_path, name)
    for ending in ("png", "pdf"):
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()


@pytest.mark.parametrize("wanted", FIGURES, ids=lambda wanted: wanted.name)
def test_no_tick_label_overlaps_its_neighbour(wanted) -> None:
    figure = wanted.draw(with_optional(sweep_table()))
    figure.draw_without_rendering()
    for axes in figure.axes:
        for axis, low, high in ((axes.xaxis, 0, 2), (axes.yaxis, 1, 3)):
            boxes = [label.get_window_extent().extents for label in axis.get_ticklabels() if label.get_text()]
            shown = sorted((box for box in boxes if _within(axes, box)), key=lambda box: box[low])
            assert all(before[high] <= after[low] for before, after in itertools.pairwise(shown))


def _within(axes, box: np.ndarray) -> bool:
    left, bottom, right, top = axes.get_window_extent().extents
    middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return left - 1 <= middle[0] <= right + 1 or bottom - 1 <= middle[1] <= top + 1


@pytest.mark.parametrize("wanted", FIGURES, ids=lambda wanted: wanted.name)
def test_a_figure_needs_no_columns_but_those_that_it_names(wanted, tmp_path: Path) -> None:
    table = with_optional(sweep_table(seeds=1))
    patterns = [re.sub(r"<[^<>]+>", ".+", re.escape(name)) for name in wanted.columns]
    names = table.columns.astype(str).tolist()
    kept = [name for name in names if "/" not in name or any(re.fullmatch(pattern, name) for pattern in patterns)]
    figures, notes = draw_figures(table[kept], tmp_path, [wanted])
    # A figure for which any one of many columns will do says so.
    lacking = wanted.lacks(table[kept])
    assert [figure.image.is_file() for figure in figures] == ([] if lacking else [True])
    assert notes == ([f"figure {wanted.name} not drawn: {lacking}"] if lacking else [])


def test_a_table_without_measurements_has_a_note_for_each_figure(tmp_path: Path) -> None:
    table = pd.DataFrame({"run": [0, 0], "step": [0, 5], "epoch": [0.0, 1.0]})
    figures, notes = draw_figures(table, tmp_path, FIGURES)
    assert figures == []
    assert [note.split()[1] for note in notes] == [wanted.name for wanted in FIGURES]
