"""Record batch v2 from outside: header, CRC, what a producer may send, and moving a batch to its offset."""

import struct

import pytest

from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.records import (
    HEAD_BYTES,
    MAX_SEQUENCE,
    Record,
    batches,
    build_batch,
    check_crc,
    check_produced,
    clear_append_time,
    end_transaction_batch,
    last_sequence,
    parse_header,
    place_batch,
    read_records,
    stamp_batch,
)

RECORDS = [Record(0, 1_000, b"k", b"v"), Record(1, 1_500, None, b"w"), Record(2, 1_200, b"", None, [("h", b"1"), ("h", None)])]


def damaged(data: bytes, position: int, content: bytes) -> bytes:
    return data[:position] + content + data[position + len(content) :]


def test_header_holds_what_the_batch_was_built_with() -> None:
    data = build_batch(RECORDS, base_offset=7, leader_epoch=3, producer_id=5, producer_epoch=1, base_sequence=9, transactional=True)
    header = parse_header(data)
    assert header.base_offset == 7
    assert header.batch_length == len(data) - 12
    assert header.partition_leader_epoch == 3
    assert (header.producer_id, header.producer_epoch, header.base_sequence) == (5, 1, 9)
    assert (header.last_offset_delta, header.record_count) == (2, 3)
    assert (header.base_timestamp, header.max_timestamp) == (1_000, 1_500)
    assert header.attributes == 0x10


def test_a_batch_is_the_bytes_another_implementation_writes() -> None:
    kafka_records = pytest.importorskip("kafka.record.default_records")
    builder = kafka_records.DefaultRecordBatchBuilder(2, 0, True, 5, 1, 9, 1 << 20)
    for index, record in enumerate(RECORDS):
        builder.append(index, record.timestamp_ms, record.key, record.value, list(record.headers))
    theirs = bytes(builder.build())
    ours = build_batch(RECORDS, producer_id=5, producer_epoch=1, base_sequence=9, transactional=True)
    assert ours[16:] == theirs[16:]  # that builder leaves the leader epoch 0
    assert ours[:12] == theirs[:12]


def test_records_survive_the_round_trip() -> None:
    data = build_batch(RECORDS, base_offset=40)
    assert read_records(data, 0, parse_header(data)) == [record._replace(offset=40 + n) for n, record in enumerate(RECORDS)]


def test_offsets_with_gaps_are_kept_when_asked() -> None:
    data = build_batch([RECORDS[0]._replace(offset=50), RECORDS[1]._replace(offset=57)], base_offset=48, keep_offsets=True)
    header = parse_header(data)
    assert (header.base_offset, header.last_offset_delta, header.record_count) == (48, 9, 2)
    assert [record.offset for record in read_records(data, 0, header)] == [50, 57]


def test_batches_walks_whole_batches_and_stops_at_a_torn_one() -> None:
    first, second = build_batch(RECORDS), build_batch(RECORDS, base_offset=3)
    whole = [(0, len(first)), (len(first), len(first) + len(second))]
    data = first + second
    assert [(position, end) for position, _, end in batches(data)] == whole
    for cut in range(len(first), len(data)):
        assert [(position, end) for position, _, end in batches(data[:cut])] == whole[:1]


@pytest.mark.parametrize(
    ("position", "content", "code"),
    [
        (16, b"\x00", 43),
        (16, b"\x01", 43),
        (16, b"\x03", 2),
        (8, struct.pack(">i", 48), 2),
        (8, struct.pack(">i", -1), 2),
        (23, struct.pack(">i", -1), 2),
        (57, struct.pack(">i", -1), 2),
        (0, struct.pack(">q", -1), 2),
    ],
)
def test_impossible_headers_are_refused(position: int, content: bytes, code: int) -> None:
    with pytest.raises(CorruptRecords) as caught:
        parse_header(damaged(build_batch(RECORDS), position, content))
    assert caught.value.error_code == code


