import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ncjax.transfer import (
    Episodes,
    EpisodeSpec,
    class_index,
    few_shot,
    given_episode_accuracies,
    read_episodes,
    sample_episodes,
    write_episodes,
)

LABELS = np.arange(60) % 4 + 10
GOOD = {"support": [[[0], [1]], [[2], [3]]], "query": [[[4, 8], [5, 9]], [[6, 10], [7, 11]]]}


@pytest.mark.parametrize("suffix", ["npz", "json"])
def test_written_episodes_score_as_the_same_episodes_drawn(tmp_path, suffix):
    features = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32) + LABELS[:, None]
    spec = EpisodeSpec(ways=3, shots=(2,), queries=4, episodes=7)
    path = tmp_path / f"episodes.{suffix}"
    write_episodes(path, sample_episodes(class_index(LABELS), jax.random.key(0), spec))
    given = given_episode_accuracies(features, read_episodes(path, LABELS), spec)
    drawn = few_shot(features, LABELS, jax.random.key(0), ways=3, shots=2, queries=4, episodes=7)
    np.testing.assert_allclose(given[0, 0], drawn.per_episode, atol=1e-6)


def changed(name, place, value):
    content = json.loads(json.dumps(GOOD))
    episode, way, sample = place
    content[name][episode][way][sample] = value
    return content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], "expected an object with support and query, got a list"),
        ({"support": GOOD["support"]}, "lacks query, holds support"),
        (
            {**GOOD, "query": [[4]]},
            r"query is int64 of shape \(1, 1\), expected integers of shape \[episodes, w",
        ),
        ({**GOOD, "support": [[[0], [1, 2]]]}, "support is object of shape"),
        ({**GOOD, "support": [[[0.5], [1]]]}, "support is float64 of shape"),
        ({**GOOD, "query": GOOD["query"][:1]}, r"support is \(2, 2, 1\), query \(1, 2, 2\)"),
        ({"support": [[[0]]], "query": [[[4]]]}, "episodes of 1 way, expected at least 2"),
        (changed("query", (1, 0, 1), 60), r"episode 1 names row 60, expected 0\.\.59"),
        (changed("support", (0, 0, 0), -1), "episode 0 names row -1"),
        (changed("query", (1, 0, 0), 2), "episode 1 uses row 2 twice"),
        (changed("query", (0, 1, 0), 6), "episode 0, way 1 mixes samples of classes 11, 12"),
        (
            {"support": [[[0], [12]]], "query": [[[4], [8]]]},
            "episode 0 has two ways of class 10, expected ways of different classes",
        ),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, message):
    path = tmp_path / "episodes.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"episodes\.json: {message}"):
        read_episodes(path, LABELS)


def test_a_file_of_another_format_is_named(tmp_path):
    for name, message in (("a.txt", "ends in .npz or .json"), ("a.npz", "not an .npz file"), ("a.json", "not JSON")):
        (tmp_path / name).write_text("episodes")
        with pytest.raises(ValueError, match=message):
            read_episodes(tmp_path / name, LABELS)
    with pytest.raises(FileNotFoundError):
        read_episodes(tmp_path / "none.npz", LABELS)
    with pytest.raises(ValueError, match="expected a name that ends in"):
        write_episodes(tmp_path / "a.txt", Episodes(jnp.zeros((1, 2, 1), int), jnp.zeros((1, 2, 1), int)))
