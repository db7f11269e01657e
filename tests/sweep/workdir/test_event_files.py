"""What TensorBoard is given."""

import struct

from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from ncjax.sweep.workdir.event_files import EventFiles

ROW = {"run": 3, "step": 8, "epoch": 1.0, "diverged": False, "l2": 0.5, "model": "mlp", "train/error": 0.25}


def events(path):
    """The records of an event file, each held to its checksum."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        (masked,) = struct.unpack("<I", content[12 + length : 16 + length])
        checksum = crc32c(content[12 : 12 + length])
        assert masked == (((checksum >> 15) | (checksum << 17)) + 0xA282EAD8) & 0xFFFFFFFF
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def test_measurements_and_hyper_parameters_of_a_run_lie_in_its_folder(tmp_path):
    files = EventFiles(tmp_path, {"l2"})
    files.write(ROW)
    files.write({**ROW, "step": 16, "train/error": float("nan")})
    (path,) = (tmp_path / "run_0003").iterdir()
    first, start, *rest = events(path)
    assert first.file_version == "brain.Event:2"
    assert start.step == 8
    values = [(event.step, value.tag) for event in rest for value in event.summary.value]
    assert values[:2] == [(0, "_hparams_/experiment"), (0, "_hparams_/session_start_info")]
    assert values[2:] == [(8, "train/error"), (16, "train/error")]
    assert "names wrongly" in rest[2].summary.value[0].metadata.summary_description
    settings = rest[1].summary.value[0].metadata.plugin_data.content
    assert b"l2" in settings
    # A model that all runs share tells nothing, and would hide what does.
    assert b"mlp" not in settings


def test_a_second_process_writes_a_file_of_its_own(tmp_path):
    EventFiles(tmp_path, {"l2"}).write(ROW)
    EventFiles(tmp_path, {"l2"}).write(ROW)
    assert len(list((tmp_path / "run_0003").iterdir())) == 2
