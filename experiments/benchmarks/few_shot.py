"""Few-shot accuracy over ten thousand episodes, against a loop over episodes in torch."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from experiments.benchmarks import peers
from experiments.benchmarks.case import OURS, Case, Options, Target
from experiments.benchmarks.timing import alternate
from ncjax import transfer

_AIMS = {"ncm": 5000, "ridge": 2000}


def few_shot(options: Options) -> Iterator[Case]:
    """5-way 5-shot episodes with 15 queries a class on features of 20 classes × 600, d = 640."""
    episodes, dim, per_class = (20, 8, 30) if options.quick else (10_000, 640, 600)
    for head, aim in _AIMS.items():
        title = f"{head}, {episodes:,} episodes, 5-way 5-shot 15 queries, d = {dim}"
        if options.wants(title):
            case = _case(head, episodes, dim, per_class, title, options)
            rate = episodes / case.timings[OURS].median
            yield case.aiming(Target("episodes a second", rate, aim), ratio=10.0)


def _case(head: str, episodes: int, dim: int, per_class: int, title: str, options: Options) -> Case:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(20, dtype=np.int32), per_class)
    features = (0.2 * rng.normal(size=(20, dim))[labels] + rng.normal(size=(len(labels), dim))).astype(np.float32)
    key = jax.random.key(0)
    ours_features = jax.device_put(features)

    def ours() -> Any:
        return jax.block_until_ready(transfer.few_shot(ours_features, labels, key, episodes=episodes, head=head))

    contestants: dict[str, Callable[[], Any]] = {OURS: ours}
    notes = []
    if peers.torch is not None:
        from experiments.benchmarks import torch_metrics

        spec = transfer.EpisodeSpec(episodes=episodes, heads=(head,))
        drawn = transfer.sample_episodes(transfer.class_index(labels), key, spec)
        rows, support, query = (peers.tensor(array) for array in (features, drawn.support, drawn.query))
        # Its episodes are drawn beforehand: the loop is spared that.
        contestants["torch loop"] = lambda: torch_metrics.few_shot_loop(rows, support, query, head)
        difference = np.abs(np.asarray(ours().per_episode) - contestants["torch loop"]().cpu().numpy())
        if not difference.mean() < 1e-4:
            raise AssertionError(f"{title}: accuracies differ by {difference.mean():.1e} on average")
        notes.append(f"accuracies agree in {np.mean(difference < 1e-6):.2%} of the episodes")
    timings = alternate(contestants, options.repeats, options.max_seconds)
    # What must be read: the features of every episode's samples.
    moved = episodes * 100 * dim * 4
    return Case("few_shot", title, timings, bytes=moved, items=(episodes, "episodes"), notes=tuple(notes))
