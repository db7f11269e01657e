"""What a trained network needs beside its weights; it lies with its checkpoints, so that reading one needs no data."""

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from ncjax.data import Dataset
from ncjax.files import read_object, write_json
from ncjax.models import ModelSpec

FILE_NAME = "network.json"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network and the images that it takes.

    Attributes:
        model: what ``ncjax.models.build`` takes.
        num_classes: that it tells apart.
        image_shape: of one image, [height, width, channels].
        input_mean: of each channel, of pixels in [0, 1]; images are normalised by it.
        input_std: likewise.
    """

    model: ModelSpec
    num_classes: int
    image_shape: tuple[int, int, int]
    input_mean: tuple[float, ...]
    input_std: tuple[float, ...]

    @property
    def mean(self) -> Float32[np.ndarray, " c"]:
        """``input_mean`` as an array."""
        return np.array(self.input_mean, np.float32)

    @property
    def std(self) -> Float32[np.ndarray, " c"]:
        """``input_std`` as an array."""
        return np.array(self.input_std, np.float32)


def network_for(model: ModelSpec, dataset: Dataset) -> Network:
    """A network that is trained on a data set.

    Args:
        model: its options.
        dataset: to train on.

    Returns:
        What it needs beside its weights.
    """
    height, width, channels = dataset.train.images.shape[1:]
    statistics = tuple(dataset.mean.tolist()), tuple(dataset.std.tolist())
    return Network(model, dataset.train.num_classes, (height, width, channels), *statistics)


def write_network(directory: Path, network: Network) -> None:
    """Writes ``network.json``, unless it is there already; a damaged one is replaced.

    Args:
        directory: of the checkpoints.
        network: of the runs whose states they hold.
    """
    there = None
    with contextlib.suppress(ValueError):
        there = read_network(directory)
    if there != network:
        write_json(directory / FILE_NAME, dataclasses.asdict(network))


def read_network(directory: Path) -> Network | None:
    """Reads ``network.json``.

    Args:
        directory: of the checkpoints.

    Returns:
        What it says; None if it is not there, as in workdirs of earlier versions.

    Raises:
        ValueError: if it is no such file.

    Examples:
        >>> import tempfile
        >>> directory = Path(tempfile.mkdtemp())
        >>> network = Network(ModelSpec("mlp", widths=(6,)), 3, (4, 4, 1), (0.5,), (0.25,))
        >>> write_network(directory, network)
        >>> read_network(directory) == network
        True
    """
    path = directory / FILE_NAME
    if not path.is_file():
        return None
    content = read_object(path)
    try:
        model = content.pop("model")
        options: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in model.items()
        }
        height, width, channels = (int(length) for length in content["image_shape"])
        mean, std = (tuple(float(value) for value in content[name]) for name in ("input_mean", "input_std"))
        if not channels == len(mean) == len(std):
            raise ValueError("image_shape, input_mean and input_std do not go together")
        return Network(ModelSpec(**options), int(content["num_classes"]), (height, width, channels), mean, std)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"--workdir: {path} is not a description of a network ({error}); remove it") from None
