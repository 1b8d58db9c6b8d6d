"""Snapshots and control records, byte for byte as Apache Kafka 4.4 writes them."""

import pytest

from holdwater.core.quorum import (
    Endpoint,
    Voter,
    VoterSet,
    build_bootstrap_checkpoint,
    build_checkpoint,
    checkpoint_records,
    read_checkpoint,
)
from holdwater.core.quorum.checkpoint import BATCH_TARGET_BYTES, control_batch, control_messages, data_batch, is_control
from holdwater.kernel.identifiers import uuid_from_text
from holdwater.kernel.ports import CorruptRecords
from holdwater.wire.messages import (
    KRaftVersionRecord,
    LeaderChangeMessage,
    SnapshotFooterRecord,
    SnapshotHeaderRecord,
    VotersRecord,
)
from holdwater.wire.records import batches

# 00000000000000000000-0000000000.checkpoint of `kafka-storage.sh format --standalone`, Apache Kafka 4.4.0.
KAFKA_CHECKPOINT = bytes.fromhex(
    "00000000000000000000009a0000000002ab4b7102002000000002000001a208a959ee000001a208a959eeffffffffffffffffffffffffffff000000"
    "032a0000000800000003160000000001a208a959dc00001e00000208000000050a000000010000820100000408000000066e000002000000012ccdf4"
    "531f1f4bca9ca8bc0a1ab1ea96020b434f4e54524f4c4c45520a3132372e302e302e317c390000000001000000000000000000000003000000f10000"
    "000002dc2e5901000000000005000001a208a95a09000001a208a95a09ffffffffffffffffffffffffffff000000063a000000012e010c00116d6574"
    "61646174612e76657273696f6e002100005a000002014e010c0021656c696769626c652e6c65616465722e7265706c696361732e76657273696f6e00"
    "010000340000040128010c000e67726f75702e76657273696f6e00010000340000060128010c000e73686172652e76657273696f6e00020000380000"
    "08012c010c001073747265616d732e76657273696f6e000100004000000a0134010c00147472616e73616374696f6e2e76657273696f6e0002000000"
    "000000000000090000003f0000000002f4e44f58002000000000000001a208a95a0d000001a208a95a0dffffffffffffffffffffffffffff00000001"
    "1a00000008000000040600000000"
)
# The first batch of the metadata log, written by the first leader of the same node.
KAFKA_FIRST_BATCH = bytes.fromhex(
    "0000000000000000000000a2000000010245eb4034002000000002000001a208a9b3d8000001a208a9b3d8ffffffffffffffffffffffffffff000000"
    "033a00000008000000022600000000000102000000010002000000010000001e00000208000000050a000000010000820100000408000000066e0000"
    "02000000012ccdf4531f1f4bca9ca8bc0a1ab1ea96020b434f4e54524f4c4c45520a3132372e302e302e317c39000000000100000000"
)
KAFKA_VOTERS = VoterSet([Voter(1, uuid_from_text("LM30Ux8fS8qcqLwKGrHqlg"), (Endpoint("CONTROLLER", "127.0.0.1", 31801),))])
VOTERS = VoterSet(Voter(i, bytes([i]) * 16, (Endpoint("CONTROLLER", f"host{i}", 9093),)) for i in (1, 2, 3))


def test_kafkas_bootstrap_checkpoint_is_read() -> None:
    checkpoint = read_checkpoint(KAFKA_CHECKPOINT)
    assert checkpoint.voters == KAFKA_VOTERS
    assert checkpoint.kraft_version == 1
    assert checkpoint.last_contained_log_timestamp_ms == 1795441646044
    records = list(checkpoint_records(KAFKA_CHECKPOINT))
    assert len(records) == 6
    assert b"metadata.version" in records[0]


