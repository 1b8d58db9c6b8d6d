"""A follower's fetcher: which answers count, and when it asks again."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.logs import batch, fill, new_disk, new_log

from holdwater.broker.broker import Broker
from holdwater.broker.durability import LogSyncs
from holdwater.broker.fetcher import Fetchers
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timers
from holdwater.core.replica import FollowerReplica
from holdwater.kernel.buggify import never
from holdwater.kernel.configs.durability import FSYNC, INTERVAL, Durability
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import TopicPartition
from holdwater.kernel.ports import DiskFailure
from holdwater.sim.disk import Fault
from holdwater.wire.messages import FetchRequest, FetchResponse, ListOffsetsResponse

TOPIC_ID = bytes(15) + b"\x07"
LEADER = 2


class FakeLink:
    """Keeps what is asked of the leader."""

    on_down: Any = SimpleNamespace()

    def __init__(self, synced_end: Callable[[], int]) -> None:
        self.asked: list[tuple[Any, Any]] = []
        self.told: list[tuple[int, int]] = []
        """Fetch offset of the first partition in each request that names one, and how far its log was synced when it left."""
        self._synced_end = synced_end

    def request(self, request: Any, version: int, response_class: Any, timeout_ms: int, on_reply: Any) -> None:
        del version, response_class, timeout_ms
        self.asked.append((request, on_reply))
        if isinstance(request, FetchRequest) and request.topics:
            self.told.append((request.topics[0].partitions[0].fetch_offset, self._synced_end()))


class World:
    """One follower of one partition."""

    def __init__(self, durability: Durability | None = None) -> None:
        self.link = FakeLink(lambda: self.partition.log.synced_end_offset)
        self.disk = new_disk()
        texts = {"replica.fetch.wait.max.ms": 500, "replica.fetch.backoff.ms": 1000}
        self.broker = SimpleNamespace(
            mono_ms=1000,
            wall_ms=1000,
            node_id=1,
            timers=Timers(),
            config=SimpleNamespace(int=lambda key: texts.get(key, 1 << 20)),  # pyright: ignore[reportUnknownLambdaType]
            inter_broker_endpoint=lambda _: SimpleNamespace(host="h", port=1),  # pyright: ignore[reportUnknownLambdaType]
            links=SimpleNamespace(to=lambda *_: self.link),  # pyright: ignore[reportUnknownLambdaType]
            lifecycle=SimpleNamespace(broker_epoch=7),
            buggify=never,
            stop_requested=None,
            disk_failed=self._disk_failed,
            note=lambda _: None,  # pyright: ignore[reportUnknownLambdaType]
        )
        self.broker.replicas = SimpleNamespace(syncs=LogSyncs(cast(Broker, self.broker)))
        self.fetchers = Fetchers(cast(Broker, self.broker))
        self.partition = HostedPartition(TopicPartition("t", 0), TOPIC_ID, new_log(self.disk), {})
        self.partition.durability = durability
        self.goes_on = False
        """Whether the broker goes on without a directory that failed."""

    def _disk_failed(self, failure: DiskFailure) -> None:
        if self.goes_on:
            self.fetchers.unfollow(self.partition)
            self.partition.replica = None
        else:
            self.broker.stop_requested = str(failure)

    def follow(self, leader_epoch: int) -> None:
        """Begin to follow in a leader epoch."""
        self.fetchers.unfollow(self.partition)
        self.partition.replica = FollowerReplica(
            log=self.partition.log, leader_id=LEADER, leader_epoch=leader_epoch, partition_epoch=leader_epoch, high_watermark=0
        )
        self.fetchers.follow(self.partition, LEADER)
        self.broker.timers.run(self.broker.mono_ms)

    def answer(self, *, error: int = 0, records: bytes = b"") -> None:
        """Answer the last fetch."""
        data = FetchResponse.PartitionData(partition_index=0, error_code=error, high_watermark=0, log_start_offset=0, records=records)
        topic = FetchResponse.FetchableTopicResponse(topic_id=TOPIC_ID, partitions=[data])
        self.link.asked[-1][1](FetchResponse(session_id=5, responses=[topic]))


def test_an_answer_to_a_fetch_of_an_earlier_role_is_not_appended() -> None:
    world = World()
    world.follow(1)
    world.follow(3)
    world.answer(records=batch("of epoch 1", leader_epoch=1))
    assert world.partition.log.log_end_offset == 0
    asked = world.link.asked[-1][0].topics[0].partitions[0]
    assert (asked.current_leader_epoch, asked.fetch_offset) == (3, 0)


def test_a_refusal_of_an_earlier_role_does_not_delay_the_present_one() -> None:
    world = World()
    world.follow(1)
    world.follow(2)
    world.answer(error=ErrorCode.FENCED_LEADER_EPOCH)
    assert [request.topics[0].partitions[0].current_leader_epoch for request, _ in world.link.asked] == [1, 2]


def test_a_partition_whose_position_is_looked_for_is_not_fetched_meanwhile() -> None:
    """Its leader's session would refuse the same position again, at once, as often as it is asked."""
    world = World()
    world.follow(1)
    world.answer(error=ErrorCode.OFFSET_OUT_OF_RANGE)
    assert [type(request).__name__ for request, _ in world.link.asked] == ["FetchRequest", "ListOffsetsRequest"]


