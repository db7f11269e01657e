"""Measures the collapse of features that any framework saved, or prints what a sweep measured of a run.

python -m experiments.measure --features=F.npz [--bootstrap=200] [--json=OUT]
python -m experiments.measure --features='ep*.npz' [--csv=OUT] [--plot=OUT.png] [--bootstrap=200] [--json=OUT]
python -m experiments.measure --workdir=DIR --run=N [--again] [--bootstrap=200] [--json=OUT]

F.npz holds `features` [n, d], `labels` [n] and optionally `kernel` [d, C] (or PyTorch's [C, d]), `bias` [C],
`test_features`, `test_labels`. A pattern measures several files, ep2 before ep10. Of a run the last row of the results
table is printed; --again (or --bootstrap) passes the images through its last checkpoint and measures the collapse of
what comes out. JSON goes to the standard output, a table if that is a terminal; all else goes to the standard error.
"""

import math
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.features_file import FeaturesFile, read_features
from ncjax.cli.features_series import (
    draw_series,
    is_pattern,
    matching_files,
    measure_files,
    series_table,
    write_csv,
)
from ncjax.cli.result import check_writable, keeping_stdout, say_written, show

FEATURES = flags.DEFINE_string("features", None, "File of features, written by numpy.savez, or a pattern in quotes.")
CSV = flags.DEFINE_string("csv", None, "With a pattern: file to write the table to.", **launch.SHARED)
PLOT = flags.DEFINE_string("plot", None, "With a pattern: PNG file to draw the curves to.", **launch.SHARED)
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of a sweep.", **launch.SHARED)
RUN = flags.DEFINE_integer(
    "run", None, "Run of the sweep whose last checkpoint to print.", lower_bound=0, **launch.SHARED
)
AGAIN = flags.DEFINE_boolean("again", False, "With --run: measure its last checkpoint again, instead of the table.")
BOOTSTRAP = flags.DEFINE_integer("bootstrap", 0, "Resamples for 95% intervals; 0 for none.", lower_bound=0)
SEED = flags.DEFINE_integer("seed", 0, "Seed of the resamples.", **launch.SHARED)
JSON = flags.DEFINE_string("json", None, "File to write the JSON to.", **launch.SHARED)


def main() -> None:
    """Measures or reads what the flags ask for, and prints or writes it."""
    if (FEATURES.value is None) == (WORKDIR.value is None):
        raise ValueError("arguments: expected either --features=F.npz or --workdir=DIR --run=N")
    if BOOTSTRAP.value == 1:
        raise ValueError("--bootstrap: got 1, expected 0 or at least 2")
    check_writable(json=JSON.value, csv=CSV.value, plot=PLOT.value)
    series = FEATURES.value is not None and is_pattern(FEATURES.value)
    if not series and (CSV.value or PLOT.value):
        raise ValueError("--csv, --plot: go with a pattern such as --features='ep*.npz'")
    num_resamples, seed = int(BOOTSTRAP.value or 0), int(SEED.value or 0)
    if FEATURES.value is not None:
        if RUN.value is not None or AGAIN.value:
            raise ValueError("--run, --again: go with --workdir, not with --features")
        if series:
            measure_series(FEATURES.value, num_resamples, seed)
            return
        file = read_features(Path(FEATURES.value))
        result = {"features": FEATURES.value, **measure_features(file, num_resamples, seed)}
    else:
        if RUN.value is None:
            raise ValueError("--workdir: expected --run=N with it")
        from ncjax.sweep.launch import bucket_copies as cloud

        with cloud.reading(str(WORKDIR.value)) as workdir:
            if AGAIN.value or num_resamples:
                result = measure_run(workdir, RUN.value, num_resamples, seed)
            else:
                result = last_checkpoint(workdir, RUN.value)
        result["workdir"] = WORKDIR.value
    show(result, table, json_file=JSON.value)


def measure_series(pattern: str, num_resamples: int, seed: int) -> None:
    """Measures the files of a pattern, and prints, writes and draws what the flags ask for."""
    result = measure_files(
        matching_files(pattern), lambda path: measure_features(read_features(path), num_resamples, seed)
    )
    if CSV.value:
        write_csv(result, CSV.value)
    if PLOT.value:
        draw_series(result, PLOT.value)
    show(result, series_table, json_file=JSON.value)
    for written in filter(None, (CSV.value, PLOT.value)):
        say_written(written)


