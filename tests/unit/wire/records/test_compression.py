"""Compression: other implementations' streams are read, bombs and truncated streams are refused."""

import gzip
import time
import zlib

import cramjam
import lz4.frame
import pytest
import zstandard

from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.records import Compression, Record, build_batch, compress, decompress, parse_header, read_records

TEXT = b"a record like another, " * 500
CODECS = [Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.ZSTD]


def xerial(content: bytes, block_bytes: int) -> bytes:
    """snappy-java's framing, as Java's producers send it."""
    out = b"\x82SNAPPY\x00" + (1).to_bytes(4, "big") + (1).to_bytes(4, "big")
    for start in range(0, len(content), block_bytes):
        block = bytes(cramjam.snappy.compress_raw(content[start : start + block_bytes]))
        out += len(block).to_bytes(4, "big") + block
    return out


FOREIGN = [
    (Compression.GZIP, gzip.compress(TEXT)),
    (Compression.GZIP, gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:])),
    (Compression.SNAPPY, xerial(TEXT, 1_000)),
    (Compression.SNAPPY, xerial(TEXT, 1 << 20)),
    (Compression.LZ4, lz4.frame.compress(TEXT, content_checksum=True, block_linked=True)),
    (Compression.LZ4, lz4.frame.compress(TEXT, store_size=True, block_checksum=True)),
    (Compression.ZSTD, zstandard.ZstdCompressor(level=19, write_content_size=False).compress(TEXT)),
    (Compression.ZSTD, zstandard.ZstdCompressor(write_checksum=True).compress(TEXT)),
]


@pytest.mark.parametrize(("codec", "stream"), FOREIGN, ids=map(str, range(len(FOREIGN))))
def test_streams_of_other_writers_are_read(codec: int, stream: bytes) -> None:
    assert decompress(codec, stream, len(TEXT)) == TEXT


@pytest.mark.parametrize("codec", list(Compression))
@pytest.mark.parametrize("content", [b"", b"x", TEXT, bytes(300_000)])
def test_what_was_compressed_comes_back_and_twice_the_same(codec: int, content: bytes) -> None:
    assert decompress(codec, compress(codec, content), len(content)) == content
    assert compress(codec, content) == compress(codec, content)


@pytest.mark.parametrize(("codec", "stream"), FOREIGN, ids=map(str, range(len(FOREIGN))))
def test_the_limit_is_exact(codec: int, stream: bytes) -> None:
    with pytest.raises(CorruptRecords, match="limit") as caught:
        decompress(codec, stream, len(TEXT) - 1)
    assert caught.value.error_code == 10


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_is_refused_quickly(codec: int) -> None:
    bomb = compress(codec, bytes(64 << 20))
    started = time.thread_time()
    with pytest.raises(CorruptRecords, match="limit"):
        decompress(codec, bomb, 1 << 20)
    assert time.thread_time() - started < 0.25, "S5 says 20 ms; CPU time, with room for a shared machine"


def test_a_snappy_block_that_lies_about_its_size_is_refused() -> None:
    with pytest.raises(CorruptRecords, match="limit"):
        decompress(Compression.SNAPPY, b"\xff\xff\xff\xff\x0f" + b"\x00" * 10, 1 << 20)


@pytest.mark.parametrize(("codec", "stream"), FOREIGN, ids=map(str, range(len(FOREIGN))))
def test_truncated_and_damaged_streams_are_refused(codec: int, stream: bytes) -> None:
    for cut in (1, 3, len(stream) // 2, len(stream) - 1):
        try:
            content = decompress(codec, stream[:cut], 1 << 20)
        except CorruptRecords:
            continue
        # A frame cut between blocks or before its checksum may read as a shorter one; the record count catches it then.
        assert content != TEXT or cut >= len(stream) - 8
    with pytest.raises(CorruptRecords):
        decompress(codec, b"\x00garbage" * 4, 1 << 20)


def test_an_unknown_codec_is_refused() -> None:
    with pytest.raises(CorruptRecords) as caught:
        decompress(5, b"", 10)
    assert caught.value.error_code == 76


def test_a_compressed_batch_is_opened_within_its_limit() -> None:
    data = build_batch([Record(0, 0, None, bytes(100_000))], compression=Compression.ZSTD)
    assert len(data) < 1_000
    with pytest.raises(CorruptRecords):
        read_records(data, 0, parse_header(data), expansion_limit_bytes=50_000)
    assert read_records(data, 0, parse_header(data), expansion_limit_bytes=101_000)[0].value == bytes(100_000)


def test_gzip_members_may_end_in_nothing_but_not_in_garbage() -> None:
    with pytest.raises(CorruptRecords):
        decompress(Compression.GZIP, gzip.compress(TEXT) + b"garbage", 1 << 20)
    assert zlib.decompress(compress(Compression.GZIP, TEXT), 31) == TEXT