def test_a_log_that_starts_beyond_its_leaders_end_follows_from_that_end() -> None:
    """After an unclean election of a replica that had not got as far as records were deleted. It asked the same, over and over."""
    world = World()
    log = world.partition.log
    fill(log, *([1] * 5))
    log.advance_log_start(5)
    world.follow(1)
    world.answer(error=ErrorCode.OFFSET_OUT_OF_RANGE)
    request, on_reply = world.link.asked[-1]
    asked = request.topics[0].partitions[0]
    found = ListOffsetsResponse.ListOffsetsPartitionResponse(partition_index=0, timestamp=-1, offset=2)
    on_reply(ListOffsetsResponse(topics=[ListOffsetsResponse.ListOffsetsTopicResponse(name="t", partitions=[found])]))
    world.broker.timers.run(world.broker.mono_ms)
    fetch = world.link.asked[-1][0].topics[0].partitions[0]
    assert (asked.timestamp, fetch.fetch_offset, fetch.log_start_offset) == (-1, 2, 2)


def test_a_fetch_waits_no_longer_than_until_a_refused_partition_may_be_asked_for_again() -> None:
    world = World()
    other = HostedPartition(TopicPartition("t", 1), TOPIC_ID, new_log(), {})
    other.replica = FollowerReplica(log=other.log, leader_id=LEADER, leader_epoch=1, partition_epoch=1, high_watermark=0)
    world.fetchers.follow(other, LEADER)
    world.follow(1)
    world.answer(error=ErrorCode.NOT_LEADER_OR_FOLLOWER)
    assert [request.max_wait_ms for request, _ in world.link.asked] == [500, 100]


def test_at_level_fsync_a_fetch_acknowledges_only_what_is_synced() -> None:
    world = World(Durability(FSYNC, 1, None))
    world.follow(1)
    world.answer(records=batch("a", "b", leader_epoch=1))
    assert world.link.told == [(0, 0), (2, 2)]


def test_at_level_fsync_one_answer_costs_one_sync() -> None:
    world = World(Durability(FSYNC, 1, None))
    world.follow(1)
    synced: list[str] = []

    def on_operation(operation: Any) -> None:
        if operation.name == "sync" and operation.path.endswith(".log"):
            synced.append(operation.path)

    world.disk.on_operation = on_operation
    world.answer(records=batch("a", leader_epoch=1) + batch("b", leader_epoch=1, base_offset=1))
    world.broker.replicas.syncs.settle()
    assert len(synced) == 1
    world.answer()
    assert len(synced) == 1


def test_at_level_fsync_the_first_fetch_of_a_process_acknowledges_nothing_that_the_last_one_has_not_synced() -> None:
    world = World(Durability(FSYNC, 1, None))
    fill(world.partition.log, 3, epoch=1)
    world.follow(1)
    assert world.link.told == [(3, 3)]


@pytest.mark.parametrize("durability", [None, Durability(INTERVAL, 3, 100)])
def test_at_other_levels_a_fetch_waits_for_no_disk(durability: Durability | None) -> None:
    world = World(durability)
    world.follow(1)
    world.answer(records=batch("a", "b", leader_epoch=1))
    assert world.link.told == [(0, 0), (2, 0)]


def test_with_flush_messages_1_a_follower_flushes_before_it_acknowledges() -> None:
    world = World(Durability(INTERVAL, 1, None))
    world.follow(1)
    world.answer(records=batch("a", leader_epoch=1))
    assert world.link.told == [(0, 0), (1, 1)]


def test_a_follower_at_level_interval_syncs_by_the_clock() -> None:
    world = World(Durability(INTERVAL, 1000, 100))
    world.follow(1)
    world.answer(records=batch("a", leader_epoch=1))
    world.broker.replicas.syncs.settle()
    world.broker.timers.run(1099)
    assert world.partition.log.synced_end_offset == 0
    world.broker.timers.run(1100)
    assert world.partition.log.synced_end_offset == 1


def test_a_follower_at_level_interval_syncs_what_came_before_a_damaged_batch() -> None:
    world = World(Durability(INTERVAL, 1000, 100))
    world.follow(1)
    damaged = batch("b", leader_epoch=1, base_offset=1)
    world.answer(records=batch("a", leader_epoch=1) + damaged[:-1] + bytes([damaged[-1] ^ 1]))
    assert world.partition.log.log_end_offset == 1
    world.broker.replicas.syncs.settle()
    world.broker.timers.run(1100)
    assert world.partition.log.synced_end_offset == 1


@pytest.mark.parametrize("goes_on", [False, True])
def test_what_could_not_be_synced_is_not_acknowledged(goes_on: bool) -> None:
    """Neither by a node that is about to stop, nor by one that goes on with another directory and with the partitions that are there."""
    world = World(Durability(FSYNC, 1, None))
    world.goes_on = goes_on
    other = HostedPartition(TopicPartition("t", 1), TOPIC_ID, new_log(), {})
    world.follow(1)
    world.disk.on_operation = lambda operation: Fault.IO_ERROR if operation.name == "sync" else None
    other.replica = FollowerReplica(log=other.log, leader_id=LEADER, leader_epoch=1, partition_epoch=1, high_watermark=0)
    world.fetchers.follow(other, LEADER)
    world.answer(records=batch("a", leader_epoch=1))
    assert world.partition.log.log_end_offset == 1
    named = [[each.partition for topic in request.topics for each in topic.partitions] for request, _ in world.link.asked]
    assert named == ([[0], [1]] if goes_on else [[0]])
