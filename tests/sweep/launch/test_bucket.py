"""Names that a store lists stay inside the workdir, and what lies on this machine is of the URL that asks."""

import json

import fsspec
import pytest

from ncjax.sweep.launch import bucket_copies as cloud
from tests.sweep.launch.copies import begun, everything


@pytest.mark.parametrize(
    "name", ["/abs/file", "../../x", "a/../../x", "a//b", "./x", "", "checkpoints/", "a\\..\\x", "a\0"]
)
def test_a_manifest_that_leads_out_of_the_workdir_is_refused_and_nothing_is_written(url, machine, tmp_path, name):
    manifest = {"writer": "them", "host": "there", "open": False, "copies": "1", "files": {"ok": [1, 1], name: [1, 1]}}
    fsspec.filesystem("memory").pipe_file(f"{url}/.manifest.json", json.dumps(manifest).encode())
    machine("a")
    for opening in (cloud.reading, cloud.writing):
        refused = (
            rf"^--workdir: {url}/\.manifest\.json: got the file name .*, expected one that is relative, normalised"
        )
        with pytest.raises(ValueError, match=refused), opening(url):
            pass
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} <= {"url", "identity", ".lock"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "it is no manifest of a workdir"),
        (b"[]", "it is no manifest of a workdir"),
        (b'{"files": 3}', "it is no manifest of a workdir"),
        (b'{"files": {"a": 3}}', "got 3 for 'a', expected its size and its time of change"),
        (b'{"files": {"a": [1, -1]}}', "expected its size and its time of change"),
        (b'{"files": {"a": [1, 1], "a/b": [1, 1]}}', "got the file name 'a/b' below 'a', which is a file"),
        (b'{"files": {}, "writer": 3}', "expected who copies there"),
    ],
)
def test_a_manifest_that_is_none_is_one_line(url, machine, content, reason):
    fsspec.filesystem("memory").pipe_file(f"{url}/.manifest.json", content)
    machine("a")
    with pytest.raises(ValueError, match=rf"^--workdir: {url}/\.manifest\.json: .*{reason}"), cloud.reading(url):
        pass


def test_urls_that_differ_have_directories_that_differ(machine):
    machine("a")
    names = ["gs://a/b-c", "gs://a-b/c", "gs://a/b/c", "s3://a/b/c", "gs://a/b//c", "gs://a/B/c", "gs://" + 300 * "x"]
    places = [cloud.scratch(name) for name in names]
    assert len(set(places)) == len(names)
    assert all(len(place.name) <= 100 for place in places)
    assert cloud.scratch("gs://a/b/") == cloud.scratch("gs://a/b")


def test_a_directory_of_another_url_is_neither_given_nor_published(url, machine, monkeypatch):
    machine("a")
    begun(url).finish()
    ours = cloud.scratch(url)
    monkeypatch.setattr(cloud, "scratch", lambda _: ours)
    other = f"{url}-elsewhere"
    for opening in (cloud.reading, cloud.writing):
        with (
            pytest.raises(ValueError, match=rf"holds a copy of {url}, expected one of {other}; remove it"),
            opening(other),
        ):
            pass
    assert not any("elsewhere" in name for name in everything())
