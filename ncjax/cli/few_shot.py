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
import dataclasses
import functools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from ncjax.cli import entry as launch
from ncjax.cli.few_shot_features import FeatureSet, from_files, from_workdir
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
SHOTS = flags.DEFINE_list("shots", ["1", "5"], "Supports a class, several by commas.")
QUERIES = flags.DEFINE_integer("queries", 15, "Queries a class.")
EPISODES = flags.DEFINE_integer("episodes", 10_000, "Number of episodes.")
HEAD = flags.DEFINE_list("head", ["ncm"], "Heads by commas.")
SEED = flags.DEFINE_integer("seed", 0, "Seed of the episodes.", lower_bound=0, **launch.SHARED)
EPISODES_FILE = flags.DEFINE_string("episodes_file", None, "Episodes to take instead of random ones.")
PER_EPISODE = flags.DEFINE_string(
    "per_episode", None, "File to write the accuracy of each episode to, as numpy.savez does."
)
JSON = flags.DEFINE_string("json", None, "File to write the JSON to.", **launch.SHARED)

CHOSEN = "ridge_chosen"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is asked of every feature set.

    Attributes:
        ways, shots, queries, episodes, heads: as in ``ncjax.transfer.EpisodeSpec``; ``ridge_chosen`` among the heads.
        seed: of the episodes.
        episodes_file: episodes to take instead of random ones, or None.
    """

    ways: int = 5
    shots: tuple[int, ...] = (1, 5)
    queries: int = 15
    episodes: int = 10_000
    heads: tuple[str, ...] = ("ncm",)
    seed: int = 0
    episodes_file: str | None = None


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


def measure_sets(sets: Iterable[FeatureSet], protocol: Protocol) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measures every feature set on the protocol's episodes.

    Args:
        sets: the features.
        protocol: ways, shots, heads and so on.

    Returns:
        What JSON can hold, and the accuracy of each episode [sets, episodes] by head and shots.

    Raises:
        ValueError: if the features do not fit the protocol.
    """
    measured, accuracies = [], []
    for features in sets:
        one, by_name = measure_set(features, protocol)
        measured.append(one)
        accuracies.append(by_name)
    per_episode = {name: np.stack([one[name] for one in accuracies]) for name in accuracies[0]}
    settings: dict[str, list[dict[str, Any]]] = {}
    for one in measured:
        settings.setdefault(one["setting"], []).append(one)
    over_seeds = [_over_seeds(setting, seeds) for setting, seeds in settings.items() if len(seeds) > 1]
    facts = {
        "protocol": dataclasses.asdict(protocol) | _counts(per_episode),
        "sets": measured,
        "over_seeds": over_seeds,
    }
    return facts, per_episode | {"sets": np.array([one["name"] for one in measured])}


