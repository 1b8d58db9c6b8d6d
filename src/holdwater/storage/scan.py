"""Walking over the batches of a file in large reads."""

from collections.abc import Iterator

from holdwater.kernel.ports import BatchHeader, CorruptRecords, File
from holdwater.wire.records import LENGTH_OVERHEAD, parse_header
from holdwater.wire.records.batch import HEADER_BYTES

CHUNK_BYTES = 1 << 20


def walk(file: File, position: int, end: int, path: str) -> Iterator[tuple[int, bytes, int, BatchHeader]]:
    """Each batch between two positions: its position in the file, bytes that hold it whole, its position in those, its header.

    Raises ``CorruptRecords`` where no whole batch can start; what was yielded before is intact as far as headers tell.
    """
    while position < end:
        data = file.read(position, min(CHUNK_BYTES, end - position))
        at = 0
        while at < len(data):
            if len(data) - at < HEADER_BYTES and position + len(data) < end:
                break
            header = _header_at(data, at, position, path)
            length = header.batch_length + LENGTH_OVERHEAD
            if at + length > len(data):
                if position + at + length > end:
                    raise CorruptRecords(
                        f"{path}: the batch at position {position + at} is torn, {end - position - at} of {length} bytes are there"
                    )
                if at == 0:
                    data = file.read(position, length)
                    continue
                break
            yield position + at, data, at, header
            at += length
        position += at


def _header_at(data: bytes, at: int, position: int, path: str) -> BatchHeader:
    try:
        return parse_header(data, at)
    except CorruptRecords as error:
        raise CorruptRecords(f"{path}, position {position + at}: {error}", error.error_code) from error