def test_kafkas_bootstrap_checkpoint_is_written() -> None:
    # Kafka takes the time anew for each batch.
    header = [
        SnapshotHeaderRecord(version=0, last_contained_log_timestamp=1795441646044),
        KRaftVersionRecord(version=0, kraft_version=1),
        KAFKA_VOTERS.to_record(),
    ]
    records = list(checkpoint_records(KAFKA_CHECKPOINT))
    written = (
        control_batch(header, 1795441646062)
        + data_batch(records, 1795441646089, base_offset=3)
        + control_batch([SnapshotFooterRecord(version=0)], 1795441646093, base_offset=9)
    )
    assert written == KAFKA_CHECKPOINT


def test_ours_has_the_same_form() -> None:
    records = list(checkpoint_records(KAFKA_CHECKPOINT))
    ours = build_bootstrap_checkpoint(KAFKA_VOTERS, records, 1795441646044)
    assert len(ours) == len(KAFKA_CHECKPOINT)
    assert read_checkpoint(ours) == read_checkpoint(KAFKA_CHECKPOINT)
    shape = [(h.base_offset, h.last_offset_delta, h.partition_leader_epoch, h.attributes) for _, h, _ in batches(ours)]
    assert shape == [(h.base_offset, h.last_offset_delta, h.partition_leader_epoch, h.attributes) for _, h, _ in batches(KAFKA_CHECKPOINT)]


def test_the_first_batch_of_a_kafka_leader() -> None:
    messages = [
        LeaderChangeMessage(
            version=0,
            leader_id=1,
            voters=[LeaderChangeMessage.Voter(voter_id=1)],
            granting_voters=[LeaderChangeMessage.Voter(voter_id=1)],
        ),
        KRaftVersionRecord(version=0, kraft_version=1),
        KAFKA_VOTERS.to_record(),
    ]
    assert control_batch(messages, 1795441669080, leader_epoch=1) == KAFKA_FIRST_BATCH
    (_, header, _), *_ = batches(KAFKA_FIRST_BATCH)
    assert is_control(header)
    assert [(located.offset, type(located.message)) for located in control_messages(KAFKA_FIRST_BATCH, 0, header)] == [
        (0, LeaderChangeMessage),
        (1, KRaftVersionRecord),
        (2, VotersRecord),
    ]


def test_a_bootstrap_checkpoint_needs_directory_ids() -> None:
    with pytest.raises(ValueError, match="directory id"):
        build_bootstrap_checkpoint(VoterSet([Voter(1, bytes(16))]), [], 0)


def test_a_large_state_is_many_batches() -> None:
    records = [bytes([n % 256]) * (BATCH_TARGET_BYTES // 3 + 1) for n in range(8)]
    content = build_checkpoint(VOTERS, 1, records, 5, leader_epoch=7)
    headers = [header for _, header, _ in batches(content)]
    assert len(headers) == 2 + 3
    assert {header.partition_leader_epoch for header in headers} == {7}
    assert [header.base_offset for header in headers] == [0, 3, 6, 9, 11]
    assert list(checkpoint_records(content)) == records
    assert read_checkpoint(content).voters == VOTERS


def test_without_reconfiguration_a_snapshot_names_no_voters() -> None:
    checkpoint = read_checkpoint(build_checkpoint(VOTERS, 0, [b"x"], 5))
    assert (checkpoint.voters, checkpoint.kraft_version) == (None, None)


WHOLE = build_checkpoint(VOTERS, 1, [b"a", b"b"], 5)
FOOTER_START = [position for position, _, _ in batches(WHOLE)][-1]


@pytest.mark.parametrize(
    ("damaged", "why"),
    [
        (b"", "without its footer"),
        (WHOLE[:FOOTER_START], "without its footer"),
        (WHOLE[:-1], "without its footer"),
        (WHOLE + WHOLE, "after its footer"),
        (WHOLE + b"x", "without its footer"),
        (data_batch([b"a"], 5) + WHOLE[FOOTER_START:], "does not begin with its header"),
        (WHOLE[:100] + bytes([WHOLE[100] ^ 1]) + WHOLE[101:], "CRC"),
    ],
)
def test_a_damaged_snapshot_is_refused(damaged: bytes, why: str) -> None:
    with pytest.raises(CorruptRecords, match=why):
        read_checkpoint(damaged)
