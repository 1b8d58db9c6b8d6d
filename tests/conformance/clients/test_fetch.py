"""Fetch in single requests: errors, limits, sessions (KIP-227): the same on our cluster and on Apache Kafka."""

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from tests.conformance.clients.targets import APACHE, BOTH, start
from tests.support.cluster import Brokers
from tests.support.requests import produce

from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.rpc import Connection, calls
from holdwater.wire import messages as m
from holdwater.wire.records import Record, batches, build_batch

NONE, OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER = 0, 1, 3, 6
SESSION_NOT_FOUND, INVALID_SESSION_EPOCH, FENCED, UNKNOWN_EPOCH, UNKNOWN_TOPIC_ID = 70, 71, 74, 75, 100
TOPIC, EMPTY, GONE = "fetched", "fetched-empty", "fetched-gone"
BATCH_COUNT, BATCH_RECORDS = 6, 3
END = BATCH_COUNT * BATCH_RECORDS


class World(NamedTuple):
    kind: str
    brokers: Brokers
    ids: dict[str, bytes]
    leaders: dict[str, int]
    batch_bytes: int

    def connect(self, topic: str = TOPIC) -> Connection:
        return self.brokers.connect(self.leaders.get(topic, 1))


@pytest.fixture(scope="module", params=BOTH)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Six batches of three records, all of one size."""
    for brokers in start(request.param, tmp_path_factory.mktemp("fetch")):
        for name in (TOPIC, EMPTY):
            brokers.create_topic(name)
        data = build_batch([Record(0, int(time.time() * 1000), b"key", b"value" * 100) for _ in range(BATCH_RECORDS)])
        for _ in range(BATCH_COUNT):
            assert produce(brokers, TOPIC, data).error_code == NONE
        leaders = {name: brokers.leader(name) for name in (TOPIC, EMPTY)}
        ids: dict[str, bytes] = {GONE: b"\x09" * 16}
        with brokers.connect() as connection:
            for name in (TOPIC, EMPTY):
                described = calls.describe_topic(connection, name)
                ids[name] = ZERO_UUID if described is None else described.topic_id
        yield World(request.param, brokers, ids, leaders, len(data))


def request(world: World, asked: dict[str, list[Any]], version: int, **settings: Any) -> m.FetchRequest:
    r = m.FetchRequest
    topics = [
        r.FetchTopic(**({"topic_id": world.ids[name]} if version >= 13 else {"topic": name}), partitions=partitions)
        for name, partitions in asked.items()
    ]
    values: dict[str, Any] = {"max_wait_ms": 100, "min_bytes": 1, "max_bytes": 1 << 20, "topics": topics}
    return r(**(values | settings))


def at(offset: int, *, index: int = 0, limit: int = 1 << 20, **settings: int) -> Any:
    return m.FetchRequest.FetchPartition(partition=index, fetch_offset=offset, partition_max_bytes=limit, **settings)


def fetch(
    world: World, partition: Any, version: int = 17, topic: str = TOPIC, connection: Connection | None = None, **settings: Any
) -> Any:
    """The answer for one partition, fetched without a session."""
    if version >= 7:
        settings = {"session_id": 0, "session_epoch": -1} | settings
    asked = request(world, {topic: [partition]}, version, **settings)
    with connection or world.connect(topic) as link:
        answer = link.call(asked, m.FetchResponse, highest=version)
    assert answer.error_code == NONE
    return answer.responses[0].partitions[0]


def offsets(data: bytes | None) -> list[int]:
    return [header.base_offset for _, header, _ in batches(data or b"")]


@pytest.mark.parametrize("version", range(4, 19))
def test_everything_in_every_version(world: World, version: int) -> None:
    found = fetch(world, at(0), version)
    assert (found.error_code, found.high_watermark, found.last_stable_offset) == (NONE, END, END)
    assert offsets(found.records) == list(range(0, END, BATCH_RECORDS))


@pytest.mark.parametrize("version", [4, 11, 12, 13, 16, 17])
def test_errors(world: World, version: int) -> None:
    for offset in (-1, END + 1, 10**12):
        found = fetch(world, at(offset), version)
        assert (found.error_code, found.records or b"") == (OFFSET_OUT_OF_RANGE, b"")
    assert fetch(world, at(END), version).error_code == NONE
    assert fetch(world, at(0, index=9), version).error_code == UNKNOWN_TOPIC_OR_PARTITION
    gone = fetch(world, at(0), version, GONE).error_code
    assert gone == (UNKNOWN_TOPIC_ID if version >= 13 else UNKNOWN_TOPIC_OR_PARTITION)


def test_leader_epochs(world: World) -> None:
    assert fetch(world, at(0, current_leader_epoch=0)).error_code == NONE
    assert fetch(world, at(0, current_leader_epoch=5)).error_code == UNKNOWN_EPOCH
    found = fetch(world, at(END, last_fetched_epoch=0))
    assert (found.error_code, found.diverging_epoch) == (NONE, None)


def test_a_broker_that_does_not_lead_names_the_one_that_does(world: World) -> None:
    """Apache Kafka lets consumers read from followers since version 11 (KIP-392); we do not yet (docs/compatibility.md)."""
    if world.kind == APACHE:
        pytest.skip("Apache Kafka's followers serve consumers")
    other = world.leaders[TOPIC] % 3 + 1
    asked = request(world, {TOPIC: [at(0)]}, 17, session_epoch=-1)
    with world.brokers.connect(other) as connection:
        answer = connection.call(asked, m.FetchResponse, highest=17)
    assert answer.responses[0].partitions[0].error_code == NOT_LEADER
    assert answer.responses[0].partitions[0].current_leader.leader_id == world.leaders[TOPIC]
    assert [(node.node_id, node.port) for node in answer.node_endpoints] == [
        (world.leaders[TOPIC], world.brokers.ports[world.leaders[TOPIC]])
    ]


def test_limits(world: World) -> None:
    """At least the first batch is whole; after that the limits count."""
    size = world.batch_bytes
    for limit, count in ((1, 1), (size, 1), (2 * size, 2), (3 * size + 10, 3)):
        for settings in ({"limit": limit}, {"limit": 1 << 20}):
            whole = {} if settings["limit"] == limit else {"max_bytes": limit}
            found = fetch(world, at(0, **settings), **whole)
            assert len(offsets(found.records)) == count, (limit, settings)
    middle = fetch(world, at(4))
    assert offsets(middle.records)[0] == 3  # the batch that holds the offset comes whole


def test_waiting(world: World) -> None:
    for minimum, wait_ms, low_s, high_s in ((1, 400, 0.35, 3.0), (0, 400, 0.0, 0.3)):
        started = time.monotonic()
        found = fetch(world, at(END), min_bytes=minimum, max_wait_ms=wait_ms)
        assert low_s <= time.monotonic() - started <= high_s
        assert not found.records
    started = time.monotonic()
    assert fetch(world, at(0), max_wait_ms=5000).records
    assert fetch(world, at(END + 5), max_wait_ms=5000, min_bytes=1).error_code == OFFSET_OUT_OF_RANGE
    assert time.monotonic() - started < 3


def test_a_session(world: World) -> None:
    """Only what changed is told; what is not named again is looked at still; what is forgotten is not."""
    topics = {TOPIC: [at(END)], EMPTY: [at(0)]}
    if world.leaders[TOPIC] != world.leaders[EMPTY]:
        del topics[EMPTY]
    with world.connect() as connection:

        def ask(asked: dict[str, list[Any]], session: int, epoch: int, **settings: Any) -> m.FetchResponse:
            made = request(world, asked, 17, session_id=session, session_epoch=epoch, **settings)
            return connection.call(made, m.FetchResponse, highest=17)

        first = ask(topics, 0, 0)
        assert first.session_id > 0
        assert sum(len(each.partitions) for each in first.responses) == len(topics)
        session = first.session_id
        assert ask({}, session, 1).responses == []
        assert ask({}, session, 7).error_code == INVALID_SESSION_EPOCH
        again = ask({TOPIC: [at(END - 1)]}, session, 2)
        assert [offsets(each.records) for topic in again.responses for each in topic.partitions] == [[END - BATCH_RECORDS]]
        forgotten = m.FetchRequest.ForgottenTopic(topic_id=world.ids[TOPIC], partitions=[0])
        assert ask({}, session, 3, forgotten_topics_data=[forgotten]).responses == []
        assert ask({}, session + 1, 4).error_code == SESSION_NOT_FOUND
        closed = ask({TOPIC: [at(0)]}, session, -1)
        assert (closed.error_code, closed.session_id) == (NONE, 0)
        assert ask({}, session, 4).error_code == SESSION_NOT_FOUND


def test_a_session_tells_of_an_error_as_long_as_it_lasts(world: World) -> None:
    with world.connect() as connection:
        made = request(world, {TOPIC: [at(END + 9)]}, 17, session_id=0, session_epoch=0)
        first = connection.call(made, m.FetchResponse, highest=17)
        for epoch in (1, 2):
            made = request(world, {}, 17, session_id=first.session_id, session_epoch=epoch)
            answer = connection.call(made, m.FetchResponse, highest=17)
            assert [each.error_code for topic in answer.responses for each in topic.partitions] == [OFFSET_OUT_OF_RANGE]


def test_a_consumer_may_not_act_as_a_follower_that_does_not_exist(world: World) -> None:
    """A replica id that is none of the partition's replicas reads nothing: it would see what is not committed yet."""
    state = m.FetchRequest.ReplicaState(replica_id=77, replica_epoch=1)
    for partition, error in ((at(0), NOT_LEADER), (at(0, current_leader_epoch=0), UNKNOWN_EPOCH)):
        asked = request(world, {TOPIC: [partition]}, 17, session_id=0, session_epoch=-1, replica_state=state)
        with world.connect() as connection:
            answer = connection.call(asked, m.FetchResponse, highest=17)
        found = answer.responses[0].partitions[0]
        assert (found.error_code, found.records or b"") == (error, b"")
