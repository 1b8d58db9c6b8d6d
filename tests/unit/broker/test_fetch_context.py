"""What a fetch session remembers of its partitions."""

from types import SimpleNamespace
from typing import Any, cast

from tests.support.logs import batch, new_log

from holdwater.broker.broker import Broker
from holdwater.broker.connection import Call, Connection
from holdwater.broker.fetch_context import SessionCache, end_of_epoch
from holdwater.broker.handlers import fetch
from holdwater.broker.partitions import HostedPartition
from holdwater.broker.timers import Timers
from holdwater.core.replica import LeaderReplica
from holdwater.kernel.buggify import never
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import METADATA_TOPIC_ID, TopicPartition
from holdwater.wire.codec import decode
from holdwater.wire.messages import FetchRequest, FetchResponse
from holdwater.wire.records import parse_header

VERSION = 17
TOPIC_ID = bytes(15) + b"\x07"


class World:
    """A broker that hosts what ``host`` says, and one consumer's connection to it."""

    def __init__(self) -> None:
        self.hosted: dict[tuple[bytes, int], HostedPartition] = {}
        self.written: list[bytes] = []
        ids = iter(range(1, 1000))
        replicas = SimpleNamespace(
            by_id=lambda topic_id, index: self.hosted.get((topic_id, index)),  # pyright: ignore[reportUnknownLambdaType]
            why_missing=lambda *_: int(ErrorCode.NOT_LEADER_OR_FOLLOWER),  # pyright: ignore[reportUnknownLambdaType]
        )
        self.broker = cast(
            Broker,
            SimpleNamespace(
                mono_ms=1000,
                timers=Timers(),
                replicas=replicas,
                fetch_sessions=SessionCache(10, lambda: next(ids)),
                fetch_max_bytes=1 << 20,
                buggify=never,
                is_controller_listener=lambda _: False,  # pyright: ignore[reportUnknownLambdaType]
                endpoint_for=lambda *_: None,  # pyright: ignore[reportUnknownLambdaType]
                image=SimpleNamespace(topic_ids={}, partition=lambda *_: None),  # pyright: ignore[reportUnknownLambdaType]
            ),
        )
        transport = SimpleNamespace(write=lambda _, parts: self.written.append(b"".join(parts)))  # pyright: ignore[reportUnknownLambdaType]
        self.connection = Connection(1, "PLAINTEXT", "nowhere", cast(Any, transport), lambda _: None)
        self.wake: dict[Any, None] = {}

    def host(self, index: int, *values: str) -> HostedPartition:
        """Lead a partition, alone, with one batch."""
        log = new_log()
        partition = self.hosted[(TOPIC_ID, index)] = HostedPartition(TopicPartition("t", index), TOPIC_ID, log, self.wake)
        replica = partition.replica = LeaderReplica(
            broker_id=1, log=log, leader_epoch=0, partition_epoch=0, replicas=(1,), isr=(1,), min_isr=1,
            high_watermark=0, live_brokers={1: 1}, mono_ms=0,
        )  # fmt: skip
        if values:
            data = batch(*values)
            replica.append(data, parse_header(data), -1, 1000)
            replica.advance_high_watermark(1000, 0)
        return partition

    def fetch(
        self,
        session: int,
        epoch: int,
        offsets: dict[int, int],
        *,
        max_bytes: int = 1 << 20,
        wait_ms: int = 0,
        last_epoch: int = -1,
        leader_epoch: int = -1,
    ) -> FetchResponse | None:
        """Fetch from the named partitions; the answer if there is one."""
        asked = [
            FetchRequest.FetchPartition(
                partition=i, fetch_offset=at, current_leader_epoch=leader_epoch, last_fetched_epoch=last_epoch, partition_max_bytes=1 << 30
            )
            for i, at in offsets.items()
        ]
        request = FetchRequest(
            max_wait_ms=wait_ms, min_bytes=1, max_bytes=max_bytes, session_id=session, session_epoch=epoch,
            topics=[FetchRequest.FetchTopic(topic_id=TOPIC_ID, partitions=asked)] if asked else [],
        )  # fmt: skip
        before = len(self.written)
        fetch.handle(self.broker, Call(self.connection, 1, VERSION, 1, None), request)
        return decode(FetchResponse, VERSION, self.written[-1], 9) if len(self.written) > before else None


def test_a_client_is_no_voter_of_the_metadata_quorum() -> None:
    world = World()
    asked = FetchRequest.FetchTopic(topic_id=METADATA_TOPIC_ID, partitions=[FetchRequest.FetchPartition(partition=0, fetch_offset=10**9)])
    state = FetchRequest.ReplicaState(replica_id=2, replica_epoch=1)
    request = FetchRequest(session_epoch=-1, max_bytes=1, replica_state=state, topics=[asked])
    world.broker.suspects = cast(Any, SimpleNamespace(any=lambda: False))  # pyright: ignore[reportUnknownLambdaType]
    fetch.handle(world.broker, Call(world.connection, 1, VERSION, 1, None), request)
    assert given(decode(FetchResponse, VERSION, world.written[-1], 9)) == {0: (ErrorCode.NOT_LEADER_OR_FOLLOWER, False)}


