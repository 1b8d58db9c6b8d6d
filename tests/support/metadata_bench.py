"""A controller with a log in memory: requests go in, records are appended, replayed and committed, responses come out.

The bench keeps the whole log, folds committed batches into the image as a broker would, and holds responses until their offset is
committed.
"""

from typing import Any

from holdwater.core.metadata.builder import ImageBuilder
from holdwater.core.metadata.changes import ImageChanges
from holdwater.core.metadata.controller import Controller
from holdwater.core.metadata.features import SUPPORTED_FEATURES
from holdwater.core.metadata.image import EMPTY_IMAGE, MetadataImage
from holdwater.core.metadata.partition import PartitionState
from holdwater.core.metadata.records import Versioned
from holdwater.core.metadata.registrations import VersionRange
from holdwater.core.metadata.result import PendingResponses, Result, batches
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.rng import Rng
from holdwater.wire.messages import (
    AlterPartitionRequest,
    BrokerHeartbeatRequest,
    BrokerRegistrationRequest,
    CreateTopicsRequest,
)

CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"


def config_of(**keys: str) -> BrokerConfig:
    """A controller's configuration; keyword arguments are Kafka's keys with ``_`` for ``.``."""
    base = {
        "node.id": "1",
        "process.roles": "broker,controller",
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": "1@127.0.0.1:9093",
        "log.dirs": "/data",
    }
    return BrokerConfig(base | {name.replace("_", "."): value for name, value in keys.items()})


def incarnation(number: int) -> bytes:
    """An incarnation id to tell apart."""
    return bytes(8) + b"incarn" + number.to_bytes(2, "big")


def directory(broker_id: int, number: int = 0) -> bytes:
    """A directory id of a broker."""
    return b"directory" + bytes(3) + broker_id.to_bytes(2, "big") + number.to_bytes(2, "big")