def measure_set(features: FeatureSet, protocol: Protocol) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Measures one feature set: accuracy of every head at every number of shots, collapse, the nearest-mean bound.

    Args:
        features: the set.
        protocol: ways, shots, heads and so on.

    Returns:
        What JSON can hold, and the accuracy of each episode by head and shots.

    Raises:
        ValueError: if the features do not fit the protocol.
    """
    import jax

    from ncjax import metrics, transfer

    rows, labels = features.target
    labels = np.unique(labels, return_inverse=True)[1].astype(np.int32)
    num_classes = int(labels.max()) + 1
    if num_classes < 2:
        raise ValueError(f"labels: {features.name} holds one class, expected at least two")
    given = None if protocol.episodes_file is None else transfer.read_episodes(protocol.episodes_file, labels)
    if given is not None:
        given = _first_supports(given, protocol)
        _, ways, _ = given.support.shape
        queries = given.query.shape[2]
    else:
        ways, queries = protocol.ways, protocol.queries
    rows = np.asarray(transfer.checked_features(rows, len(labels)))
    center = None if features.center is None else features.center.astype(rows.dtype)
    report = jax.jit(functools.partial(_collapse, num_classes=num_classes))(rows, labels)
    metrics_by_name = {name: _plain(value) for name, value in report.items()}
    accuracy: dict[str, dict[str, Any]] = {}
    per_episode: dict[str, np.ndarray] = {}
    chosen: dict[int, Any] = {}
    key = jax.random.key(protocol.seed)
    if CHOSEN in protocol.heads:
        choose = functools.partial(_choose, features, transfer.choose_head, key, ways, queries=queries)
        chosen = {shots: choose(shots) for shots in protocol.shots}
    # One compiled call for all heads and shots; a λ may be chosen for some number of shots alone.
    heads: list[Any] = [*dict.fromkeys([name for name in protocol.heads if name != CHOSEN] + list(chosen.values()))]
    episodes = protocol.episodes if given is None else len(given.support)
    spec = transfer.EpisodeSpec(int(ways), protocol.shots, int(queries), episodes, tuple(heads))
    if given is None:
        results = _drawn(rows, transfer.class_index(labels), key, spec, center)
    else:
        results = _given(rows, given._replace(support=given.support[:, :, : max(protocol.shots)]), spec, center)
    for place, shots in enumerate(protocol.shots):
        for head in protocol.heads:
            name = f"{head}_{shots}shot"
            index = heads.index(chosen[shots] if head == CHOSEN else head)
            one = transfer.accuracy_interval(results.accuracy[index, place], results.gradient_norm[index, place])
            per_episode[name] = np.asarray(one.per_episode)
            accuracy[name] = {"mean": _plain(one.mean), "ci95_episodes": _plain(one.ci95)}
            if isinstance(transfer.find_head(heads[index]), transfer.IterativeHead):
                accuracy[name]["gradient_norm"] = _plain(one.gradient_norm)
            if head == "ncm":
                bound = metrics.nearest_mean_bound(report["cdnv"], int(ways), shots)
                accuracy[name] |= {"error": _plain(1 - one.mean), "error_bound": _plain(bound)}
    facts = {"name": features.name, "setting": features.setting, "samples": len(labels), "classes": num_classes}
    facts |= {"dim": rows.shape[1], "notes": list(features.notes), "accuracy": accuracy, "metrics": metrics_by_name}
    if chosen:
        facts["ridge_chosen_l2"] = {f"{shots}shot": head.l2 for shots, head in chosen.items()}
    return facts, per_episode


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


def _collapse(features: Any, labels: Any, num_classes: int) -> dict[str, Any]:
    from ncjax import metrics

    return metrics.collapse_report(metrics.class_stats(features, labels, num_classes))


@functools.cache
def _compiled(name: str) -> Any:
    import jax

    from ncjax import transfer

    return jax.jit(getattr(transfer, name), static_argnames="spec")


def _drawn(rows: Any, index: Any, key: Any, spec: Any, center: Any) -> Any:
    return _compiled("episode_results")(rows, index, key, spec, center=center)


def _given(rows: Any, episodes: Any, spec: Any, center: Any) -> Any:
    return _compiled("given_episode_results")(rows, episodes, spec, center=center)


def _choose(features: FeatureSet, choose: Any, key: Any, ways: int, shots: int, *, queries: int) -> Any:
    if features.validation is None:
        raise ValueError(f"--head: {CHOSEN} needs validation classes; expected --validation_features=V.npz")
    # Another key than the reported episodes', so that nothing of the choice is shared with them.
    import jax

    return choose(
        *features.validation, jax.random.fold_in(key, 1), ways=int(ways), shots=shots, queries=int(queries)
    ).head


def _first_supports(episodes: Any, protocol: Protocol) -> Any:
    there = episodes.support.shape[2]
    if max(protocol.shots) > there:
        raise ValueError(
            f"--shots: got {max(protocol.shots)}, expected at most the {there} supports of the episodes' file"
        )
    return episodes


def _counts(per_episode: dict[str, np.ndarray]) -> dict[str, int]:
    return {"episodes": next(iter(per_episode.values())).shape[1]}


def _over_seeds(setting: str, seeds: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean over training runs with the t interval of what another run would give: episodes are the same for all."""
    import jax.numpy as jnp

    from ncjax import transfer

    accuracy = {}
    for name in seeds[0]["accuracy"]:
        means = jnp.array(
            [np.nan if one["accuracy"][name]["mean"] is None else one["accuracy"][name]["mean"] for one in seeds]
        )
        interval = transfer.accuracy_interval(means)
        accuracy[name] = {"mean": _plain(interval.mean), "ci95_seeds": _plain(interval.ci95)}
    return {"setting": setting, "seeds": len(seeds), "accuracy": accuracy}


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}%"


def _bound(value: float | None) -> str:
    """A bound on an error; one above 1 is no percentage and says nothing."""
    return f"{value:.1e} (vacuous)" if value is not None and value > 1 else _percent(value)


def start() -> None:
    """Runs the command."""
    with keeping_stdout():
        launch.run(main)