def given(response: FetchResponse | None) -> dict[int, tuple[int, bool]]:
    """Error and whether there are records, by partition."""
    assert response is not None
    return {p.partition_index: (p.error_code, bool(p.records)) for topic in response.responses for p in topic.partitions}


def test_a_partition_whose_batch_found_no_room_comes_with_the_next_answer() -> None:
    world = World()
    world.host(0, "a" * 400)
    world.host(1, "b" * 400)
    first = world.fetch(0, 0, {0: 0, 1: 0}, max_bytes=600)
    assert given(first) == {0: (0, True), 1: (0, False)}
    assert first is not None
    second = world.fetch(first.session_id, 1, {0: 1}, max_bytes=600)
    assert given(second)[1] == (0, True)


def test_a_partition_that_was_not_here_yet_is_found_without_being_named_again() -> None:
    world = World()
    first = world.fetch(0, 0, {0: 0})
    assert given(first) == {0: (ErrorCode.NOT_LEADER_OR_FOLLOWER, False)}
    assert first is not None
    world.host(0, "a")
    assert given(world.fetch(first.session_id, 1, {})) == {0: (0, True)}


def test_a_fetch_whose_connection_closes_is_not_kept_until_its_time_is_up() -> None:
    world = World()
    partition = world.host(0)
    assert world.fetch(0, -1, {0: 0}, wait_ms=2**31 - 1) is None
    assert partition.consumer_items
    world.connection.closed = True
    for callback in list(world.connection.on_close.values()):
        callback()
    assert not partition.consumer_items
    assert world.broker.timers.next_due() > 2**32


def test_an_answer_is_no_larger_than_the_broker_allows() -> None:
    world = World()
    partition = world.host(0)
    replica = partition.leader()
    assert replica is not None
    for _ in range(3):
        data = batch("c" * 500_000)
        replica.append(data, parse_header(data), -1, 1000)
    replica.advance_high_watermark(1000, 0)
    answer = world.fetch(0, -1, {0: 0}, max_bytes=2**31 - 1)
    assert answer is not None
    assert len(answer.responses[0].partitions[0].records or b"") < 1 << 20


def test_who_was_told_to_cut_its_log_is_told_the_high_watermark_with_the_next_answer() -> None:
    """It took nothing but the cut from the answer, and an idle partition has no other news (found by simulation)."""
    world = World()
    world.host(0, "a")
    first = world.fetch(0, 0, {0: 1}, last_epoch=3)
    assert first is not None
    cut = first.responses[0].partitions[0]
    assert (cut.diverging_epoch, cut.high_watermark) == (FetchResponse.EpochEndOffset(epoch=0, end_offset=1), 1)
    second = world.fetch(first.session_id, 1, {0: 1}, last_epoch=0)
    assert second is not None
    assert [(data.partition_index, data.high_watermark) for topic in second.responses for data in topic.partitions] == [(0, 1)]
    third = world.fetch(first.session_id, 2, {0: 1}, last_epoch=0)
    assert third is not None
    assert not third.responses


def test_who_was_refused_is_told_the_high_watermark_with_the_next_answer() -> None:
    """It takes nothing from a refusal, and goes where the leader's log ends, where an idle partition has no other news."""
    world = World()
    world.host(0, "a")
    first = world.fetch(0, 0, {0: 5})
    assert given(first) == {0: (ErrorCode.OFFSET_OUT_OF_RANGE, False)}
    assert first is not None
    second = world.fetch(first.session_id, 1, {0: 1})
    assert second is not None
    assert [(data.partition_index, data.high_watermark) for topic in second.responses for data in topic.partitions] == [(0, 1)]


def test_who_follows_in_another_leader_epoch_is_told_the_high_watermark_again() -> None:
    """It passed over an answer that came to its former role, and an idle partition has no other news. Seed 213657."""
    world = World()
    replica = world.host(0, "a").leader()
    assert replica is not None
    first = world.fetch(0, 0, {0: 1})
    assert first is not None
    replica.leader_epoch = 2
    second = world.fetch(first.session_id, 1, {0: 1}, leader_epoch=2)
    assert second is not None
    assert [(data.partition_index, data.high_watermark) for topic in second.responses for data in topic.partitions] == [(0, 1)]
    third = world.fetch(first.session_id, 2, {0: 1}, leader_epoch=2)
    assert third is not None
    assert not third.responses


def test_an_unknown_leader_epoch_ended_where_the_first_known_one_starts_not_at_an_older_log_start() -> None:
    """After a crash the log start was that of before a DeleteRecords whose epochs were forgotten (found by simulation)."""
    log = new_log()
    for epoch in (4, 5):
        header = parse_header(data := batch(f"v{epoch}"))
        log.append_as_leader(data, header, epoch, 1000)
    log._epochs.start_at(1)  # the epoch file of a log whose start was at 1 when the process ended
    log._epochs.drop_from(0)
    log.assign_epoch(6)
    assert (log.log_start_offset, log.first_epoch_start) == (0, 2)
    assert end_of_epoch(log, 5).end_offset == 2
    assert end_of_epoch(new_log(), 5).end_offset == 0
