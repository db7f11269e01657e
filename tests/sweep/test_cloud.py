"""Workdirs in an object store: fsspec's store in memory, and machines that differ by their scratch directories."""

import json
import shutil
import threading
import time
from pathlib import Path

import fsspec
import pytest

from ncjax.sweep import SweepStopped, check_workdir, cloud, group, run_sweep
from ncjax.sweep.signals import noticing_signals
from tests.sweep.kills import rows_without_times

pytestmark = pytest.mark.structure


@pytest.fixture
def url(tmp_path):
    yield f"memory://bucket/{tmp_path.name}"
    fsspec.filesystem("memory").store.clear()


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Goes to a machine of a name."""
    return lambda name: monkeypatch.setenv("NCJAX_SCRATCH_DIR", str(tmp_path / name))


def test_a_sweep_begun_on_one_machine_is_finished_on_another_and_read_on_a_third(
    config, finished, monkeypatch, url, machine
):
    write = group.EventFiles.write

    def fail_at_the_third_checkpoint(self, row):
        if row["step"] == 4:
            raise KeyboardInterrupt
        write(self, row)

    machine("a")
    with monkeypatch.context() as patch:
        patch.setattr(group.EventFiles, "write", fail_at_the_third_checkpoint)
        with pytest.raises(KeyboardInterrupt), cloud.writing(url) as workdir:
            run_sweep(config, workdir)
    machine("b")
    with cloud.writing(url) as workdir:
        assert [row["step"] for row in rows_without_times(workdir)] == [0, 0, 2, 2, 4, 4]
        run_sweep(config, workdir)
    machine("c")
    with cloud.reading(url, back="report") as workdir:
        assert rows_without_times(workdir) == finished
        (workdir / "report").mkdir()
        (workdir / "report" / "report.html").write_text("page")
    assert fsspec.filesystem("memory").cat(f"{url}/report/report.html") == b"page"


def test_what_a_machine_did_after_its_last_copy_is_not_lost_there(url, machine):
    machine("a")
    copies = begun(url)
    copies.push()
    (copies.local / "results.jsonl").write_text("newer")
    with cloud.reading(url) as workdir:
        assert (workdir / "results.jsonl").read_text() == "newer"
    with cloud.writing(url) as workdir:
        assert (workdir / "results.jsonl").read_text() == "newer"
    assert fsspec.filesystem("memory").cat(f"{url}/results.jsonl") == b"newer"


def test_a_store_that_was_emptied_is_filled_again(url, machine):
    machine("a")
    begun(url).finish()
    fsspec.filesystem("memory").store.clear()
    with cloud.writing(url) as workdir:
        assert (workdir / "results.jsonl").is_file()
    assert fsspec.filesystem("memory").exists(f"{url}/results.jsonl")


def test_a_scratch_directory_that_was_cleared_is_fetched_again(url, machine):
    machine("a")
    copies = begun(url)
    copies.finish()
    shutil.rmtree(copies.local)
    with cloud.writing(url) as workdir:
        assert (workdir / "results.jsonl").is_file()


def test_a_machine_that_fell_silent_is_waited_for_and_then_replaced(url, machine, monkeypatch):
    monkeypatch.setattr(cloud, "_LEASE_SECONDS", 0.1)
    machine("a")
    dead = begun(url)
    dead.push()
    machine("b")
    with pytest.warns(UserWarning, match=r"did not finish; going on without it if it is silent for 0\.1 s"):
        alive = begun(url)
    alive.push()
    # Not dead after all: it must not write over what another one does.
    machine("a")
    with pytest.raises(OSError, match=r"another machine has taken over memory://.*; what was done here is"):
        dead.push()


def test_a_second_machine_is_refused_while_the_first_copies(url, machine, monkeypatch):
    monkeypatch.setattr(cloud, "_COPY_SECONDS", 0.01)
    monkeypatch.setattr(cloud, "_LEASE_SECONDS", 2.0)
    machine("a")
    first, ended = begun(url), threading.Event()
    thread = threading.Thread(target=first.repeat, args=(first.renew, ended))
    thread.start()
    try:
        machine("b")
        refused = pytest.raises(ValueError, match=r"--workdir: .* is running a sweep in memory://")
        with pytest.warns(UserWarning, match="did not finish"), refused:
            begun(url)
    finally:
        ended.set()
        thread.join()


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


def everything():
    return dict(fsspec.filesystem("memory").store)


def contents():
    return {name: bytes(file.getbuffer()) for name, file in everything().items()}


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


def begun(url):
    """A machine's copies of a workdir, and a first state of it."""
    copies = cloud._Copies(url)
    copies.open()
    state(copies.local, 2, old=None)
    return copies


