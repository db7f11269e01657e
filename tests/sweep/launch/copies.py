"""What tests of workdirs in an object store share: a store in memory, machines, and copies that have begun."""

import json
import shutil

import fsspec

from ncjax.sweep.launch import bucket_copies as cloud


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


def everything():
    return dict(fsspec.filesystem("memory").store)


def contents():
    return {name: bytes(file.getbuffer()) for name, file in everything().items()}
