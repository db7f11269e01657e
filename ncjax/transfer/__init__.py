"""Few-shot transfer: how well simple heads classify frozen features of classes never trained on."""

from ncjax.transfer.accuracy import (
    FewShotResult,
    accuracy_interval,
    episode_accuracies,
    few_shot,
    given_episode_accuracies,
)
from ncjax.transfer.episodes import (
    ClassIndex,
    Episodes,
    EpisodeSpec,
    check_fits,
    class_index,
    sample_episode,
    sample_episodes,
)
from ncjax.transfer.heads import HEADS, Head, NearestMean, NearestMeanCosine, Ridge, find_head

__all__ = [
    "HEADS",
    "ClassIndex",
    "EpisodeSpec",
    "Episodes",
    "FewShotResult",
    "Head",
    "NearestMean",
    "NearestMeanCosine",
    "Ridge",
    "accuracy_interval",
    "check_fits",
    "class_index",
    "episode_accuracies",
    "few_shot",
    "find_head",
    "given_episode_accuracies",
    "sample_episode",
    "sample_episodes",
]
