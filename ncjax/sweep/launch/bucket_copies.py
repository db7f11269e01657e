"""A workdir in an object store: a directory of this machine, copied to the store while a sweep runs.

Locks, atomic renames and appended lines are what makes a sweep safe to kill, and object stores have none of the three.
So a sweep works in a directory of this machine, and copies are made in an order that leaves, at every moment, a workdir
from which another machine can go on.
"""

import contextlib
import hashlib
import os
import shutil
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ncjax.files import naming_a_full_disk, replace_text
from ncjax.paths import StrPath, inside
from ncjax.sweep.launch.bucket import Bucket
from ncjax.sweep.launch.signals import SweepStopped, stop_sweeps
from ncjax.sweep.workdir.lock import is_running, locked

# Seconds between two copies, and between two signs of life.
_COPY_SECONDS = 15.0
# A machine that has given no sign of life for so long is dead.
_LEASE_SECONDS = 60.0

_UNFINISHED = (".orbax-checkpoint-tmp", ".partial", ".lock")
# So much of a URL stands in the name of its directory, for people.
_SHOWN = 80


class LeaseLostError(OSError):
    """Another machine has taken over a workdir: nothing is to be written there any more."""


def is_cloud(name: StrPath) -> bool:
    """Whether a workdir is a URL.

    Args:
        name: as given by a user.

    Returns:
        Whether it lies elsewhere than on a file system.

    Examples:
        >>> is_cloud("gs://bucket/mine"), is_cloud("runs/mine")
        (True, False)
    """
    return "://" in os.fspath(name)


def scratch(name: str) -> Path:
    """The directory of this machine that belongs to a URL, below ``NCJAX_SCRATCH_DIR`` or ``~/.cache/ncjax/workdirs``.

    Args:
        name: of the workdir; a slash at its end makes no difference, everything else does.

    Returns:
        A path; the sweep lies in ``workdir/`` there.

    Examples:
        >>> scratch("gs://bucket/runs/mine").name
        'gs-bucket-runs-mine-041dddc07908'
    """
    root = Path(os.environ.get("NCJAX_SCRATCH_DIR") or "~/.cache/ncjax/workdirs").expanduser()
    words = "-".join(part for part in name.replace(":", "/").split("/") if part)
    digest = hashlib.sha256(name.rstrip("/").encode()).hexdigest()
    return root / f"{words.encode()[-_SHOWN:].decode(errors='ignore')}-{digest[:12]}"


@contextlib.contextmanager
def writing(name: StrPath) -> Iterator[Path]:
    """A directory for a sweep whose workdir is a path or a URL; from a URL it is fetched first, and copied there.

    Should another machine take over meanwhile, nothing more is copied and sweeps of this process are asked to stop.

    Args:
        name: path or URL that fsspec knows (``gs://``, ``s3://``).

    Yields:
        A path of this machine.

    Raises:
        ValueError: if another machine or process is running a sweep there, the package for such URLs is missing, or
            what lies there is no workdir.
        OSError: if the last copy fails, or another machine has taken over.
    """
    if not is_cloud(name):
        yield Path(name)
        return
    name = os.fspath(name)
    with locked(scratch(name)):
        copies = _Copies(name)
        copies.open()
        with _kept(copies):
            yield copies.local


@contextlib.contextmanager
def reading(name: StrPath, back: str = "") -> Iterator[Path]:
    """A directory that holds what a workdir holds.

    Args:
        name: path or URL.
        back: a directory in it that is copied to the URL afterwards.

    Yields:
        A path of this machine.

    Raises:
        ValueError: if the package for such URLs is missing, or what lies there is no workdir.
        OSError: if the store cannot be read.
    """
    if not is_cloud(name):
        yield Path(name)
        return
    name = os.fspath(name)
    copies = _Copies(name)
    # What a sweep of this machine has there is newer than its copy.
    ours = is_running(scratch(name)) or copies.bucket.manifest().get("writer") == copies.identity()
    newest = ours and copies.local.is_dir()
    local = copies.local if newest else scratch(name) / "reading"
    if not newest:
        copies.fetch(local)
    yield local
    for path in sorted((local / back).rglob("*")) if back else ():
        if path.is_file():
            copies.bucket.put(path, path.relative_to(local).as_posix())


@contextlib.contextmanager
def _kept(copies: "_Copies") -> Iterator[None]:
    """Copies and renews the lease during a ``with`` block, and copies once more at its end."""
    copying, renewing = _repeated(copies, copies.push), _repeated(copies, copies.renew)
    cause: BaseException | None = None
    try:
        yield
    except BaseException as error:
        cause = error
        raise
    finally:
        copying()
        failure = copies.finish()
        renewing()
        # What ended the sweep is told, unless that was what befell the copies.
        if failure is not None and (cause is None or (isinstance(cause, SweepStopped) and failure is copies.fault)):
            raise failure from None
        if failure is not None:
            warnings.warn(str(failure), stacklevel=2)


def _repeated(copies: "_Copies", act: Callable[[], None]) -> Callable[[], None]:
    """Repeats what copies do, in a thread; returns what ends it."""
    ended = threading.Event()
    thread = threading.Thread(target=copies.repeat, args=(act, ended), daemon=True)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join()

    return end