def measure_features(file: FeaturesFile, num_resamples: int = 0, seed: int = 0) -> dict[str, Any]:
    """Every measure of collapse that a file allows.

    Args:
        file: as read.
        num_resamples: of the bootstrap; 0 for no intervals.
        seed: of the resamples.

    Returns:
        What JSON can hold: sizes, notes, `metrics` by name, and `intervals` by name where asked for. The names are
        those of `ncjax.metrics.train_test_report`, without "train/" if there is no test split. A number that is not
        finite is null, and a note names it.
    """
    import jax

    from ncjax import metrics

    splits = [file.train] if file.test is None else [file.train, file.test]
    arrays = [features for features, _ in splits] + [part for part in (file.kernel, file.bias) if part is not None]
    double = any(array.dtype == np.float64 for array in arrays)
    statistic = partial(_measures, kernel=file.kernel, bias=file.bias, num_classes=len(file.classes))
    intervals: dict[str, dict[str, float | None]] = {}
    # Without this switch JAX would round float64 features to float32 in silence.
    with jax.enable_x64(double):
        if num_resamples:
            bar = metrics.bootstrap_splits(
                statistic, splits, len(file.classes), jax.random.key(seed), num_resamples=num_resamples
            )
            values = bar.value
            ends = {"low": bar.low, "high": bar.high, "stderr": bar.stderr, "bias": bar.bias}
            intervals = {name: {end: _plain(ends[end][name]) for end in ends} for name in values}
        else:
            # Compiled inside, and once for all files of one shape.
            values = statistic(*splits)
        measured = {name: _plain(value) for name, value in values.items()}
    notes = list(file.notes)
    if file.kernel is not None and file.bias is None:
        notes.append("bias: none in the file, so nc4 and error are left out; zeros say that the classifier has none")
    unknown = [name for name, value in measured.items() if value is None]
    if unknown:
        notes.append("not finite, written as null: " + ", ".join(unknown))
    result = {
        "samples": len(file.train[1]),
        "test_samples": None if file.test is None else len(file.test[1]),
        "dim": file.train[0].shape[1],
        "classes": len(file.classes),
        "precision": "float64" if double else "float32",
        "kernel_layout": file.kernel_layout,
        "notes": notes,
        "metrics": measured,
    }
    if num_resamples:
        notes.append(
            "the intervals are of the distribution's values: they take off the bias that a finite sample has, and "
            "may lie beside the value"
        )
        result |= {"resamples": num_resamples, "level": 0.95, "intervals": intervals}
    return result


def measure_run(workdir: Path, run: int, num_resamples: int = 0, seed: int = 0) -> dict[str, Any]:
    """Measures the collapse of a sweep's run again, from its last checkpoint.

    Args:
        workdir: of the sweep.
        run: its number.
        num_resamples: of the bootstrap; 0 for no intervals.
        seed: of the resamples.

    Returns:
        The run's step and settings, and what `measure_features` gives.

    Raises:
        OSError: if there is no sweep, or no checkpoint of the run.
        ValueError: if the sweep has no such run.
    """
    import jax

    from ncjax import metrics, models
    from ncjax.sweep import read_run

    trained = read_run(workdir, run)
    train, test = (
        (trained.embed(split.images), split.labels) for split in (trained.dataset.train, trained.dataset.test)
    )
    weights = models.classifier_weights(jax.device_put(trained.state.variables))
    kernel, bias = map(np.asarray, weights)
    notes = [
        f"{name}: {sentence}"
        for name, (features, labels) in (("train", train), ("test", test))
        for sentence in metrics.caveats(np.bincount(labels, minlength=kernel.shape[1]), features.shape[1])
    ]
    file = FeaturesFile(train, test, tuple(range(kernel.shape[1])), kernel, bias, None, tuple(notes))
    place = {"workdir": str(workdir), "run": run, "step": trained.step, **trained.settings}
    return {**place, **measure_features(file, num_resamples, seed)}


def last_checkpoint(workdir: Path, run: int) -> dict[str, Any]:
    """The last row of a run in a sweep's table of results.

    Args:
        workdir: of the sweep.
        run: its number.

    Returns:
        What JSON can hold: the run's settings and its `metrics` by name.

    Raises:
        OSError: if there is no table.
        ValueError: if the table has no such run.
    """
    from ncjax.results import read_table

    rows = read_table(workdir)
    known = sorted(set(rows["run"].tolist()))
    if run not in known:
        raise ValueError(f"--run: got {run}, expected one of the runs {known[0]}..{known[-1]} of {workdir}")
    row = {str(name): _plain(value) for name, value in rows[rows["run"] == run].iloc[-1].items()}
    return {
        "workdir": str(workdir),
        **{name: value for name, value in row.items() if "/" not in name},
        "notes": [],
        "metrics": {name: value for name, value in row.items() if "/" in name},
    }


def table(result: dict[str, Any]) -> str:
    """Lays a result out for a terminal.

    Args:
        result: of `measure_features` or `last_checkpoint`.

    Returns:
        Lines joined by newlines.
    """
    intervals = result.get("intervals", {})
    width = max(map(len, result["metrics"]), default=0)
    hidden = {"notes", "metrics", "intervals"}
    facts = (f"{name} {value}" for name, value in result.items() if name not in hidden and value is not None)
    lines = [", ".join(facts)]
    if intervals:
        lines.append(f"{'':{width}}  {'value':>11}  {'95% interval':>24}  {'stderr':>11}")
    for name, value in result["metrics"].items():
        line = f"{name:{width}}  {_number(value)}"
        if name in intervals:
            bar = intervals[name]
            line += f"  [{_number(bar['low'])}, {_number(bar['high'])}]  {_number(bar['stderr'])}".replace("[ ", "[")
        lines.append(line)
    return "\n".join(lines + [f"note: {note}" for note in result["notes"]])


def _measures(train: Any, test: Any = None, *, kernel: Any, bias: Any, num_classes: int) -> dict[str, Any]:
    from ncjax import metrics

    report = metrics.train_test_report(train[0], train[1], num_classes, test=test, kernel=kernel, bias=bias)
    return report if test is not None else {name.removeprefix("train/"): value for name, value in report.items()}


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(value: float | str | None) -> str:
    return f"{'-' if value is None else value if isinstance(value, str) else f'{value:.4g}':>11}"


def start() -> None:
    """Runs the command."""
    with keeping_stdout():
        launch.run(main)