class Bench:
    """One controller, its log, and the image of what is committed."""

    def __init__(self, config: BrokerConfig | None = None, *, seed: int = 1, bootstrap: bool = True) -> None:
        self.config = config or config_of()
        self.mono_ms = 1000
        self.log: list[tuple[int, Versioned]] = []
        self.boundaries: list[int] = []
        """Offsets at which batches end."""
        self.builder = ImageBuilder(EMPTY_IMAGE)
        self.image: MetadataImage = EMPTY_IMAGE
        self.changes: list[ImageChanges] = []
        self.pending: PendingResponses[str] = PendingResponses()
        self.epochs: dict[int, int] = {}
        self.rng = Rng(seed)
        self.quorum_epoch = 0
        self.controller = self.new_controller()
        if bootstrap:
            self.submit(self.controller.activate())

    def new_controller(self, lost_node_id: int = -1) -> Controller:
        """An election: the next controller takes over from the committed image."""
        self.quorum_epoch += 1
        self.controller = Controller(
            self.config,
            self.image,
            cluster_id=CLUSTER_ID,
            quorum_epoch=self.quorum_epoch,
            next_offset=self.end_offset,
            mono_ms=self.mono_ms,
            rng=self.rng.fork(),
            voters=(1,),
            lost_node_id=lost_node_id,
        )
        return self.controller

    @property
    def end_offset(self) -> int:
        """Where the log ends."""
        return self.log[-1][0] + 1 if self.log else 0

    def submit(self, result: Result[Any]) -> Any:
        """Append, replay, commit; the response, which waited."""
        self.append(result)
        self.commit()
        return result.response

    def append(self, result: Result[Any]) -> None:
        """Append and replay without committing."""
        for batch in batches(result):
            for record in batch:
                offset = self.end_offset
                self.log.append((offset, record))
                self.controller.replay(offset, record.message, self.mono_ms)
            self.boundaries.append(self.end_offset)
        assert result.wait_offset == self.end_offset
        self.pending.add(type(result.response).__name__, result)

    def commit(self) -> None:
        """The high watermark reaches the end of the log."""
        for offset, record in self.log[self.builder.last_offset + 1 :]:
            self.builder.apply(offset, record.message)
        self.image, changes = self.builder.build(self.quorum_epoch)
        self.changes.append(changes)
        self.pending.release(self.end_offset)

    def tick(self, ms: int = 0) -> list[Versioned]:
        """Let time pass and do all that is due; the records written."""
        self.mono_ms += ms
        before = len(self.log)
        while (result := self.controller.tick(self.mono_ms)) is not None:
            self.submit(result)
        return [record for _, record in self.log[before:]]

    # Brokers

    def register(
        self,
        broker_id: int,
        *,
        start: int = 1,
        previous_epoch: int = -1,
        rack: str | None = None,
        directories: int = 1,
        features: dict[str, VersionRange] | None = None,
        cluster_id: str = CLUSTER_ID,
    ) -> Any:
        """BrokerRegistration; ``start`` tells processes apart. The broker epoch is remembered."""
        supported = SUPPORTED_FEATURES if features is None else features
        request = BrokerRegistrationRequest(
            broker_id=broker_id,
            cluster_id=cluster_id,
            incarnation_id=incarnation(broker_id * 100 + start),
            listeners=[BrokerRegistrationRequest.Listener(name="PLAINTEXT", host="127.0.0.1", port=9000 + broker_id)],
            features=[BrokerRegistrationRequest.Feature(name, low, high) for name, (low, high) in supported.items()],
            rack=rack,
            log_dirs=[directory(broker_id, number) for number in range(directories)],
            previous_broker_epoch=previous_epoch,
        )
        response = self.submit(self.controller.handle_broker_registration(request, self.mono_ms))
        if response.error_code == 0:
            self.epochs[broker_id] = response.broker_epoch
        return response

    def heartbeat(
        self,
        broker_id: int,
        *,
        offset: int | None = None,
        epoch: int | None = None,
        fence: bool = False,
        shut_down: bool = False,
        offline: list[bytes] | None = None,
        cordoned: list[bytes] | None = None,
    ) -> Any:
        """BrokerHeartbeat, caught up unless ``offset`` says otherwise."""
        request = BrokerHeartbeatRequest(
            broker_id=broker_id,
            broker_epoch=self.epochs.get(broker_id, -1) if epoch is None else epoch,
            current_metadata_offset=self.image.last_offset if offset is None else offset,
            want_fence=fence,
            want_shut_down=shut_down,
            offline_log_dirs=offline or [],
            cordoned_log_dirs=cordoned,
        )
        return self.submit(self.controller.handle_broker_heartbeat(request, self.mono_ms))

    def start(self, *broker_ids: int, **registration: Any) -> None:
        """Register and unfence brokers."""
        for broker_id in broker_ids:
            assert self.register(broker_id, **registration).error_code == 0
            assert self.heartbeat(broker_id).is_fenced is False

    def heartbeats(self, *broker_ids: int) -> None:
        """A heartbeat of each."""
        for broker_id in broker_ids:
            self.heartbeat(broker_id)

    # Topics

    def create(
        self,
        name: str,
        partitions: int = -1,
        factor: int = -1,
        *,
        assignment: list[list[int]] | None = None,
        validate_only: bool = False,
        **configs: str,
    ) -> Any:
        """CreateTopics of one topic; the topic's result."""
        topic = CreateTopicsRequest.CreatableTopic(
            name=name,
            num_partitions=partitions,
            replication_factor=factor,
            assignments=[
                CreateTopicsRequest.CreatableReplicaAssignment(partition_index=number, broker_ids=replicas)
                for number, replicas in enumerate(assignment or [])
            ],
            configs=[CreateTopicsRequest.CreatableTopicConfig(name=key.replace("_", "."), value=text) for key, text in configs.items()],
        )
        request = CreateTopicsRequest(topics=[topic], validate_only=validate_only)
        return self.submit(self.controller.handle_create_topics(request)).topics[0]

    def partition(self, topic: str, number: int = 0) -> PartitionState:
        """A partition as committed."""
        state = self.image.topic(topic)
        assert state is not None, f"no topic {topic}"
        return state.partitions[number]

    def alter_isr(
        self,
        topic: str,
        number: int,
        isr: list[int],
        *,
        leader: int | None = None,
        leader_epoch: int | None = None,
        partition_epoch: int | None = None,
        recovery_state: int = 0,
        epochs: dict[int, int] | None = None,
    ) -> Any:
        """AlterPartition by the leader, with what it would know; the partition's part of the response."""
        state = self.partition(topic, number)
        sender = state.leader if leader is None else leader
        known = self.epochs | (epochs or {})
        proposal = AlterPartitionRequest.PartitionData(
            partition_index=number,
            leader_epoch=state.leader_epoch if leader_epoch is None else leader_epoch,
            partition_epoch=state.partition_epoch if partition_epoch is None else partition_epoch,
            leader_recovery_state=recovery_state,
            new_isr_with_epochs=[AlterPartitionRequest.BrokerState(member, known.get(member, -1)) for member in isr],
        )
        entry = AlterPartitionRequest.TopicData(topic_id=self.image.topic_ids[topic], partitions=[proposal])
        request = AlterPartitionRequest(broker_id=sender, broker_epoch=self.epochs.get(sender, -1), topics=[entry])
        response = self.submit(self.controller.handle_alter_partition(request, 3))
        return response.topics[0].partitions[0] if response.error_code == 0 else response