class _Copies:
    """A workdir here and its copy in a store.

    The store's manifest lists the files that belong together, and says who copies. It is one object, replaced in one
    step, after all that it lists is there and before what it no longer lists is removed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.base = scratch(name)
        self.local = self.base / "workdir"
        self.bucket = Bucket(name, self.base)
        self.known: dict[str, list[int]] = {}
        self.is_open = False
        self.renewed = 0.0
        # What makes copying pointless: the lease is lost, or the copier has a fault.
        self.fault: Exception | None = None
        # Who writes the manifest.
        self._turn = threading.Lock()
        self._check_owner()

    def identity(self) -> str:
        """Names this machine's directory, as long as it is there."""
        path = self.base / "identity"
        if not path.is_file():
            self.base.mkdir(parents=True, exist_ok=True)
            replace_text(path, uuid.uuid4().hex)
        return path.read_text(encoding="utf-8")

    def _check_owner(self) -> None:
        """Makes sure that what lies in the directory of this machine is of this URL."""
        path, name = self.base / "url", self.name.rstrip("/")
        if not path.is_file():
            self.base.mkdir(parents=True, exist_ok=True)
            replace_text(path, name)
        if (owner := path.read_text(encoding="utf-8")) != name:
            raise ValueError(f"--workdir: {self.base} holds a copy of {owner}, expected one of {name}; remove it")

    def open(self) -> None:
        """Waits until no other machine copies, takes over, and brings what is newer there."""
        manifest = self.bucket.manifest()
        # Its own copy, or a store that was emptied: nothing there is newer.
        emptied = not manifest["files"] and "writer" not in manifest
        ours = self.local.is_dir() and (emptied or manifest.get("writer") == self.identity())
        if manifest.get("open") and not ours:
            manifest = self._outlive(manifest)
        self.known = dict(manifest["files"])
        if not ours:
            self.fetch(self.local)
        self.is_open = True
        with self._turn:
            self._write_manifest()

    def _outlive(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Waits for a sign of life; clocks of different machines are not compared."""
        warnings.warn(
            f"{self.name}: {manifest['host']} did not finish; going on without it if it is silent for "
            f"{_LEASE_SECONDS:g} s",
            stacklevel=2,
        )
        end = time.monotonic() + _LEASE_SECONDS
        while time.monotonic() < end:
            time.sleep(_LEASE_SECONDS / 20)
            now = self.bucket.manifest()
            if not now.get("open"):
                return now
            if now["copies"] != manifest["copies"] or now["writer"] != manifest["writer"]:
                raise ValueError(
                    f"--workdir: {now['host']} is running a sweep in {self.name}; wait for it or use a new directory"
                )
        return manifest

    def fetch(self, local: Path) -> None:
        """Replaces a directory by what the store's manifest lists."""
        files = self.bucket.manifest()["files"]
        partial = local.with_suffix(".fetched")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with naming_a_full_disk(self.base):
            for name, (_, changed) in files.items():
                path = inside(partial, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                self.bucket.fetch(name, path)
                os.utime(path, ns=(changed, changed))
        shutil.rmtree(local, ignore_errors=True)
        partial.rename(local)

    def renew(self) -> None:
        """Gives a sign of life, unless another machine has taken over."""
        with self._turn:
            if self.bucket.manifest().get("writer") != self.identity():
                raise LeaseLostError(
                    f"--workdir: another machine has taken over {self.name}; what was done here is {self.local}"
                )
            self._write_manifest()

    def push(self) -> None:
        """Copies what has changed; a checkpoint that is removed meanwhile ends the attempt, the next sees others."""
        self.renew()
        present = self._present()
        for name, stamp in present.items():
            if self.known.get(name) == stamp:
                continue
            # The store was out of reach for so long that the lease may be another's.
            if time.monotonic() - self.renewed > _LEASE_SECONDS / 2:
                self.renew()
            if self.fault is not None:
                return
            try:
                self.bucket.put(self.local / name, name)
            except OSError:
                if not (self.local / name).exists():
                    return
                raise
        gone = [name for name in self.known if name not in present]
        with self._turn:
            self.known = present
        self.renew()
        for name in gone:
            self.bucket.remove(name)

    def finish(self) -> Exception | None:
        """Copies for the last time and gives the lease back.

        Returns:
            What went wrong, now or before.
        """
        if self.fault is not None:
            return self.fault
        try:
            self.push()
            self.is_open = False
            self.renew()
        except Exception as error:
            self.fault = None if _may_pass(error) else error
            return error
        return self.fault

    def repeat(self, act: Callable[[], None], ended: threading.Event) -> None:
        """Does something again and again, in a thread.

        A failure of the store is said and tried again. The lease lost, or any other exception, is kept and asks the
        sweeps of this process to stop.
        """
        while not ended.wait(_COPY_SECONDS):
            try:
                act()
            except Exception as error:
                if _may_pass(error):
                    warnings.warn(str(error), stacklevel=2)
                    continue
                self.fault = self.fault or error
                stop_sweeps("its copies cannot go on")
                return

    def _present(self) -> dict[str, list[int]]:
        """The files to copy, by size and time of change; checkpoints first.

        The table is looked at after them, so that the rows that a checkpoint covers are never missing.
        """
        present: dict[str, list[int]] = {}
        for pattern in ("checkpoints/**/*", "**/*"):
            for path in sorted(self.local.glob(pattern)):
                name = path.relative_to(self.local).as_posix()
                late = name.startswith("checkpoints/") and pattern == "**/*"
                if late or any(mark in name for mark in _UNFINISHED):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    stat = path.stat()
                    if path.is_file():
                        present[name] = [stat.st_size, stat.st_mtime_ns]
        return present

    def _write_manifest(self) -> None:
        self.bucket.write_manifest(
            {
                "writer": self.identity(),
                "host": socket.gethostname(),
                "open": self.is_open,
                "copies": uuid.uuid4().hex,
                "files": self.known,
            }
        )
        self.renewed = time.monotonic()


def _may_pass(error: Exception) -> bool:
    """Whether the same request may succeed later."""
    return isinstance(error, OSError) and not isinstance(error, LeaseLostError)
