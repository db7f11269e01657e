"""Few-shot transfer: how well simple heads classify frozen features of classes never trained on."""

from ncjax.transfer.accuracy import (
    EpisodeResults,
    FewShotResult,
    accuracy_interval,
    checked_features,
    episode_accuracies,
    episode_results,
    few_shot,
    given_episode_accuracies,
    given_episode_results,
)
from ncjax.transfer.episode_file import read_episodes, write_episodes
from ncjax.transfer.episodes import (
    ClassIndex,
    Episodes,
    EpisodeSpec,
    check_fits,
    class_index,
    sample_episode,
    sample_episodes,
)
from ncjax.transfer.heads import HEADS, Head, IterativeHead, NearestMean, NearestMeanCosine, Ridge, find_head
from ncjax.transfer.logistic import LogisticRegression
from ncjax.transfer.minimise import Minimum, minimise
from ncjax.transfer.npz import read_npz
from ncjax.transfer.probes import PROBE_L2, ProbeResult, knn_accuracy, linear_probe
from ncjax.transfer.scores import gbc, h_score, h_score_shrunk, leep, log_me, scores, trans_rate
from ncjax.transfer.selection import RIDGE_HEADS, ChosenHead, choose_head
from ncjax.transfer.svm import LinearSVM

__all__ = [
    "HEADS",
    "PROBE_L2",
    "RIDGE_HEADS",
    "ChosenHead",
    "ClassIndex",
    "EpisodeResults",
    "EpisodeSpec",
    "Episodes",
    "FewShotResult",
    "Head",
    "IterativeHead",
    "LinearSVM",
    "LogisticRegression",
    "Minimum",
    "NearestMean",
    "NearestMeanCosine",
    "ProbeResult",
    "Ridge",
    "accuracy_interval",
    "check_fits",
    "checked_features",
    "choose_head",
    "class_index",
    "episode_accuracies",
    "episode_results",
    "few_shot",
    "find_head",
    "gbc",
    "given_episode_accuracies",
    "given_episode_results",
    "h_score",
    "h_score_shrunk",
    "knn_accuracy",
    "leep",
    "linear_probe",
    "log_me",
    "minimise",
    "read_episodes",
    "read_npz",
    "sample_episode",
    "sample_episodes",
    "scores",
    "trans_rate",
    "write_episodes",
]
