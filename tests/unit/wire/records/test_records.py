"""Records inside a batch: what cannot be read is refused with a reason, never with an accident."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.records import HEAD_BYTES, Record, build_batch, crc32c, parse_header, read_records, require_fast_crc
from holdwater.wire.records.varint import read_varint, varint_size, write_varint

maybe_bytes = st.none() | st.binary(max_size=40)
headers = st.lists(st.tuples(st.text(max_size=8), maybe_bytes), max_size=3)
records = st.lists(st.builds(Record, st.just(0), st.integers(0, 2**45), maybe_bytes, maybe_bytes, headers), min_size=1, max_size=8)


@settings(deadline=None)
@given(records, st.integers(0, 4), st.integers(0, 2**60))
def test_every_batch_reads_back(content: list[Record], codec: int, base_offset: int) -> None:
    data = build_batch(content, base_offset=base_offset, compression=codec)
    read = read_records(data, 0, parse_header(data), expansion_limit_bytes=1 << 20)
    assert [record._replace(headers=list(record.headers)) for record in read] == [
        record._replace(offset=base_offset + n) for n, record in enumerate(content)
    ]


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_varints_round_trip(value: int) -> None:
    out = bytearray()
    write_varint(out, value)
    assert len(out) == varint_size(value)
    assert read_varint(bytes(out), 0) == (value, len(out))


@pytest.mark.parametrize(
    ("value", "encoded"),
    [(0, b"\x00"), (-1, b"\x01"), (1, b"\x02"), (63, b"\x7e"), (64, b"\x80\x01"), (-65, b"\x81\x01"), (300, b"\xd8\x04")],
)
def test_varints_are_the_protocol_buffers_ones(value: int, encoded: bytes) -> None:
    out = bytearray()
    write_varint(out, value)
    assert bytes(out) == encoded


def test_a_varint_without_end_is_refused() -> None:
    with pytest.raises(CorruptRecords, match="10 bytes"):
        read_varint(b"\xff" * 11, 0)


@settings(deadline=None)
@given(records, st.data())
def test_damaged_records_are_refused_or_read_but_never_an_accident(content: list[Record], draw: st.DataObject) -> None:
    data = bytearray(build_batch(content))
    for _ in range(draw.draw(st.integers(1, 3))):
        data[draw.draw(st.integers(HEAD_BYTES, len(data) - 1))] = draw.draw(st.integers(0, 255))
    data[17:21] = struct.pack(">I", crc32c(bytes(data[HEAD_BYTES:])))
    with suppress(CorruptRecords):
        header = parse_header(bytes(data))
        read_records(bytes(data), 0, header, expansion_limit_bytes=1 << 20)


def test_a_count_that_differs_from_the_records_is_refused() -> None:
    data = build_batch([Record(0, 0, None, b"a"), Record(0, 0, None, b"b")])
    header = parse_header(data)
    for count in (1, 3):
        with pytest.raises(CorruptRecords):
            read_records(data, 0, header._replace(record_count=count))
    with pytest.raises(CorruptRecords):
        read_records(data, 0, header._replace(batch_length=header.batch_length + 1))


def test_an_empty_batch_is_nobodys() -> None:
    with pytest.raises(ValueError, match="at least one"):
        build_batch([])


def test_the_delete_horizon_takes_the_place_of_the_first_timestamp() -> None:
    data = build_batch([Record(0, 5_000, None, b"a")], delete_horizon_ms=9_000)
    header = parse_header(data)
    assert header.base_timestamp == 9_000
    assert header.attributes == 0x40
    assert read_records(data, 0, header)[0].timestamp_ms == 5_000


def test_the_fast_crc_is_there_and_is_crc32c() -> None:
    require_fast_crc()
    assert crc32c(b"123456789") == 0xE3069283
