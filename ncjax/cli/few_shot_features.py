"""Features to transfer from: files that any framework saved, or the target classes of a sweep's runs."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ncjax.cli.features_file import read_features

Labelled = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """Features of classes never trained on.

    Attributes:
        name: of the file or run.
        setting: sets of one setting differ by their seeds alone.
        target: [n, d] floats and [n] integers.
        validation: the same of classes to choose by, or None.
        center: [d], the mean of the source features, or None.
        notes: what a reader of the numbers has to know.
    """

    name: str
    setting: str
    target: Labelled
    validation: Labelled | None
    center: np.ndarray | None
    notes: tuple[str, ...] = ()


def from_files(paths: list[str], validation: str | None, source: str | None) -> list[FeatureSet]:
    """Reads files of features.

    Args:
        paths: of .npz files with `features` and `labels`; several are taken as seeds of one setting.
        validation: such a file of validation classes, or None.
        source: such a file of the classes trained on, whose mean is the centre of the cosine head, or None.

    Returns:
        One set a file.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if a file does not fit.
    """
    if len(paths) > 1 and (validation or source):
        raise ValueError("--validation_features, --source_features: go with one --features file, which they belong to")
    chosen = read_features(Path(validation)).train if validation else None
    center = read_features(Path(source)).train[0].mean(axis=0, dtype=np.float64) if source else None
    files = [(path, read_features(Path(path))) for path in paths]
    for name, columns in (
        ("validation", chosen and chosen[0].shape[1]),
        ("source", center is not None and len(center)),
    ):
        if columns and columns != files[0][1].train[0].shape[1]:
            raise ValueError(
                f"--{name}_features: got {columns} columns, expected the {files[0][1].train[0].shape[1]} of --features"
            )
    # Labels as they stand in the file; what a file says of classes of one sample or of vci matters to other measures.
    return [FeatureSet(path, "files", file.train, chosen, center) for path, file in files]


def from_workdir(workdir: Path, runs: list[int], chunk: int = 256) -> Iterator[FeatureSet]:
    """Passes the target classes of a sweep through the networks of its runs' last checkpoints.

    Args:
        workdir: of the sweep.
        runs: their numbers; none for all.
        chunk: images at once.

    Yields:
        One set a run; the setting is all of its hyper-parameters but the seed.

    Raises:
        OSError: if there is no sweep.
        ValueError: if its data has no target classes, or there is no such run or no checkpoint of it.
    """
    from ncjax.sweep import read_runs

    for trained in read_runs(workdir, runs):
        dataset = trained.dataset
        target, validation = dataset.target, dataset.validation
        if target is None:
            raise ValueError(f"--workdir: {dataset.name} has no target classes; name some: config.data.target_classes")

        setting = {name: value for name, value in trained.settings.items() if name != "seed"}
        yield FeatureSet(
            name=f"{workdir} run {trained.number} step {trained.step}",
            setting=" ".join(f"{name}={value}" for name, value in setting.items()),
            target=(trained.embed(target.images, chunk), target.labels),
            validation=None if validation is None else (trained.embed(validation.images, chunk), validation.labels),
            center=trained.embed(dataset.train.images, chunk).mean(axis=0, dtype=np.float64),
        )
