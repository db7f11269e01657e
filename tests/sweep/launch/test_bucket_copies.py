"""Workdirs in an object store: fsspec's store in memory, and machines that differ by their scratch directories."""

import shutil
import threading
from pathlib import Path

import fsspec
import pytest

from ncjax.sweep import Workdir, run_sweep
from ncjax.sweep.launch import bucket_copies as cloud
from ncjax.sweep.workdir import event_files
from tests.sweep.kills import rows_without_times
from tests.sweep.launch.copies import begun, state

pytestmark = pytest.mark.structure


def test_a_sweep_begun_on_one_machine_is_finished_on_another_and_read_on_a_third(
    config, finished, monkeypatch, url, machine
):
    write = event_files.EventFiles.write

    def fail_at_the_third_checkpoint(self, row):
        if row["step"] == 4:
            raise KeyboardInterrupt
        write(self, row)

    machine("a")
    with monkeypatch.context() as patch:
        patch.setattr(event_files.EventFiles, "write", fail_at_the_third_checkpoint)
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
        Workdir("gs://bucket/mine").check(config)