def state(local, step, old):
    """What a sweep has on the disk at a step: rows up to it, a checkpoint, the one before it gone."""
    for name in ("0", "1"):
        path = local / "checkpoints" / "group_000" / str(step) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{step}" * 5)
    (local / "results.jsonl").write_text(
        "".join(json.dumps({"run": 0, "step": each}) + "\n" for each in range(step + 1))
    )
    if old is not None:
        shutil.rmtree(local / "checkpoints" / "group_000" / str(old))


class Died(BaseException):
    """The machine is gone."""


def test_a_machine_that_dies_between_any_two_requests_leaves_a_whole_workdir(url, machine, monkeypatch):
    store = fsspec.filesystem("memory")
    steps = []
    for requests in range(12):
        store.store.clear()
        machine(f"writer{requests}")
        copies = begun(url)
        copies.push()
        state(copies.local, 4, old=2)
        with monkeypatch.context() as patch:
            left = iter(range(requests))
            for name in ("put_file", "pipe_file", "rm_file"):
                patch.setattr(copies.bucket.store, name, dying(getattr(copies.bucket.store, name), left))
            try:
                copies.push()
            except Died:
                died = True
            else:
                died = False
        machine(f"reader{requests}")
        with cloud.reading(url) as workdir:
            rows = [row["step"] for row in rows_without_times(workdir)]
            for step in (workdir / "checkpoints" / "group_000").iterdir():
                assert [path.read_text() for path in sorted(step.iterdir())] == 2 * [step.name * 5]
                assert rows[: int(step.name) + 1] == list(range(int(step.name) + 1))
                steps.append(int(step.name))
    assert not died
    assert set(steps) == {2, 4}


def dying(request, left):
    def serve(*arguments, **options):
        if next(left, None) is None:
            raise Died
        return request(*arguments, **options)

    return serve


@pytest.mark.parametrize(
    ("name", "error", "expected"),
    [
        (
            "gs://bucket/mine",
            ImportError("Please install gcsfs"),
            r"expected pip install gcsfs \(Please install gcsfs\)",
        ),
        (
            "gd://bucket/mine",
            ValueError("Protocol not known: gd"),
            r"expected a path, gs:// or s3:// \(Protocol not known",
        ),
    ],
)
def test_a_store_that_cannot_be_reached_is_named_with_what_to_do(name, error, expected, monkeypatch, machine):
    def fail(*_, **__):
        raise error

    machine("a")
    monkeypatch.setattr(fsspec, "url_to_fs", fail)
    with pytest.raises(ValueError, match=rf"^--workdir: got {name}, {expected}"), cloud.reading(name):
        pass


def test_an_error_of_the_store_is_one_line_that_says_where_the_sweep_lies(url, machine, monkeypatch):
    machine("a")
    copies = begun(url)
    monkeypatch.setattr(
        copies.bucket.store, "pipe_file", lambda *_: (_ for _ in ()).throw(RuntimeError("403\nForbidden"))
    )
    with pytest.raises(
        OSError, match=r"^--workdir: memory://.*: 403; what is on this machine stays in .*/a/memory-bucket"
    ):
        copies.push()


@pytest.mark.extras
@pytest.mark.slow
def test_an_emulated_s3_serves_as_well(finished, tmp_path, machine, monkeypatch):
    pytest.importorskip("s3fs", reason="s3fs is not installed: pip install 'ncjax[cloud]'")
    server = pytest.importorskip("moto.server", reason="moto, which emulates S3, is not installed")
    emulator = server.ThreadedMotoServer(port=0)
    emulator.start()
    try:
        address, port = emulator.get_host_and_port()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{address}:{port}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "none")
        fsspec.filesystem("s3").mkdir("bucket")
        machine("a")
        with cloud.writing("s3://bucket/mine") as workdir:
            shutil.copytree(tmp_path / "whole", workdir, dirs_exist_ok=True)
        machine("b")
        with cloud.reading("s3://bucket/mine") as workdir:
            assert rows_without_times(workdir) == finished
            copied = {path.relative_to(workdir) for path in workdir.rglob("*") if path.is_file()}
        there = {path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()}
        assert copied == there - {Path(".lock")}
        with pytest.raises(OSError, match=r"^--workdir: s3://none/mine: .*; what is on this machine stays in"):
            cloud._Copies("s3://none/mine").bucket.put(tmp_path / "whole" / "runs.json", "runs.json")
    finally:
        emulator.stop()


def test_a_url_where_a_path_belongs_is_an_error(config):
    with pytest.raises(ValueError, match=r"--workdir: got gs:/bucket/mine, expected a path"):
        check_workdir(config, Path("gs://bucket/mine"))
