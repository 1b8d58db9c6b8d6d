"""When a broker syncs a log at each level of durability, and what waits for that. The broker is a whole one, on a simulated machine."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.logs import batch, produced

from holdwater.broker.broker import Broker
from holdwater.broker.connection import Call, Connection
from holdwater.broker.handlers import fetch, produce
from holdwater.broker.partitions import HostedPartition
from holdwater.core.metadata.changes import ImageChanges, PartitionChange
from holdwater.core.replica import FollowerReplica, LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import Settings, SimCluster
from holdwater.sim.disk import Fault, Operation
from holdwater.sim.workload import TOPIC, Workload
from holdwater.wire.codec import decode
from holdwater.wire.codec.frames import encode_request
from holdwater.wire.messages import (
    DeleteTopicsRequest,
    FetchRequest,
    IncrementalAlterConfigsRequest,
    ProduceRequest,
    ProduceResponse,
)

VERSION = 13
FSYNC = {"holdwater.durable.acks": "true"}
PAGE_CACHE: dict[str, str] = {}
QUIET = {"metadata.max.idle.interval.ms": "0"}


class World:
    """One broker that leads one partition, and a connection to it. Nothing is settled before ``settle``."""

    def __init__(
        self, topic: Mapping[str, str], broker: Mapping[str, str] | None = None, *, log_dir_count: int = 1, partitions: int = 1
    ) -> None:
        self.cluster = SimCluster(1, Settings(brokers=1, broker={**QUIET, **(broker or {})}, log_dir_count=log_dir_count))
        self.node = self.cluster.nodes[1]
        self.cluster.start()
        self.cluster.until("the broker is unfenced", self.cluster.all_unfenced, 5_000)
        Workload(self.cluster, Rng(1), partitions=partitions, producers=0, consumers=0, texts=topic).begin()
        self.cluster.run(200)
        self.written: list[bytes] = []
        self.connection = self._connect()
        self.synced: list[str] = []
        self.fail_next_sync: Fault | None = None
        self.node.disk.on_operation = self._on_operation

    def _connect(self) -> Connection:
        transport = SimpleNamespace(write=lambda _, parts: self.written.append(b"".join(parts)))  # pyright: ignore[reportUnknownLambdaType]
        return Connection(10**6, "PLAINTEXT", "nowhere", cast(Any, transport), lambda _: None)

    def kill_and_start(self) -> None:
        """Another process on the same machine, which leads again."""
        self.node.kill()
        self.node.start()
        self.cluster.until("it leads again", lambda: self.cluster.leader_of(TOPIC, 0) == 1, 5_000)
        self.connection = self._connect()

    def _on_operation(self, operation: Operation) -> Fault | None:
        if operation.name == "sync" and operation.path.endswith(".log") and TOPIC in operation.path:
            self.synced.append(operation.path)
            return self.fail_next_sync
        return None

    @property
    def broker(self) -> Broker:
        assert self.node.broker is not None
        return self.node.broker

    @property
    def partition(self) -> HostedPartition:
        found = self.broker.replicas.by_name(TOPIC, 0)
        assert found is not None
        return found

    @property
    def leader(self) -> LeaderReplica:
        replica = self.partition.replica
        assert isinstance(replica, LeaderReplica)
        return replica

    @property
    def ends(self) -> tuple[int, int, int]:
        """Log end offset, synced end offset, high watermark."""
        log = self.partition.log
        return log.log_end_offset, log.synced_end_offset, self.leader.high_watermark

    def produce(self, acks: int, data: bytes | None = None, *, indexes: tuple[int, ...] = (0,)) -> None:
        """One batch of one record, unless it is given, to each of some partitions."""
        structs = [ProduceRequest.PartitionProduceData(index=index, records=data or batch("v")) for index in indexes]
        topic = ProduceRequest.TopicProduceData(topic_id=self.partition.topic_id, partition_data=structs)
        request = ProduceRequest(acks=acks, timeout_ms=1_000, topic_data=[topic])
        produce.handle(self.broker, Call(self.connection, 0, VERSION, 1, None), request)

    def fetch(self) -> None:
        """A consumer asks for what comes next, on a connection of its own."""
        asked = FetchRequest.FetchPartition(partition=0, fetch_offset=self.leader.high_watermark, partition_max_bytes=1 << 20)
        topic = FetchRequest.FetchTopic(topic_id=self.partition.topic_id, partitions=[asked])
        request = FetchRequest(max_wait_ms=10_000, min_bytes=1, max_bytes=1 << 20, session_epoch=-1, topics=[topic])
        fetch.handle(self.broker, Call(self._connect(), 1, 17, 1, None), request)

    def settle(self) -> None:
        """The wake is over."""
        self.broker.flush()

    def wait(self, duration_ms: int) -> None:
        """Let time pass for the broker alone, a millisecond at a time."""
        for _ in range(duration_ms):
            self.broker.clocks(self.broker.mono_ms + 1, self.broker.wall_ms + 1)
            self.broker.tick()
            self.broker.flush()

    def answers(self) -> list[tuple[int, int]]:
        """Error and base offset of the first partition of every answer so far."""
        return [(answer[0].error_code, answer[0].base_offset) for answer in decoded(self.written)]


def decoded(written: list[bytes]) -> list[list[ProduceResponse.PartitionProduceResponse]]:
    """Every partition of every answer; ``written`` may hold several behind each other."""
    found: list[list[ProduceResponse.PartitionProduceResponse]] = []
    for data in written:
        while data:
            length = int.from_bytes(data[:4], "big") + 4
            found.append(decode(ProduceResponse, VERSION, data[:length], 9).responses[0].partition_responses)
            data = data[length:]
    return found


def follow_and_lead_again(world: World) -> None:
    """Another broker leads for a moment and commits what is here; then this one does, alone in the ISR of two replicas."""
    image, partition = world.broker.image, world.partition
    old = image.partition(partition.topic_id, 0)
    assert old is not None
    epoch = old.leader_epoch
    replicas = old._replace(replicas=(1, 2), directories=(*old.directories, bytes(16)))
    change = PartitionChange(TOPIC, partition.topic_id, 0, old, replicas._replace(leader=2, leader_epoch=epoch + 1, isr=(1, 2)))
    world.broker.replicas.react(image, ImageChanges(partitions=[change]))
    follower = partition.replica
    assert isinstance(follower, FollowerReplica)
    follower.append(b"", partition.log.log_end_offset, 0, world.broker.wall_ms)
    change = change._replace(new=replicas._replace(leader=1, leader_epoch=epoch + 2, isr=(1,), partition_epoch=old.partition_epoch + 2))
    world.broker.replicas.react(image, ImageChanges(partitions=[change]))


class TestFsync:
    @pytest.mark.parametrize("acks", [1, -1])
    def test_nothing_is_answered_or_committed_before_it_is_synced(self, acks: int) -> None:
        world = World(FSYNC)
        world.produce(acks)
        assert world.answers() == []
        assert world.ends == (1, 0, 0)
        world.settle()
        assert world.answers() == [(0, 0)]
        assert world.ends == (1, 1, 1)

    def test_consumers_that_wait_are_told_once_it_is_synced(self) -> None:
        world = World(FSYNC)
        world.fetch()
        world.produce(-1)
        assert world.written == []
        world.settle()
        assert len(world.written) == 2, "the write's answer, and the consumer's"

    def test_acks_0_waits_for_nothing_and_is_synced_all_the_same(self) -> None:
        world = World(FSYNC)
        world.produce(0)
        assert not world.connection.slots
        world.settle()
        assert world.ends == (1, 1, 1)

    def test_one_sync_covers_all_that_a_wake_appended(self) -> None:
        world = World(FSYNC)
        world.settle()
        world.synced.clear()
        for acks in (1, -1, 0, 1, -1):
            world.produce(acks)
        world.settle()
        assert len(world.synced) == 1
        assert world.ends == (5, 5, 5)
        assert world.answers() == [(0, 0), (0, 1), (0, 3), (0, 4)]
        world.settle()
        assert len(world.synced) == 1

    @pytest.mark.parametrize("acks", [1, -1])
    def test_a_retry_waits_for_the_disk_as_its_original_does(self, acks: int) -> None:
        world = World(FSYNC)
        world.produce(acks, produced(7, 0, "v"))
        world.produce(acks, produced(7, 0, "v"))
        assert world.answers() == []
        world.settle()
        assert world.answers() == [(0, 0), (0, 0)]
        world.produce(acks, produced(7, 0, "v"))
        assert world.answers() == [(0, 0)] * 3, "what is synced and committed is answered at once"

    @pytest.mark.parametrize("acks", [1, -1])
    @pytest.mark.parametrize("fault", [Fault.IO_ERROR, Fault.FULL])
    def test_what_a_failed_sync_covered_is_never_acknowledged(self, acks: int, fault: Fault) -> None:
        world = World(FSYNC)
        world.produce(acks)
        world.fail_next_sync = fault
        world.settle()
        world.fail_next_sync = None
        assert world.broker.stop_requested is not None
        world.settle()
        assert world.answers() == []
        assert world.ends == (1, 0, 0)

    @pytest.mark.parametrize("acks", [1, -1])
    def test_a_node_that_is_about_to_stop_for_its_disk_acknowledges_nothing_more(self, acks: int) -> None:
        world = World(FSYNC, partitions=2)
        world.produce(acks, indexes=(0,))
        world.produce(acks, indexes=(1,))
        world.fail_next_sync = Fault.IO_ERROR
        world.settle()
        assert len(world.synced) == 1
        assert world.answers() == []

    @pytest.mark.parametrize("acks", [1, -1])
    def test_a_failed_sync_takes_its_directory_offline_and_its_writers_are_told(self, acks: int) -> None:
        world = World(FSYNC, log_dir_count=2)
        assert world.node.config.log_dirs[1] in str(world.broker.replicas.logs.directory_path(world.partition.topic_partition))
        world.produce(acks)
        world.fail_next_sync = Fault.IO_ERROR
        world.settle()
        assert world.broker.stop_requested is None
        assert world.answers() == [(ErrorCode.KAFKA_STORAGE_ERROR, -1)]
        assert world.partition.replica is None
        world.produce(acks)
        assert world.answers()[-1] == (ErrorCode.KAFKA_STORAGE_ERROR, -1)

    @pytest.mark.parametrize("acks", [1, -1])
    def test_a_write_is_told_at_once_when_another_of_its_request_takes_their_directory_offline(self, acks: int) -> None:
        world = World(FSYNC, log_dir_count=2, partitions=4)
        manager, shared = world.broker.replicas, world.node.config.log_dirs[1]
        here = [each for each in manager.hosted() if manager.logs.directory_path(each.topic_partition) == shared]
        first, second = (each.topic_partition.partition for each in here[:2])
        world.node.disk.on_operation = lambda operation: (
            Fault.IO_ERROR if operation.name == "append" and f"{TOPIC}-{second}/" in operation.path else None
        )
        world.produce(acks, indexes=(first, second))
        assert world.broker.stop_requested is None
        (answer,) = decoded(world.written)
        assert [(each.error_code, each.base_offset) for each in answer] == [(ErrorCode.KAFKA_STORAGE_ERROR, -1)] * 2

    def test_who_begins_to_lead_has_synced_what_is_committed_though_too_few_are_in_sync(self) -> None:
        world = World({**FSYNC, "min.insync.replicas": "2"})
        world.produce(-1)
        follow_and_lead_again(world)
        assert world.ends == (1, 1, 1)

    def test_who_can_not_sync_does_not_begin_to_lead(self) -> None:
        world = World(FSYNC, log_dir_count=2)
        world.produce(-1)
        world.fail_next_sync = Fault.IO_ERROR
        follow_and_lead_again(world)
        assert world.partition.replica is None
        assert world.partition.failure is not None

    def test_who_begins_to_lead_syncs_what_a_killed_process_left(self) -> None:
        world = World(FSYNC)
        world.produce(-1, produced(7, 0, "v"))
        world.kill_and_start()
        assert world.ends == (1, 1, 1)
        world.produce(-1, produced(7, 0, "v"))
        assert world.answers() == [(0, 0)]

    def test_a_brokers_key_gives_topics_their_level_and_a_topic_may_say_otherwise(self) -> None:
        assert World(PAGE_CACHE, FSYNC).partition.is_fsync
        assert not World({"holdwater.durable.acks": "false"}, FSYNC).partition.is_fsync


class TestPageCache:
    @pytest.mark.parametrize("acks", [1, -1])
    def test_nothing_waits_for_the_disk_and_nothing_is_synced(self, acks: int) -> None:
        world = World(PAGE_CACHE)
        world.produce(acks)
        assert world.answers() == [(0, 0)]
        world.settle()
        world.wait(500)
        assert world.synced == []


class TestInterval:
    def test_a_log_is_synced_once_so_many_records_are_unsynced(self) -> None:
        world = World({"flush.messages": "3"})
        for count in (1, 2):
            world.produce(1)
            assert len(world.answers()) == count, "nothing waits"
            world.settle()
        assert world.ends == (2, 0, 2)
        world.produce(1)
        world.settle()
        assert world.ends == (3, 3, 3)
        world.produce(1)
        world.settle()
        assert world.ends == (4, 3, 4)

    def test_a_log_is_synced_once_its_oldest_unsynced_record_has_waited_so_long(self) -> None:
        world = World({"flush.ms": "100"})
        world.produce(1)
        world.settle()
        world.wait(60)
        world.produce(1)
        world.settle()
        assert world.ends == (2, 0, 2)
        world.wait(60)
        assert world.ends == (2, 2, 2)
        world.produce(1)
        world.settle()
        world.wait(80)
        assert world.ends == (3, 2, 3)

    def test_a_sync_by_count_starts_the_clock_anew(self) -> None:
        world = World({"flush.ms": "100", "flush.messages": "2"})
        world.produce(1)
        world.settle()
        world.wait(60)
        world.produce(1)
        world.settle()
        world.produce(1)
        world.settle()
        world.wait(60)
        assert world.ends == (3, 2, 3)
        world.wait(60)
        assert world.ends == (3, 3, 3)

    def test_what_a_killed_process_left_is_synced_by_the_next(self) -> None:
        world = World({"flush.ms": "300"})
        world.produce(1)
        world.kill_and_start()
        assert world.ends == (1, 1, 1)

    def test_a_partition_that_is_deleted_meanwhile_is_left_alone(self) -> None:
        world = World({"flush.ms": "300"})
        log = world.partition.log
        world.produce(1)
        world.settle()
        ask(world, DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=TOPIC)], timeout_ms=1_000), 6)
        world.wait(10)
        assert world.broker.replicas.by_name(TOPIC, 0) is None
        world.wait(400)
        assert world.broker.stop_requested is None
        assert log.synced_end_offset == 0

    def test_checkpoints_without_a_pause_are_a_millisecond_apart(self) -> None:
        world = World({"flush.messages": "1"}, {"log.flush.offset.checkpoint.interval.ms": "0"})
        before = world.cluster.scheduler.event_count
        world.cluster.run(1_000)
        assert world.cluster.scheduler.event_count - before < 3_000

    def test_the_recovery_point_follows(self) -> None:
        world = World({"flush.messages": "1"}, {"log.flush.offset.checkpoint.interval.ms": "500"})
        world.produce(1)
        world.settle()
        world.wait(600)
        assert f"{TOPIC} 0 1\n".encode() in world.node.disk.read_file(f"{world.node.config.log_dirs[0]}/recovery-point-offset-checkpoint")


class TestChanges:
    """Of a topic's level, while its partition is led."""

    def change(self, world: World, **texts: str) -> None:
        given = {key.replace("_", "."): text for key, text in texts.items()}
        world.broker.replicas.syncs.configure(world.partition, {**world.broker.topic_texts(world.broker.image, TOPIC), **given})

    def test_to_fsync_makes_what_is_there_durable_first(self) -> None:
        world = World(PAGE_CACHE)
        world.produce(1)
        self.change(world, holdwater_durable_acks="true")
        assert world.ends == (1, 1, 1)
        world.produce(1)
        assert len(world.answers()) == 1
        assert world.ends == (2, 1, 1)

    def test_from_fsync_lets_nobody_wait(self) -> None:
        world = World(FSYNC)
        world.produce(1)
        world.produce(-1)
        self.change(world, holdwater_durable_acks="false")
        assert world.answers() == [(0, 0), (0, 1)]
        assert world.ends == (2, 2, 2)
        world.produce(-1)
        assert world.answers()[2:] == [(0, 2)]

    def test_a_shorter_interval_counts_at_once(self) -> None:
        world = World({"flush.ms": "100000"})
        world.produce(1)
        world.settle()
        self.change(world, flush_ms="50")
        world.settle()
        world.wait(100)
        assert world.ends == (1, 1, 1)

    def test_the_metadata_bring_it(self) -> None:
        world = World(PAGE_CACHE)
        world.produce(1)
        request_class = IncrementalAlterConfigsRequest
        change = request_class.AlterableConfig(name="holdwater.durable.acks", config_operation=0, value="true")
        resource = request_class.AlterConfigsResource(resource_type=2, resource_name=TOPIC, configs=[change])
        ask(world, request_class(resources=[resource], validate_only=False), 1)
        world.wait(10)
        assert world.partition.is_fsync
        assert world.ends == (1, 1, 1)
        assert world.leader.counts_synced


def ask(world: World, request: Any, version: int) -> None:
    """Send a request as a client does; its answer is not looked at."""
    frame = encode_request(request, version, 1, "client")
    world.broker.connection_opened(10**6, "PLAINTEXT", "nowhere")
    world.broker.frame(10**6, frame[4:])
    world.settle()
