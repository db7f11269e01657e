"""A workdir's place in an object store: its files, and the manifest that lists those that belong together."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from ncjax.paths import inside

MANIFEST = ".manifest.json"

_PACKAGES = {"gs": "gcsfs", "gcs": "gcsfs", "s3": "s3fs"}
# What no store raises for a request that fails: faults of programs, and they need their tracebacks.
_FAULTS = (AssertionError, AttributeError, ImportError, MemoryError, NameError, TypeError)


class Bucket:
    """The place that a URL names. Every failure of the store is one line, an OSError.

    Attributes:
        url: as given.
        store: of fsspec.
        root: of the workdir in it.
    """

    def __init__(self, url: str, here: Path) -> None:
        """Connects.

        Args:
            url: that fsspec knows.
            here: the directory of this machine that belongs to it, for error messages.

        Raises:
            ValueError: if the package for such URLs is missing.
        """
        self.url, self._here = url, here
        scheme = url.partition("://")[0]
        try:
            self.store, root = fsspec.url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            wanted = f"pip install {_PACKAGES[scheme]}" if scheme in _PACKAGES else "a path, gs:// or s3://"
            reason = str(error).partition("\n")[0]
            raise ValueError(f"--workdir: got {url}, expected {wanted} ({reason})") from None
        self.root = root.rstrip("/")

    def manifest(self) -> dict[str, Any]:
        """What the store says of itself; of files that someone copied there by hand, their names alone.

        Returns:
            ``files``, from names to sizes and times of change; where a sweep has written it, also ``writer``, ``host``,
            ``open`` and ``copies``.

        Raises:
            ValueError: if it is none, or lists a name that leads out of the workdir.
        """
        with self._naming_the_store():
            try:
                text = self.store.cat_file(f"{self.root}/{MANIFEST}")
            except FileNotFoundError:
                found = self.store.find(self.root)
                text = None
        if text is None:
            names = [str(path).removeprefix(self.root).removeprefix("/") for path in found]
            content: Any = {"files": {name: [0, 0] for name in names}}
        else:
            content = _parsed(text)
        try:
            return _checked(content)
        except ValueError as error:
            raise ValueError(f"--workdir: {self.url}/{MANIFEST}: {error}") from None

    def write_manifest(self, content: dict[str, Any]) -> None:
        """Replaces the manifest in one step.

        Args:
            content: of the new one.
        """
        with self._naming_the_store():
            self.store.pipe_file(f"{self.root}/{MANIFEST}", json.dumps(content).encode())

    def fetch(self, name: str, path: Path) -> None:
        """Copies a file of the store to this machine.

        Args:
            name: of the file.
            path: to write to.
        """
        with self._naming_the_store():
            self.store.get_file(f"{self.root}/{name}", str(path))

    def put(self, path: Path, name: str) -> None:
        """Copies a file of this machine to the store.

        Args:
            path: of the file.
            name: that it gets.
        """
        if name.startswith("checkpoints/"):
            with self._naming_the_store():
                self.store.put_file(str(path), f"{self.root}/{name}")
            return
        # It may grow meanwhile, and what is sent must be of one length.
        content = path.read_bytes()
        with self._naming_the_store():
            self.store.pipe_file(f"{self.root}/{name}", content)

    def remove(self, name: str) -> None:
        """Removes a file of the store, if it is there.

        Args:
            name: of the file.
        """
        with self._naming_the_store(), contextlib.suppress(FileNotFoundError):
            self.store.rm_file(f"{self.root}/{name}")

    @contextlib.contextmanager
    def _naming_the_store(self) -> Iterator[None]:
        """Turns the many errors of stores into one line; holds requests to the store and nothing else."""
        try:
            yield
        except _FAULTS:
            raise
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            raise OSError(f"--workdir: {self.url}: {reason}; what is on this machine stays in {self._here}") from None


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:  # not JSON, or not UTF-8
        return None


def _checked(content: Any) -> dict[str, Any]:
    """A manifest all of whose names stay inside the workdir: they are written to here, and removed there."""
    files = content.get("files") if isinstance(content, dict) else None
    if not isinstance(files, dict):
        raise ValueError('it is no manifest of a workdir; expected JSON such as {"files": {"runs.json": [120, 0]}}')
    for name, stamp in files.items():
        inside(".", name)
        numbers = isinstance(stamp, list) and [type(number) for number in stamp] == [int, int]
        if not numbers or not all(0 <= number < 2**63 for number in stamp):
            raise ValueError(f"got {str(stamp)[:80]} for {name!r}, expected its size and its time of change")
        if parent := next((up for up in _above(name) if up in files), None):
            raise ValueError(f"got the file name {name!r} below {parent!r}, which is a file")
    strangers = {"writer": "", "host": "another machine", "open": False, "copies": ""}
    said = {key: content.get(key, default) for key, default in strangers.items() if "writer" in content}
    if not all(isinstance(said[key], type(strangers[key])) for key in said):
        raise ValueError(f"got {str(said)[:80]}, expected who copies there")
    return {**said, "files": files}


def _above(name: str) -> Iterator[str]:
    """The directories of a file."""
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name
