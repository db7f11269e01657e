"""Copies of a workdir: the lease is kept while files are copied, and one that is lost ends the sweep."""

import json
import time

import fsspec
import pytest

from ncjax.sweep import SweepStopped
from ncjax.sweep.launch import bucket_copies as cloud
from ncjax.sweep.launch.signals import noticing_signals
from tests.sweep.launch.copies import begun, contents


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(cloud, "_COPY_SECONDS", 0.01)


def until(condition):
    """Waits for what another thread does."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def taken_over(url):
    """Another machine writes the manifest."""
    store = fsspec.filesystem("memory")
    manifest = json.loads(store.cat(f"{url}/.manifest.json"))
    store.pipe_file(f"{url}/.manifest.json", json.dumps({**manifest, "writer": "another"}).encode())


def test_the_lease_is_renewed_while_a_large_file_is_copied(url, machine, quick, monkeypatch):
    machine("a")
    with cloud.writing(url) as workdir:
        (workdir / "checkpoints").mkdir()
        (workdir / "checkpoints" / "large").write_text("large")
    leases = []

    class Slow(type(fsspec.filesystem("memory"))):
        def put_file(self, *arguments, **options):
            for _ in range(3):
                leases.append(lease := json.loads(self.cat(f"{url}/.manifest.json"))["copies"])
                until(lambda lease=lease: json.loads(self.cat(f"{url}/.manifest.json"))["copies"] != lease)
            super().put_file(*arguments, **options)

    monkeypatch.setattr(fsspec, "url_to_fs", lambda name, **_: (Slow(), "/" + name.partition("://")[2]))
    with cloud.writing(url) as workdir:
        (workdir / "checkpoints" / "large").write_text("larger")
    assert len(set(leases)) == len(leases) >= 3
    assert not json.loads(contents()[f"/{url.partition('://')[2]}/.manifest.json"])["open"]


def swept(url, inside):
    """A sweep that does something and goes on until it is asked to stop."""
    with cloud.writing(url), noticing_signals() as stop:
        inside()
        until(lambda: stop.signal is not None)
        raise SweepStopped(stop.signal)


def raising(error):
    """A function that raises it."""

    def fail(*_, **__):
        raise error

    return fail


def test_a_machine_that_lost_the_lease_stops_its_sweep_and_writes_no_more(url, machine, quick):
    before = {}

    def lose():
        taken_over(url)
        before.update(contents())
        (cloud.scratch(url) / "workdir" / "results.jsonl").write_text("newer")

    machine("a")
    with pytest.raises(OSError, match=r"^--workdir: another machine has taken over memory://.*; what was done here is"):
        swept(url, lose)
    assert contents() == before


def test_a_fault_of_the_copier_stops_the_sweep_and_is_raised(url, machine, quick, monkeypatch):
    machine("a")
    with pytest.raises(ZeroDivisionError, match="a fault"):
        swept(url, lambda: monkeypatch.setattr(cloud._Copies, "_present", raising(ZeroDivisionError("a fault"))))


def test_what_ends_a_sweep_is_told_where_the_last_copy_fails_too(url, machine, monkeypatch):
    def failing():
        store = fsspec.filesystem("memory")
        monkeypatch.setattr(type(store), "pipe_file", raising(RuntimeError("403")))
        raise ZeroDivisionError("not of the store")

    machine("a")
    warned = pytest.warns(UserWarning, match=r"^--workdir: memory://.*: 403; what is on this machine stays in")
    with warned, pytest.raises(ZeroDivisionError, match="not of the store"):
        swept(url, failing)


def test_a_fault_of_a_program_is_not_reported_as_one_of_the_workdir(url, machine, monkeypatch):
    machine("a")
    copies = begun(url)
    monkeypatch.setattr(copies.bucket.store, "pipe_file", lambda: None)
    with pytest.raises(TypeError, match="takes 0 positional arguments"):
        copies.push()