def test_a_short_message_of_an_old_format_is_told_from_a_truncated_batch() -> None:
    old = struct.pack(">qiIbbii", 0, 14, 0, 1, 0, -1, -1)
    with pytest.raises(CorruptRecords) as caught:
        parse_header(old)
    assert caught.value.error_code == 43
    with pytest.raises(CorruptRecords) as caught:
        parse_header(build_batch(RECORDS)[:60])
    assert caught.value.error_code == 2


def test_every_flipped_bit_after_the_head_fails_the_crc() -> None:
    data = build_batch(RECORDS)
    header = parse_header(data)
    check_crc(data, 0, header)
    for position in range(HEAD_BYTES, len(data)):
        flipped = damaged(data, position, bytes([data[position] ^ 0x10]))
        with pytest.raises(CorruptRecords, match="CRC"):
            check_crc(flipped, 0, header)


def patched(data: bytes, position: int, content: bytes) -> bytes:
    """The batch with other header bytes and a CRC that fits them."""
    from holdwater.wire.records import crc32c

    data = damaged(data, position, content)
    return damaged(data, 17, struct.pack(">I", crc32c(data[HEAD_BYTES:])))


@pytest.mark.parametrize(
    ("data", "code", "why"),
    [
        (build_batch(RECORDS) + b"x", 87, "exactly one"),
        (build_batch(RECORDS)[:-1], 87, "bytes"),
        (build_batch(RECORDS, base_offset=5), 87, "starts at offset 0"),
        *((patched(build_batch(RECORDS), 22, bytes([codec])), 87, f"no compression {codec}") for codec in (5, 6, 7)),
        (patched(build_batch(RECORDS), 57, struct.pack(">i", 2)), 87, "last offset delta"),
        (patched(build_batch(RECORDS), 57, struct.pack(">i", 0)), 87, "last offset delta"),
        (build_batch(RECORDS, producer_id=4, producer_epoch=0, base_sequence=-1), 87, "sequence"),
        (build_batch(RECORDS, producer_id=4, producer_epoch=-1, base_sequence=0), 87, "epoch"),
        (build_batch(RECORDS, transactional=True), 87, "producer id"),
        (end_transaction_batch(committed=True, producer_id=1, producer_epoch=0, coordinator_epoch=0, timestamp_ms=0), 87, "control"),
    ],
)
def test_what_a_producer_may_not_send(data: bytes, code: int, why: str) -> None:
    with pytest.raises(CorruptRecords, match=why) as caught:
        check_produced(data, parse_header(data))
    assert caught.value.error_code == code


def test_what_a_producer_may_send() -> None:
    for data in (build_batch(RECORDS), build_batch(RECORDS, producer_id=4, producer_epoch=0, base_sequence=0, transactional=True)):
        check_produced(data, parse_header(data))


def test_place_batch_changes_offset_and_leader_epoch_only() -> None:
    data = build_batch(RECORDS)
    head, body = place_batch(data, 900, 12)
    header = parse_header(head + body)
    assert len(head) == HEAD_BYTES
    assert header == parse_header(data)._replace(base_offset=900, partition_leader_epoch=12)
    check_crc(head + body, 0, header)


def test_stamp_batch_gives_every_record_the_append_time() -> None:
    data = stamp_batch(build_batch(RECORDS), 77_000)
    header = parse_header(data)
    check_crc(data, 0, header)
    assert header.max_timestamp == 77_000
    assert [record.timestamp_ms for record in read_records(data, 0, header)] == [77_000] * 3


def test_clear_append_time_gives_the_records_their_own_times_back() -> None:
    plain = build_batch(RECORDS)
    assert clear_append_time(patched(plain, 22, bytes([0x08]))) == plain
    assert clear_append_time(plain) == plain


def test_sequences_wrap_to_zero() -> None:
    header = parse_header(build_batch(RECORDS, producer_id=1, producer_epoch=0, base_sequence=MAX_SEQUENCE - 1))
    assert last_sequence(header) == 0
    assert last_sequence(header._replace(base_sequence=-1)) == -1
    assert last_sequence(header._replace(base_sequence=5)) == 7
