import numpy as np
import pytest

from ncjax.data import DataSpec, load, prepare
from ncjax.data.originals import read_cifar10
from ncjax.data.tfds_directory import find_prepared


def test_prepared_once_is_loaded_without_the_original_files(tmp_path, tfds_dir, cifar_form, cifar10_content):
    (tmp_path / "files").mkdir()
    source = cifar_form(tmp_path / "files", "cifar-10", cifar10_content)
    originals = read_cifar10(source)
    prepare(DataSpec("cifar10", source=str(source)))
    source.rename(tmp_path / "gone")
    tfds_dir.rename(tmp_path / "gone too")
    cifar = load(DataSpec("cifar10"))
    for split in ("train", "test"):
        found, expected = getattr(cifar, split), originals[split]
        pairs = (found.images, found.labels), (expected.images, expected.labels["label"])
        as_sets = [sorted((image.tobytes(), int(label)) for image, label in zip(*pair, strict=True)) for pair in pairs]
        assert as_sets[0] == as_sets[1]
    assert cifar.train.class_names[:2] == ("airplane", "automobile")


@pytest.fixture
def cifar100(tmp_path, tfds_dir, cifar100_content):
    """CIFAR-100 in small, prepared."""
    (tmp_path / "files").mkdir()
    for name, (planes, labels) in cifar100_content.items():
        columns = [np.array(values, np.uint8)[:, None] for values in labels.values()]
        (tmp_path / "files" / f"{name}.bin").write_bytes(np.concatenate([*columns, planes], axis=1).tobytes())
    prepare(DataSpec("cifar100", source=str(tmp_path / "files")))


@pytest.mark.parametrize(("name", "sizes"), [("cifar_fs", (64, 16, 20)), ("fc100", (60, 20, 20))])
def test_few_shot_sets_are_views_of_plain_cifar100(cifar100, data_dir, name, sizes):
    few_shot = load(DataSpec(name))
    assert few_shot.validation is not None
    assert few_shot.target is not None
    source, validation, target = sizes
    assert [len(few_shot.train), len(few_shot.test)] == [2 * source, source]
    assert [len(few_shot.validation), len(few_shot.target)] == [3 * validation, 3 * target]
    assert {path.name for path in data_dir.iterdir()} == {"cifar100"}


def test_superclasses_are_those_of_the_archive(cifar100):
    # The archive of the fixture gives consecutive fine classes a coarse label; the real grouping is by name.
    cifar = load(DataSpec("cifar100", coarse="superclasses"))
    assert cifar.train.num_classes == 20
    assert np.bincount(cifar.train.labels).tolist() == [10] * 20
    assert cifar.train.fine_labels is not None
    whales = cifar.train.fine_labels == cifar.train.fine_class_names.index("whale")
    assert {cifar.train.class_names[label] for label in cifar.train.labels[whales]} == {"aquatic_mammals"}


def test_coarse_labels_of_a_few_shot_view_are_those_of_its_source_classes(cifar100):
    few_shot = load(DataSpec("fc100", coarse="superclasses"))
    assert few_shot.train.num_classes == 12
    assert few_shot.target is not None
    assert few_shot.target.num_classes == 20


def test_source_beside_what_is_prepared_is_not_read(cifar100, tmp_path):
    with pytest.warns(UserWarning, match="is already prepared: /new is not read"):
        prepare(DataSpec("cifar100", source="/new"))


def test_other_folder_of_tensorflow_datasets_is_used(tmp_path, tfds_dir, cifar_form, cifar10_content):
    prepare(DataSpec("cifar10", source=str(cifar_form(tmp_path, "cifar-10", cifar10_content))), tmp_path / "mine")
    assert find_prepared("cifar10", tmp_path / "mine") is not None
    assert not tfds_dir.exists()


def test_source_of_what_only_the_official_builder_reads_is_an_error(tfds_dir):
    with pytest.raises(ValueError, match=r"source of 'imagenet_resized/32x32' must be '': its original files cannot"):
        prepare(DataSpec("imagenet_resized/32x32", source="/data"))
