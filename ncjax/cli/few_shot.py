"""Few-shot accuracy of frozen features from anywhere, over many episodes.

python -m experiments.few_shot --features=F.npz --ways=5 --shots=1,5 --head=ncm,ridge,logistic
python -m experiments.few_shot --workdir=DIR [--run=N] [--episodes_file=E.json] [--per_episode=OUT.npz] [--json=OUT]

F.npz holds `features` [n, d] and `labels` [n] of classes never trained on; several files (or several seeds of a sweep)
give an interval over seeds too. --workdir takes the target classes through the last checkpoints of a sweep's runs. The
head ridge_chosen is ridge regression whose λ validation classes choose (--validation_features, or those of the sweep's
data). E.json or E.npz holds episodes: `support` [episodes, ways, shots] and `query` [episodes, ways, queries], rows of
the features. JSON goes to the standard output, a table if that is a terminal; all else goes to the standard error.
"""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.few_shot_features import FeatureSet, from_files, from_workdir
from ncjax.cli.few_shot_protocol import Protocol, measure_sets
from ncjax.cli.result import check_writable, keeping_stdout, say_written, show

FEATURES = flags.DEFINE_multi_string(
    "features", [], "File of features, written by numpy.savez; may be repeated.", **launch.SHARED
)
VALIDATION = flags.DEFINE_string("validation_features", None, "File of features of validation classes.")
SOURCE = flags.DEFINE_string("source_features", None, "File of source features; their mean centres the cosine head.")
WORKDIR = flags.DEFINE_string("workdir", None, "Directory of a sweep.", **launch.SHARED)
RUN = flags.DEFINE_multi_integer(
    "run", [], "Run of the sweep, by default all; may be repeated.", lower_bound=0, **launch.SHARED
)
WAYS = flags.DEFINE_integer("ways", 5, "Classes an episode.")
SHOTS = flags.DEFINE_list("shots", ["1", "5"], "Supports a class, several by commas.", **launch.SHARED)
QUERIES = flags.DEFINE_integer("queries", 15, "Queries a class.")
EPISODES = flags.DEFINE_integer("episodes", 10_000, "Number of episodes.")
HEAD = flags.DEFINE_list("head", ["ncm"], "Heads by commas.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the episodes.", lower_bound=0, **launch.SHARED)
EPISODES_FILE = flags.DEFINE_string("episodes_file", None, "Episodes to take instead of random ones.")
PER_EPISODE = flags.DEFINE_string(
    "per_episode", None, "File to write the accuracy of each episode to, as numpy.savez does."
)
JSON = flags.DEFINE_string("json", None, "File to write the JSON to.", **launch.SHARED)


def main() -> None:
    """Measures what the flags ask for, and prints or writes it."""
    protocol = _asked_protocol()
    check_writable(json=JSON.value, per_episode=PER_EPISODE.value)
    with contextlib.ExitStack() as stack:
        result, per_episode = measure_sets(_asked_sets(stack), protocol)
    show(result, table, json_file=JSON.value)
    if PER_EPISODE.value is not None:
        from ncjax.files import replace_arrays

        replace_arrays(Path(PER_EPISODE.value), per_episode)
        say_written(PER_EPISODE.value)


def _asked_sets(stack: contextlib.ExitStack) -> Iterable[FeatureSet]:
    """The feature sets that the flags name."""
    if bool(FEATURES.value) == (WORKDIR.value is not None):
        raise ValueError("arguments: expected either --features=F.npz or --workdir=DIR")
    if WORKDIR.value is None:
        if RUN.value:
            raise ValueError("--run: goes with --workdir, not with --features")
        return from_files(FEATURES.value, VALIDATION.value, SOURCE.value)
    if VALIDATION.value or SOURCE.value:
        raise ValueError("--validation_features, --source_features: go with --features; a sweep has its own")
    from ncjax.sweep.launch import bucket_copies as cloud

    return from_workdir(stack.enter_context(cloud.reading(WORKDIR.value)), RUN.value)


def _asked_protocol() -> Protocol:
    """The protocol that the flags describe."""
    if not SHOTS.value or not all(text.strip().isdigit() for text in SHOTS.value):
        raise ValueError(f"--shots: got {','.join(SHOTS.value)!r}, expected whole numbers by commas")
    if EPISODES_FILE.value is not None:
        for name in ("ways", "queries", "episodes", "seed"):
            if flags.FLAGS[name].present:
                raise ValueError(f"--{name}: is in the --episodes_file; expected one of the two")
    return Protocol(
        ways=WAYS.value,
        shots=tuple(int(text) for text in SHOTS.value),
        queries=QUERIES.value,
        episodes=EPISODES.value,
        heads=tuple(HEAD.value),
        seed=SEED.value,
        episodes_file=EPISODES_FILE.value,
    )


def table(result: dict[str, Any]) -> str:
    """Lays a result out for a terminal.

    Args:
        result: of `measure_sets`.

    Returns:
        Lines joined by newlines.
    """
    lines = []
    for one in result["sets"]:
        lines.append(f"{one['name']}: {one['samples']} samples, {one['classes']} classes, {one['dim']} features")
        for name, value in one["accuracy"].items():
            line = f"  {name:24} {_percent(value['mean'])} ± {_percent(value['ci95_episodes'])} (95%, over episodes)"
            if "gradient_norm" in value:
                line += f", gradient norm {value['gradient_norm']:.1e} at most"
            if "error_bound" in value:
                line += f", error {_percent(value['error'])}, bound {_bound(value['error_bound'])}"
            lines.append(line)
        lines += [f"  ridge_chosen λ at {shots}: {l2:g}" for shots, l2 in one.get("ridge_chosen_l2", {}).items()]
        lines.append(
            "  " + ", ".join(f"{name} {value:.4g}" for name, value in one["metrics"].items() if value is not None)
        )
        lines += [f"  note: {note}" for note in one["notes"]]
    for group in result["over_seeds"]:
        lines.append(f"{group['seeds']} seeds, {group['setting']}")
        for name, value in group["accuracy"].items():
            lines.append(f"  {name:24} {_percent(value['mean'])} ± {_percent(value['ci95_seeds'])} (95%, over seeds)")
    return "\n".join(lines)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}%"


def _bound(value: float | None) -> str:
    """A bound on an error; one above 1 is no percentage and says nothing."""
    return f"{value:.1e} (vacuous)" if value is not None and value > 1 else _percent(value)


def start() -> None:
    """Runs the command."""
    with keeping_stdout():
        launch.run(main)
