import struct

import pytest

from ncjax.data.tfrecord import read_tfrecord

RECORDS = [b"cat", b"", b"a longer record"]
DATA = b"".join(struct.pack("<QI", len(record), 7) + record + b"sums" for record in RECORDS)


def test_records_come_in_order(tmp_path):
    (tmp_path / "records").write_bytes(DATA)
    assert list(read_tfrecord(tmp_path / "records")) == RECORDS


@pytest.mark.parametrize("lost", [1, 10, len(b"a longer record") + 4 + 3])
def test_file_that_ends_within_a_record_is_an_error(tmp_path, lost):
    (tmp_path / "records").write_bytes(DATA[:-lost])
    with pytest.raises(ValueError, match="records is truncated"):
        list(read_tfrecord(tmp_path / "records"))
