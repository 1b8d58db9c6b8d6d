"""The four codecs of record batches, each imported when first used, and no decompression without a limit.

A batch of some kilobytes can stand for gigabytes (zstd reaches 32,000 to 1), so every ``decompress`` stops once its output passes the
limit. The one-shot functions of the libraries know no limit and are not used.
"""

import zlib
from collections.abc import Callable
from enum import IntEnum, unique
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import CorruptRecords

DEFAULT_EXPANSION_LIMIT_BYTES = 64 * 1024 * 1024
_FIRST_STEP_BYTES = 64 * 1024
_GZIP_WINDOW_BITS = 31
_ZSTD_WINDOW_LIMIT_BYTES = 1 << 27
_XERIAL_MAGIC = b"\x82SNAPPY\x00"
_XERIAL_HEADER_BYTES = 16


@unique
class Compression(IntEnum):
    """Codec numbers as in the low three bits of a batch's attributes; ``compression.type`` uses the names in lower case."""

    NONE = 0
    GZIP = 1
    SNAPPY = 2
    LZ4 = 3
    ZSTD = 4


def compress(codec: int, data: bytes) -> bytes:
    """``data`` compressed as Kafka's clients read it. The same input gives the same output (gzip carries no time)."""
    return _COMPRESSORS[_known(codec)](data)


def decompress(codec: int, data: bytes, limit_bytes: int) -> bytes:
    """What was compressed. Raises ``CorruptRecords``: bytes the codec cannot read, a truncated stream, more than ``limit_bytes``."""
    return _DECOMPRESSORS[_known(codec)](data, limit_bytes)


def _known(codec: int) -> int:
    if not 0 <= codec <= Compression.ZSTD:
        raise CorruptRecords(f"unknown compression codec {codec}", ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
    return codec


def _too_large(codec: str, size: int, limit_bytes: int) -> CorruptRecords:
    return CorruptRecords(
        f"{size} bytes of {codec} expand to more than the limit of {limit_bytes} bytes for one batch", ErrorCode.MESSAGE_TOO_LARGE
    )


def _unreadable(codec: str, why: object) -> CorruptRecords:
    return CorruptRecords(f"unreadable {codec} records: {why}")


def _keep(data: bytes, limit_bytes: int) -> bytes:
    if len(data) > limit_bytes:
        raise _too_large("records", len(data), limit_bytes)
    return data


def _read_bounded(codec: str, size: int, limit_bytes: int, read: Callable[[int], bytes]) -> bytes:
    """Call ``read`` for growing pieces until it has no more, holding never much more than was really produced."""
    parts: list[bytes] = []
    total = 0
    step = _FIRST_STEP_BYTES
    while part := read(min(step, limit_bytes + 1 - total)):
        parts.append(part)
        total += len(part)
        if total > limit_bytes:
            raise _too_large(codec, size, limit_bytes)
        step *= 2
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _gzip(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=_GZIP_WINDOW_BITS)
    return stream.compress(data) + stream.flush()


def _gunzip(data: bytes, limit_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
    pending = data

    def read(length: int) -> bytes:
        nonlocal stream, pending
        while True:
            part = stream.decompress(pending, length)
            pending = stream.unconsumed_tail
            if not stream.eof:
                return part
            # Members may follow one another (RFC 1952, 2.2), as Java's GZIPInputStream reads them.
            pending = stream.unused_data
            if pending:
                stream = zlib.decompressobj(wbits=_GZIP_WINDOW_BITS)
            if part or not pending:
                return part

    try:
        content = _read_bounded("gzip", len(data), limit_bytes, read)
    except zlib.error as error:
        raise _unreadable("gzip", error) from error
    if not stream.eof:
        raise _unreadable("gzip", "the stream is truncated")
    return content


def _snappy(data: bytes) -> bytes:
    import cramjam

    return bytes(cramjam.snappy.compress_raw(data))


def _unsnappy(data: bytes, limit_bytes: int) -> bytes:
    if not data.startswith(_XERIAL_MAGIC):
        return _unsnappy_block(data, limit_bytes, len(data), limit_bytes)
    # The framing of snappy-java, which Java's clients write: a header of 16 bytes, then blocks behind their length.
    parts: list[bytes] = []
    left = limit_bytes
    position = _XERIAL_HEADER_BYTES
    while position < len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        position += 4
        if length > len(data) - position:
            raise _unreadable("snappy", f"a block of {length} bytes where {len(data) - position} are left")
        part = _unsnappy_block(data[position : position + length], left, len(data), limit_bytes)
        parts.append(part)
        left -= len(part)
        position += length
    return b"".join(parts)


def _unsnappy_block(block: bytes, left: int, size: int, limit_bytes: int) -> bytes:
    """One raw block. It states its size first, so that one over the limit is refused unread."""
    import cramjam

    try:
        length = cramjam.snappy.decompress_raw_len(block)
        if length > left:
            raise _too_large("snappy", size, limit_bytes)
        out = bytearray(length)
        written = cramjam.snappy.decompress_raw_into(block, out)
    except cramjam.DecompressionError as error:
        raise _unreadable("snappy", error) from error
    if written != length:
        raise _unreadable("snappy", f"a block says {length} bytes and holds {written}")
    return bytes(out)


def _lz4_frame() -> Any:
    import lz4.frame  # pyright: ignore[reportMissingTypeStubs]

    return lz4.frame  # it has no type hints


def _lz4(data: bytes) -> bytes:
    frame = _lz4_frame()
    # Independent blocks of 64 KiB, as Java's clients write them.
    return frame.compress(data, block_size=frame.BLOCKSIZE_MAX64KB, block_linked=False, store_size=False)


def _unlz4(data: bytes, limit_bytes: int) -> bytes:
    stream = _lz4_frame().LZ4FrameDecompressor()
    pending = data

    def read(length: int) -> bytes:
        nonlocal pending
        if stream.eof:
            return b""
        part: bytes = stream.decompress(pending, max_length=length)
        pending = b""
        return part

    try:
        content = _read_bounded("lz4", len(data), limit_bytes, read)
    except (RuntimeError, EOFError) as error:
        raise _unreadable("lz4", error) from error
    if not stream.eof:
        raise _unreadable("lz4", "the frame is truncated")
    return content


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=3).compress(data)


def _unzstd(data: bytes, limit_bytes: int) -> bytes:
    import zstandard

    stream = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_LIMIT_BYTES).stream_reader(data, read_across_frames=True)
    try:
        return _read_bounded("zstd", len(data), limit_bytes, stream.read)
    except zstandard.ZstdError as error:
        raise _unreadable("zstd", error) from error


_COMPRESSORS: tuple[Callable[[bytes], bytes], ...] = (bytes, _gzip, _snappy, _lz4, _zstd)
_DECOMPRESSORS: tuple[Callable[[bytes, int], bytes], ...] = (_keep, _gunzip, _unsnappy, _unlz4, _unzstd)
