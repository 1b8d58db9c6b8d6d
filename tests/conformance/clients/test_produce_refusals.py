"""What a producer may not send, and the error that it gets: the same on our cluster and on Apache Kafka, but for what a case says."""

import struct
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from tests.conformance.clients.targets import APACHE, BOTH, OURS, start
from tests.support.cluster import Brokers
from tests.support.requests import RawConnection, frame, produce

from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.rpc import calls
from holdwater.wire import messages as m
from holdwater.wire.codec import encode
from holdwater.wire.records import Record, batches, build_batch, crc32c, parse_header

PLAIN, COMPACTED, SMALL, STAMPED = "plain", "compacted", "small", "stamped"
TOPICS = {
    PLAIN: {},
    COMPACTED: {"cleanup.policy": "compact"},
    SMALL: {"max.message.bytes": "1000"},
    STAMPED: {"message.timestamp.type": "LogAppendTime"},
}
NOW_MS = int(time.time() * 1000)

NONE, CORRUPT_MESSAGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER, MESSAGE_TOO_LARGE = 0, 2, 3, 6, 10
INVALID_REQUIRED_ACKS, INVALID_TIMESTAMP, TRANSACTIONAL_ID_REFUSED, INVALID_RECORD, UNKNOWN_TOPIC_ID = 21, 32, 53, 87, 100
UNKNOWN_SERVER_ERROR = -1


@pytest.fixture(scope="module", params=BOTH)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Brokers]]:
    for brokers in start(request.param, tmp_path_factory.mktemp("produce")):
        for name, configs in TOPICS.items():
            brokers.create_topic(name, configs=configs)
        yield request.param, brokers


def batch(count: int = 1, *, size: int = 10, key: bytes | None = b"k", timestamp_ms: int = NOW_MS, **settings: object) -> bytes:
    records = [Record(0, timestamp_ms, key, b"v" * size) for _ in range(count)]
    return build_batch(records, **settings)  # pyright: ignore[reportArgumentType]


def patched(position: int, content: bytes, data: bytes | None = None) -> bytes:
    """A batch with other header bytes, and a CRC that fits them."""
    data = batch() if data is None else data
    data = data[:position] + content + data[position + len(content) :]
    return data[:17] + struct.pack(">I", crc32c(data[21:])) + data[21:]


def unchecked(position: int, content: bytes) -> bytes:
    """A batch with other bytes and the CRC that it had."""
    data = batch()
    return data[:position] + content + data[position + len(content) :]


class Case(NamedTuple):
    """Records for a topic, the error they get, and Apache Kafka's where it is another."""

    records: bytes | None
    error: int
    apache: int | None = None
    topic: str = PLAIN
    why_not_apache: str = ""


GARBAGE = batch()[:61] + b"\x99" * len(batch()[61:])
CASES: dict[str, Case] = {
    "no bytes": Case(b"", INVALID_RECORD),
    "a wrong checksum": Case(unchecked(70, b"\xff"), CORRUPT_MESSAGE),
    "cut short": Case(batch()[:-1], INVALID_RECORD),
    "two batches": Case(batch() + batch(), INVALID_RECORD),
    "one byte too many": Case(
        batch() + b"\0", INVALID_RECORD, NONE, why_not_apache="Kafka drops a torn end; we refuse what is not one batch"
    ),
    "magic 0": Case(unchecked(16, b"\0"), INVALID_RECORD),
    "magic 1": Case(unchecked(16, b"\1"), INVALID_RECORD),
    "magic 3": Case(unchecked(16, b"\3"), CORRUPT_MESSAGE),
    "noise": Case(b"\x55" * 200, CORRUPT_MESSAGE),
    "too large for the broker": Case(batch(size=1_100_000), MESSAGE_TOO_LARGE),
    "too large for the topic": Case(batch(size=1100), MESSAGE_TOO_LARGE, topic=SMALL),
    "a transaction without a transactional id": Case(
        batch(transactional=True, producer_id=9, producer_epoch=0, base_sequence=0), TRANSACTIONAL_ID_REFUSED
    ),
    "a transaction without a producer id": Case(batch(transactional=True), TRANSACTIONAL_ID_REFUSED),
    "a control batch": Case(batch(control=True), INVALID_RECORD),
    "a control batch with a producer id": Case(batch(control=True, producer_id=9, producer_epoch=0, base_sequence=0), INVALID_RECORD),
    "two hours in the future": Case(batch(timestamp_ms=NOW_MS + 7_200_000), INVALID_TIMESTAMP),
    "no key in a compacted topic": Case(batch(key=None), INVALID_RECORD, topic=COMPACTED),
    "a base offset of 5": Case(batch(3, base_offset=5), INVALID_RECORD),
    "a base offset of 5, compressed": Case(batch(3, base_offset=5, compression=1), INVALID_RECORD),
    "a wrong count": Case(patched(57, struct.pack(">i", 2)), INVALID_RECORD),
    "no records": Case(patched(57, struct.pack(">i", 0)), INVALID_RECORD),
    "a wrong last offset delta": Case(patched(23, struct.pack(">i", 3)), INVALID_RECORD),
    "a producer id without a sequence": Case(batch(producer_id=5, producer_epoch=0, base_sequence=-1), INVALID_RECORD),
    **{
        f"compression {codec}": Case(
            patched(22, bytes([codec])), INVALID_RECORD, UNKNOWN_SERVER_ERROR, why_not_apache="Kafka trips over it"
        )
        for codec in (5, 6, 7)
    },
    "compressed noise": Case(
        patched(22, b"\3", GARBAGE), NONE, UNKNOWN_SERVER_ERROR, why_not_apache="we do not open batches (docs/compatibility.md)"
    ),
    "compressed noise in a compacted topic": Case(
        patched(22, b"\3", GARBAGE), CORRUPT_MESSAGE, UNKNOWN_SERVER_ERROR, COMPACTED, "both open it; Kafka trips over it"
    ),
    "no timestamp": Case(batch(timestamp_ms=-1), NONE),
    "a leader epoch": Case(batch(leader_epoch=77), NONE),
    "a key in a compacted topic": Case(batch(), NONE, topic=COMPACTED),
    "compressed, with keys, in a compacted topic": Case(batch(5, compression=4), NONE, topic=COMPACTED),
    "an hour old": Case(batch(timestamp_ms=NOW_MS - 3_600_000), NONE),
}


