"""A workdir in an object store: a directory of this machine, copied to the store while a sweep runs.

Locks, atomic renames and appended lines are what makes a sweep safe to kill, and object stores have none of the three.
So a sweep works in a directory of this machine, and copies are made in an order that leaves, at every moment, a workdir
from which another machine can go on.
"""

import contextlib
import json
import os
import shutil
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from ncjax.sweep.workdir import is_running, locked

MANIFEST = ".manifest.json"

# Seconds between two copies.
_COPY_SECONDS = 15.0
# A machine that has not copied for so long is dead.
_LEASE_SECONDS = 60.0

_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs"}
_UNFINISHED = (".orbax-checkpoint-tmp", ".partial", ".lock")


def is_cloud(name: str) -> bool:
    """Whether a workdir is a URL.

    Args:
      name: as given by a user.

    Returns:
      Whether it lies elsewhere than on a file system.

    Example:
      >>> is_cloud("gs://bucket/mine"), is_cloud("runs/mine")
      (True, False)
    """
    return "://" in name


def scratch(name: str) -> Path:
    """The directory of this machine that belongs to a URL, below ``NCJAX_SCRATCH_DIR`` or ``~/.cache/ncjax/workdirs``.

    Args:
      name: of the workdir.

    Returns:
      A path; the sweep lies in ``workdir/`` there.

    Example:
      >>> scratch("gs://bucket/runs/mine").name
      'gs-bucket-runs-mine'
    """
    root = Path(os.environ.get("NCJAX_SCRATCH_DIR") or "~/.cache/ncjax/workdirs").expanduser()
    return root / "-".join(part for part in name.replace(":", "/").split("/") if part)


@contextlib.contextmanager
def writing(name: str) -> Iterator[Path]:
    """A directory for a sweep whose workdir is a path or a URL; from a URL it is fetched first, and copied there.

    Args:
      name: path or URL that fsspec knows (``gs://``, ``s3://``).

    Yields:
      A path of this machine.

    Raises:
      ValueError: if another machine or process is running a sweep there, or the package for such URLs is missing.
      OSError: if the last copy fails.
    """
    if not is_cloud(name):
        yield Path(name)
        return
    with locked(scratch(name)):
        copies = _Copies(name)
        copies.open()
        ended = threading.Event()
        copier = threading.Thread(target=copies.keep_copying, args=(ended,), daemon=True)
        copier.start()
        try:
            yield copies.local
        finally:
            ended.set()
            copier.join()
            copies.push(is_open=False)


@contextlib.contextmanager
def reading(name: str, back: str = "") -> Iterator[Path]:
    """A directory that holds what a workdir holds.

    Args:
      name: path or URL.
      back: a directory in it that is copied to the URL afterwards.

    Yields:
      A path of this machine.

    Raises:
      ValueError: if the package for such URLs is missing.
      OSError: if the store cannot be read.
    """
    if not is_cloud(name):
        yield Path(name)
        return
    copies = _Copies(name)
    # What a sweep of this machine has there is newer than its copy.
    ours = is_running(scratch(name)) or copies.manifest().get("writer") == copies.identity()
    newest = ours and copies.local.is_dir()
    local = copies.local if newest else scratch(name) / "reading"
    if not newest:
        copies.fetch(local)
    yield local
    for path in sorted((local / back).rglob("*")) if back else ():
        if path.is_file():
            copies.put(path, path.relative_to(local).as_posix())


