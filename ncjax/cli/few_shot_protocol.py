"""Few-shot accuracy, collapse and bounds of sets of features, all on the same episodes."""

import dataclasses
import functools
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from ncjax.cli.few_shot_features import FeatureSet

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