@pytest.mark.parametrize("name", CASES)
def test_records(target: tuple[str, Brokers], name: str) -> None:
    kind, brokers = target
    case = CASES[name]
    answer = produce(brokers, case.topic, case.records)
    expected = case.apache if kind == APACHE and case.apache is not None else case.error
    assert answer.error_code == expected, answer
    assert (answer.base_offset >= 0) == (expected == NONE)


def test_records_of_null(target: tuple[str, Brokers]) -> None:
    kind, brokers = target
    if kind == APACHE:
        pytest.skip("Apache Kafka 4.4 leaves a produce request without records unanswered")
    assert produce(brokers, PLAIN, None).error_code == INVALID_RECORD


@pytest.mark.parametrize("version", range(3, 14))
def test_every_version_tells_of_refusal_and_of_success(target: tuple[str, Brokers], version: int) -> None:
    _, brokers = target
    assert produce(brokers, PLAIN, unchecked(70, b"\xff"), version=version).error_code == CORRUPT_MESSAGE
    assert produce(brokers, PLAIN, batch(), version=version).error_code == NONE


def test_where_there_is_nothing_to_write_to(target: tuple[str, Brokers]) -> None:
    _, brokers = target
    leader = brokers.leader(PLAIN)
    other = leader % 3 + 1
    assert produce(brokers, "no-such-topic", batch(), broker=1).error_code == UNKNOWN_TOPIC_OR_PARTITION
    assert produce(brokers, "no-such-topic", batch(), broker=1, version=13).error_code == UNKNOWN_TOPIC_ID
    assert produce(brokers, PLAIN, batch(), partition=7, broker=leader).error_code == UNKNOWN_TOPIC_OR_PARTITION
    assert produce(brokers, PLAIN, batch(), broker=other).error_code == NOT_LEADER
    named = produce(brokers, PLAIN, batch(), broker=other, version=10).current_leader
    assert (named.leader_id, named.leader_epoch >= 0) == (leader, True)


def test_acks_that_do_not_exist(target: tuple[str, Brokers]) -> None:
    _, brokers = target
    for acks in (2, -2, 100):
        assert produce(brokers, PLAIN, batch(), acks=acks).error_code == INVALID_REQUIRED_ACKS


def _produce_frame(topic: str, records: bytes, acks: int, partition: int = 0) -> bytes:
    data = m.ProduceRequest.PartitionProduceData(index=partition, records=records)
    request = m.ProduceRequest(
        acks=acks, timeout_ms=1000, topic_data=[m.ProduceRequest.TopicProduceData(name=topic, partition_data=[data])]
    )
    return frame(0, 9, encode(request, 9))


REFUSED_WITHOUT_ANSWER: dict[str, Callable[[], tuple[str, bytes, int]]] = {
    "a wrong checksum": lambda: (PLAIN, unchecked(70, b"\xff"), 0),
    "an unknown topic": lambda: ("no-such-topic", batch(), 0),
    "an unknown partition": lambda: (PLAIN, batch(), 9),
    "too large": lambda: (SMALL, batch(size=1100), 0),
}


@pytest.mark.parametrize("name", REFUSED_WITHOUT_ANSWER)
def test_acks_0_closes_the_connection_when_it_can_not_be_done(target: tuple[str, Brokers], name: str) -> None:
    _, brokers = target
    topic, records, partition = REFUSED_WITHOUT_ANSWER[name]()
    port = brokers.ports[brokers.leader(topic if topic in TOPICS else PLAIN)]
    with RawConnection(port) as connection:
        connection.send(_produce_frame(topic, records, 0, partition))
        assert connection.is_closed()


def test_acks_0_says_nothing_and_lives_on(target: tuple[str, Brokers]) -> None:
    _, brokers = target
    with RawConnection(brokers.ports[brokers.leader(PLAIN)]) as connection:
        connection.send(_produce_frame(PLAIN, batch(), 0))
        connection.call(m.MetadataRequest(topics=[]), 9, m.MetadataResponse)  # its answer is the first thing that comes


def test_what_is_stored_is_what_the_broker_says_of_time(target: tuple[str, Brokers]) -> None:
    kind, brokers = target
    answer = produce(brokers, STAMPED, batch())
    assert answer.log_append_time_ms >= NOW_MS - 60_000
    assert _stored(brokers, STAMPED, answer.base_offset).attributes & 0x08
    answer = produce(brokers, PLAIN, patched(22, b"\x08"))  # a producer that claims to be a broker
    assert (answer.error_code, answer.log_append_time_ms) == (NONE, -1)
    stored = _stored(brokers, PLAIN, answer.base_offset)
    assert not stored.attributes & 0x08
    assert stored.max_timestamp == NOW_MS
    assert kind in {OURS, APACHE}


def _stored(brokers: Brokers, topic: str, offset: int):
    leader = brokers.leader(topic)
    with brokers.connect(leader) as connection:
        described = calls.describe_topic(connection, topic)
        topic_id = ZERO_UUID if described is None else described.topic_id
        data = calls.fetch(connection, topic, topic_id, 0, offset).records
    return next(parse_header(data, position) for position, header, _ in batches(data) if header.base_offset == offset)