class _Copies:
    """A workdir here and its copy in a store.

    The store's manifest lists the files that belong together, and says who copies. It is one object, replaced in one
    step, after all that it lists is there and before what it no longer lists is removed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.base = scratch(name)
        self.local = self.base / "workdir"
        self.known: dict[str, list[int]] = {}
        self.renewed = 0.0
        scheme = name.partition("://")[0]
        try:
            self.store, root = fsspec.url_to_fs(name, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            wanted = f"pip install {_PACKAGES[scheme]}" if scheme in _PACKAGES else "a path, gs:// or s3://"
            reason = str(error).partition("\n")[0]
            raise ValueError(f"--workdir: got {name}, expected {wanted} ({reason})") from None
        self.root = root.rstrip("/")

    def identity(self) -> str:
        """Names this machine's directory, as long as it is there."""
        path = self.base / "identity"
        if not path.is_file():
            self.base.mkdir(parents=True, exist_ok=True)
            path.write_text(uuid.uuid4().hex, encoding="utf-8")
        return path.read_text(encoding="utf-8")

    def manifest(self) -> dict[str, Any]:
        """What the store says of itself; of files that someone copied there by hand, their names alone."""
        with self._naming_the_store():
            try:
                content: dict[str, Any] = json.loads(self.store.cat_file(f"{self.root}/{MANIFEST}"))
            except FileNotFoundError:
                found = self.store.find(self.root)
                names = [str(path).removeprefix(self.root).lstrip("/") for path in found]
                content = {"files": {name: [0, 0] for name in names}}
            return content

    def open(self) -> None:
        """Waits until no other machine copies, takes over, and brings what is newer there."""
        manifest = self.manifest()
        # Its own copy, or a store that was emptied: nothing there is newer.
        emptied = not manifest["files"] and "writer" not in manifest
        ours = self.local.is_dir() and (emptied or manifest.get("writer") == self.identity())
        if manifest.get("open") and not ours:
            manifest = self._outlive(manifest)
        self.known = dict(manifest["files"])
        if not ours:
            self.fetch(self.local)
        self._write_manifest(is_open=True)

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
            now = self.manifest()
            if not now.get("open"):
                return now
            if now["copies"] != manifest["copies"] or now["writer"] != manifest["writer"]:
                raise ValueError(
                    f"--workdir: {now['host']} is running a sweep in {self.name}; wait for it or use a new directory"
                )
        return manifest

    def fetch(self, local: Path) -> None:
        """Replaces a directory by what the store's manifest lists."""
        partial = local.with_suffix(".fetched")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        with self._naming_the_store():
            for name, (_, changed) in self.manifest()["files"].items():
                (partial / name).parent.mkdir(parents=True, exist_ok=True)
                self.store.get_file(f"{self.root}/{name}", str(partial / name))
                os.utime(partial / name, ns=(changed, changed))
        shutil.rmtree(local, ignore_errors=True)
        partial.rename(local)

    def put(self, path: Path, name: str) -> None:
        """Copies one file to the store."""
        with self._naming_the_store():
            if name.startswith("checkpoints/"):
                self.store.put_file(str(path), f"{self.root}/{name}")
            else:
                # It may grow meanwhile, and what is sent must be of one length.
                self.store.pipe_file(f"{self.root}/{name}", path.read_bytes())

    def push(self, is_open: bool = True) -> None:
        """Copies what has changed; a checkpoint that is removed meanwhile ends the attempt, the next sees others."""
        if self.manifest().get("writer") != self.identity():
            raise OSError(f"--workdir: another machine has taken over {self.name}; what was done here is {self.local}")
        present = self._present()
        for name, stamp in present.items():
            if self.known.get(name) == stamp:
                continue
            try:
                self.put(self.local / name, name)
            except OSError:
                if not (self.local / name).exists():
                    return
                raise
            if time.monotonic() - self.renewed > _COPY_SECONDS:
                self._write_manifest(is_open)
        gone = [name for name in self.known if name not in present]
        self.known = present
        self._write_manifest(is_open)
        with self._naming_the_store():
            for name in gone:
                with contextlib.suppress(FileNotFoundError):
                    self.store.rm_file(f"{self.root}/{name}")

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

    def keep_copying(self, ended: threading.Event) -> None:
        """Copies again and again; a failure is said and tried again."""
        while not ended.wait(_COPY_SECONDS):
            try:
                self.push()
            except OSError as error:
                warnings.warn(str(error), stacklevel=2)

    def _write_manifest(self, is_open: bool) -> None:
        content = {
            "writer": self.identity(),
            "host": socket.gethostname(),
            "open": is_open,
            "copies": uuid.uuid4().hex,
            "files": self.known,
        }
        with self._naming_the_store():
            self.store.pipe_file(f"{self.root}/{MANIFEST}", json.dumps(content).encode())
        self.renewed = time.monotonic()

    @contextlib.contextmanager
    def _naming_the_store(self) -> Iterator[None]:
        """Turns the many errors of stores into one line."""
        try:
            yield
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise OSError(f"--workdir: {self.name}: {reason}; what is on this machine stays in {self.base}") from None
