"""TFRecord files, the default format of tensorflow_datasets, read without TensorFlow."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

_HEADER = struct.Struct("<QI")  # length, its checksum
_FOOTER = 4  # bytes of the data's checksum


def read_tfrecord(path: Path) -> Iterator[bytes]:
    """The records of a file, in order. Checksums (CRC-32C) are not verified, lengths are.

    Source: https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details.

    Args:
        path: of the file, uncompressed.

    Yields:
        The bytes of each record.

    Raises:
        ValueError: if the file ends within a record.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "records"
        ...     _ = path.write_bytes(_HEADER.pack(3, 0) + b"cat" + bytes(4))
        ...     list(read_tfrecord(path))
        [b'cat']
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        while header := file.read(_HEADER.size):
            length = _HEADER.unpack(header)[0] if len(header) == _HEADER.size else None
            # Asked before it is read: a length that lies would ask for as much memory.
            if length is None or length + _FOOTER > size - file.tell():
                raise ValueError(f"{path.name} is truncated")
            yield file.read(length + _FOOTER)[:length]
