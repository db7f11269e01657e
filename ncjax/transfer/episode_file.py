"""Fixed episodes in a file, so that several programs can be measured on the same ones."""

import json
from collections.abc import Mapping
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from ncjax.transfer.episodes import ArrayLike, Episodes
from ncjax.transfer.npz import read_npz

_NAMES = ("support", "query")


def write_episodes(path: Path | str, episodes: Episodes) -> None:
    """Writes episodes to a file that `read_episodes` and any other software can read.

    Args:
        path: ends in `.npz` (arrays `support` and `query`) or `.json` (an object with the same, as nested lists).
        episodes: support [episodes, ways, shots] and query [episodes, ways, queries].

    Raises:
        ValueError: if the path ends otherwise.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "episodes.json"
        >>> write_episodes(path, Episodes(support=jnp.array([[[0], [1]]]), query=jnp.array([[[2], [3]]])))
        >>> path.read_text()
        '{"support": [[[0], [1]]], "query": [[[2], [3]]]}'
    """
    arrays = {name: np.asarray(getattr(episodes, name)) for name in _NAMES}
    if _kind(Path(path)) == ".npz":
        np.savez(path, **arrays)  # type: ignore[arg-type]
    else:
        Path(path).write_text(json.dumps({name: array.tolist() for name, array in arrays.items()}), encoding="utf-8")


def read_episodes(path: Path | str, labels: ArrayLike) -> Episodes:
    """Reads episodes from a file and checks them against the labels of the features that they index.

    Args:
        path: of an `.npz` file with the integer arrays `support` [episodes, ways, shots] and `query` [episodes, ways,
            queries], or a `.json` file with an object that holds the same as nested lists. An entry is a row of the
            features, from 0. All samples of a way are of one class.
        labels: integers [n], of the features.

    Returns:
        The episodes.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is of another format, an array does not fit, a row is out of range, an episode uses a sample
            twice, a way mixes classes, or two ways of an episode are of the same class.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "episodes.npz"
        >>> write_episodes(path, Episodes(support=jnp.array([[[0], [1]]]), query=jnp.array([[[2], [3]]])))
        >>> read_episodes(path, labels=np.array([5, 7, 5, 7])).query.tolist()
        [[[2], [3]]]
        >>> read_episodes(path, labels=np.array([5, 5, 5, 7]))
        Traceback (most recent call last):
        ValueError: ...episodes.npz: episode 0, way 1 mixes samples of classes 5, 7; expected one class a way
    """
    path, values = Path(path), np.asarray(labels)
    path.stat()
    arrays = _read_npz(path) if _kind(path) == ".npz" else _read_json(path)
    support, query = (_indices(path, name, arrays) for name in _NAMES)
    if support.shape[:2] != query.shape[:2]:
        raise ValueError(
            f"{path}: support is {support.shape}, query {query.shape}; expected [episodes, ways, shots] and "
            f"[episodes, ways, queries] with the same episodes and ways"
        )
    if support.shape[1] < 2:
        raise ValueError(f"{path}: episodes of {support.shape[1]} way, expected at least 2")
    rows = np.concatenate([support, query], axis=2)
    wrong = np.argwhere((rows < 0) | (rows >= len(values)))
    if len(wrong):
        episode = wrong[0][0]
        raise ValueError(
            f"{path}: episode {episode} names row {rows[tuple(wrong[0])]}, expected 0..{len(values) - 1} for the "
            f"{len(values)} features"
        )
    in_order = np.sort(rows.reshape(len(rows), -1), axis=1)
    repeated = np.argwhere(in_order[:, 1:] == in_order[:, :-1])
    if len(repeated):
        episode, place = repeated[0]
        raise ValueError(f"{path}: episode {episode} uses row {in_order[episode, place]} twice, expected once at most")
    classes = values[rows]
    mixed = np.argwhere((classes != classes[:, :, :1]).any(axis=2))
    if len(mixed):
        episode, way = mixed[0]
        found = ", ".join(map(str, np.unique(classes[episode, way]).tolist()))
        raise ValueError(
            f"{path}: episode {episode}, way {way} mixes samples of classes {found}; expected one class a way"
        )
    of_ways = np.sort(classes[:, :, 0], axis=1)
    same = np.argwhere(of_ways[:, 1:] == of_ways[:, :-1])
    if len(same):
        episode, place = same[0]
        raise ValueError(
            f"{path}: episode {episode} has two ways of class {of_ways[episode, place]}, expected ways of different "
            "classes"
        )
    return Episodes(jnp.asarray(support, jnp.int32), jnp.asarray(query, jnp.int32))


def _kind(path: Path) -> str:
    if path.suffix not in (".npz", ".json"):
        raise ValueError(f"{path}: expected a name that ends in .npz or .json")
    return path.suffix


def _read_npz(path: Path) -> Mapping[str, object]:
    arrays, there = read_npz(path, _NAMES, "numpy.savez(path, support=…, query=…)")
    # By their names alone, for the message where one is missing.
    return {**dict.fromkeys(there), **arrays}


def _read_json(path: Path) -> Mapping[str, object]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path}: not JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected an object with support and query, got a {type(content).__name__}")
    return content


def _indices(path: Path, name: str, arrays: Mapping[str, object]) -> np.ndarray:
    if name not in arrays:
        raise ValueError(f"{path}: lacks {name}, holds {', '.join(arrays) or 'nothing'}; expected support and query")
    try:
        array = np.asarray(arrays[name])
    except ValueError:  # lists of unlike length
        array = np.asarray(None)
    if array.ndim != 3 or not np.issubdtype(array.dtype, np.integer) or not array.size:
        last = "shots" if name == "support" else "queries"
        raise ValueError(
            f"{path}: {name} is {array.dtype} of shape {array.shape}, expected integers of shape [episodes, ways, "
            f"{last}]"
        )
    return array
