"""Ranks every measure by how well it predicts transfer, over the runs of sweeps or over files of features.

python -m experiments.rivals --workdir=DIR [--workdir=DIR2] [--outcome=target/accuracy_5shot] [--plot=OUT.png]
python -m experiments.rivals --features='backbone*.npz' [--ways=5 --shots=5] [--csv=OUT] [--json=OUT]

Of sweeps the runs are compared at the end of training. Each file holds the `features` [n, d] and `labels` [n] that one
network gives of the same target data: five files or more. The outcome is a column of the table, larger is better;
--outcome=-test/error predicts a small one. JSON goes to the standard output, a table if that is a terminal; all else
goes to the standard error.
"""

import contextlib
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.features_series import is_pattern, matching_files
from ncjax.cli.few_shot_features import FeatureSet, from_files
from ncjax.cli.few_shot_protocol import Protocol, measure_set
from ncjax.cli.result import check_writable, keeping_stdout, say_written, show

if TYPE_CHECKING:
    import pandas as pd

WORKDIR = flags.DEFINE_multi_string(
    "workdir", [], "Directory or URL of a sweep; may be given several times.", **launch.SHARED
)
FEATURES = flags.DEFINE_multi_string(
    "features", [], "File of features, or a pattern in quotes; may be repeated.", **launch.SHARED
)
OUTCOME = flags.DEFINE_string(
    "outcome", None, "Column to predict, by default few-shot accuracy; -COLUMN: less is better."
)
ALL_RUNS = flags.DEFINE_boolean("all_runs", False, "Compare also runs that did not reach the terminal phase.")
WAYS = flags.DEFINE_integer("ways", 5, "With --features: classes an episode.", lower_bound=2, **launch.SHARED)
SHOTS = flags.DEFINE_integer("shots", 5, "With --features: supports a class.", lower_bound=1, **launch.SHARED)
EPISODES = flags.DEFINE_integer(
    "episodes", 1_000, "With --features: number of episodes.", lower_bound=2, **launch.SHARED
)
CSV = flags.DEFINE_string("csv", None, "File to write the standings to.", **launch.SHARED)
PLOT = flags.DEFINE_string("plot", None, "File to draw them to: PNG, PDF or SVG.", **launch.SHARED)
JSON = flags.DEFINE_string("json", None, "File to write the JSON to.", **launch.SHARED)


def main() -> None:
    """Ranks what the flags name, and prints, writes and draws it."""
    from ncjax.claims import OUTCOME as DEFAULT
    from ncjax.claims import rank_rivals

    if bool(WORKDIR.value) == bool(FEATURES.value):
        raise ValueError("arguments: expected either --workdir=DIR or --features='F*.npz'")
    check_writable(json=JSON.value, csv=CSV.value, plot=PLOT.value)
    if FEATURES.value:
        found = features_table(_files(list(FEATURES.value)), int(WAYS.value), int(SHOTS.value), int(EPISODES.value))
        rivals = rank_rivals(found, OUTCOME.value or f"target/accuracy_{SHOTS.value}shot", terminal=False)
    else:
        rivals = rank_rivals(_sweeps(list(WORKDIR.value)), OUTCOME.value or DEFAULT, terminal=not ALL_RUNS.value)
    result = dataclasses.asdict(rivals)
    result["standings"] = [dataclasses.asdict(each) | {"verdict": each.verdict} for each in rivals.standings]
    show(_without_nan(result), lambda _: rivals_text(rivals), json_file=JSON.value)
    if CSV.value:
        import pandas as pd

        pd.DataFrame(result["standings"]).to_csv(CSV.value, index=False)
        say_written(CSV.value)
    if PLOT.value:
        from ncjax.report.figures.rivals import draw_rivals
        from ncjax.report.figures.style import PIXELS_PER_INCH, house_style

        with house_style():
            draw_rivals(rivals).savefig(PLOT.value, dpi=PIXELS_PER_INCH)
        say_written(PLOT.value)


def rivals_text(rivals: Any) -> str:
    """Lays standings out for a terminal.

    Args:
        rivals: of `ncjax.claims.rank_rivals`.

    Returns:
        Lines joined by newlines.
    """
    from ncjax.report.figures.rivals import conclusion, rivals_table

    facts = f"{rivals.runs} runs, {rivals.units} {rivals.unit}, outcome {rivals.outcome}"
    return "\n".join([*rivals_table(rivals).lines(), "", facts, conclusion(rivals)])


def features_table(paths: list[Path], ways: int, shots: int, episodes: int) -> "pd.DataFrame":
    """Measures the features that several networks give of one target: few-shot accuracy and every measure of it.

    Args:
        paths: of .npz files, one a network.
        ways: classes an episode.
        shots: supports a class.
        episodes: number of them.

    Returns:
        A results table with one row a file.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a file does not fit, or the files are not of the same target.
    """
    import pandas as pd
    from tqdm import tqdm

    sets = from_files([str(path) for path in paths], None, None)
    _check_same_target(sets)
    protocol = Protocol(ways=ways, shots=(shots,), episodes=episodes)
    rows = []
    for number, one in enumerate(tqdm(sets, desc="measuring", disable=None)):
        try:
            facts, _ = measure_set(one, protocol)
            row = {f"target/accuracy_{shots}shot": facts["accuracy"][f"ncm_{shots}shot"]["mean"]}
            row |= {f"target/{name}": value for name, value in facts["metrics"].items()}
            row |= {f"target/{name}": float(value) for name, value in _more_measures(one, ways, shots).items()}
        except ValueError as error:
            raise ValueError(f"{one.name}: {error}") from error
        rows.append({"run": number, "step": 0, "train/error": 0.0} | row)
    return pd.DataFrame(rows)


def _more_measures(one: FeatureSet, ways: int, shots: int) -> dict[str, Any]:
    """What `few-shot` does not measure of the same features."""
    import numpy as np

    from ncjax import metrics, transfer

    features, given = one.target
    labels = np.unique(given, return_inverse=True)[1].astype(np.int32)
    of_target = (features, labels, int(labels.max()) + 1)
    return {
        "directional_cdnv": metrics.directional_cdnv(*of_target),
        f"few_shot_certificate_{shots}shot": metrics.few_shot_certificate(*of_target, shots, ways).bound,
        **metrics.rank_report(features, of_target[2]),
        **transfer.scores(*of_target),
    }


def _check_same_target(sets: list[FeatureSet]) -> None:
    import numpy as np

    first = sets[0]
    for other in sets[1:]:
        if not np.array_equal(first.target[1], other.target[1]):
            raise ValueError(
                f"--features: {other.name} has other labels than {first.name}; expected features of the same samples, "
                f"in the same order"
            )


def _files(names: list[str]) -> list[Path]:
    return [path for name in names for path in (matching_files(name) if is_pattern(name) else [Path(name)])]


def _sweeps(names: list[str]) -> "pd.DataFrame":
    from ncjax.report import read_tables
    from ncjax.sweep.launch import bucket_copies as cloud

    with contextlib.ExitStack() as stack:
        return read_tables([stack.enter_context(cloud.reading(name)) for name in dict.fromkeys(names)])


def _without_nan(value: Any) -> Any:
    """The same with None for what is no number, which JSON cannot hold."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if value != value else value


def start() -> None:
    """Runs the command."""
    with keeping_stdout():
        launch.run(main)
