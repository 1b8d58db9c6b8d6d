"""Control records: transaction markers, and what the metadata quorum writes for itself."""

import pytest

from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.messages import KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord, VotersRecord
from holdwater.wire.records import (
    ControlType,
    Record,
    TransactionMarker,
    build_batch,
    check_crc,
    control_message,
    control_record,
    control_type,
    end_transaction_batch,
    parse_header,
    read_records,
    read_transaction_marker,
)

DIRECTORY_ID = bytes(range(16))


@pytest.mark.parametrize("committed", [True, False])
def test_a_marker_reads_back(committed: bool) -> None:
    data = end_transaction_batch(
        committed=committed, producer_id=9, producer_epoch=3, coordinator_epoch=21, timestamp_ms=5_000, base_offset=70, leader_epoch=2
    )
    header = parse_header(data)
    check_crc(data, 0, header)
    assert header.attributes == 0x30
    assert (header.producer_id, header.producer_epoch, header.base_sequence, header.base_offset) == (9, 3, -1, 70)
    assert read_transaction_marker(data, 0, header) == TransactionMarker(committed, 21)
    record = read_records(data, 0, header)[0]
    assert (record.key, record.value) == (b"\0\0\0\1" if committed else b"\0\0\0\0", b"\0\0\0\0\0\x15")
    assert control_message(record) is None


@pytest.mark.parametrize(
    ("key", "value"), [(None, b""), (b"\0\0", b""), (b"\0\0\0\1", None), (b"\0\0\0\1", b"\0\0\0"), (b"\xff\xff\0\1", b"\0" * 6)]
)
def test_damaged_markers_are_refused(key: bytes | None, value: bytes | None) -> None:
    data = build_batch([Record(0, 0, key, value)], control=True, producer_id=1, producer_epoch=0, transactional=True)
    with pytest.raises(CorruptRecords):
        read_transaction_marker(data, 0, parse_header(data))


def test_types_of_later_versions_are_no_markers() -> None:
    data = build_batch([Record(0, 0, b"\0\0\0\x63", b"?")], control=True)
    header = parse_header(data)
    assert read_transaction_marker(data, 0, header) is None
    record = read_records(data, 0, header)[0]
    assert control_type(record) == 0x63
    assert control_message(record) is None


MESSAGES = [
    (
        ControlType.LEADER_CHANGE,
        LeaderChangeMessage(
            version=1,
            leader_id=4,
            voters=[LeaderChangeMessage.Voter(4, DIRECTORY_ID)],
            granting_voters=[LeaderChangeMessage.Voter(4, DIRECTORY_ID)],
        ),
        1,
    ),
    (ControlType.LEADER_CHANGE, LeaderChangeMessage(leader_id=4, voters=[LeaderChangeMessage.Voter(4)]), 0),
    (ControlType.SNAPSHOT_HEADER, SnapshotHeaderRecord(last_contained_log_timestamp=77), 0),
    (ControlType.SNAPSHOT_FOOTER, SnapshotFooterRecord(), 0),
    (ControlType.KRAFT_VERSION, KRaftVersionRecord(kraft_version=1), 0),
    (
        ControlType.KRAFT_VOTERS,
        VotersRecord(
            voters=[
                VotersRecord.Voter(
                    voter_id=1,
                    voter_directory_id=DIRECTORY_ID,
                    endpoints=[VotersRecord.Endpoint("CONTROLLER", "localhost", 9093)],
                    kraft_version_feature=VotersRecord.KRaftVersionFeature(0, 1),
                )
            ]
        ),
        0,
    ),
]


@pytest.mark.parametrize(("number", "message", "version"), MESSAGES)
def test_the_quorums_records_read_back(number: ControlType, message: object, version: int) -> None:
    record = control_record(message, 1_000, version=version)  # pyright: ignore[reportArgumentType]
    data = build_batch([record], control=True)
    read = read_records(data, 0, parse_header(data))[0]
    assert control_type(read) == number
    assert control_message(read) == message


def test_damaged_records_of_the_quorum_are_refused() -> None:
    record = control_record(SnapshotHeaderRecord(last_contained_log_timestamp=77), 1_000)
    for value in (None, b"\0", (record.value or b"")[:-1], (record.value or b"") + b"x"):
        with pytest.raises(CorruptRecords):
            control_message(record._replace(value=value))
