"""What is done to topics while everything else goes on: deletion and creation under the same name, more partitions, other settings,
deletion of records, new topics.
"""

from collections.abc import Callable, Sequence
from typing import Any

from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.admin import RETRY_US, TIMEOUT_MS, TRANSIENT, Activity
from holdwater.sim.workloads.client import NO_TOPIC, REQUEST_TIMEOUT_US
from holdwater.sim.workloads.history import History
from holdwater.sim.workloads.plan import CHURN
from holdwater.sim.workloads.settings import draw_setting
from holdwater.wire.messages import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    DeleteRecordsRequest,
    DeleteRecordsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
)

_DELETE_BY_NAME, _DELETE_BY_ID = 5, 6
_PARTITIONS_VERSION = 3
_RECORDS_VERSION = 2
_RECORDS_TIMEOUT_MS = 5_000


class Churn(Activity):
    """Deletes a topic, by id or by name, and creates it anew after a while.

    A deletion by name whose answer was lost may come to pass when the topic is already the next one. So when it is over this one looks
    after it: the topic is to be there in the end.
    """

    def __init__(self, cluster: SimCluster, rng: Rng, history: History, interval_us: int, *, partitions: int, replication: int) -> None:
        super().__init__(cluster, "churner", CHURN, rng, history, interval_us)
        self._partitions = partitions
        self._replication = replication

    def rest(self) -> None:
        """Take no further step, and look after the topic."""
        super().rest()
        self._look_after()

    def _look_after(self) -> None:
        if not self.stopped:
            self.scheduler.after(RETRY_US, self._look_after)
            if self.is_resting and self.cluster.watch.newest.topic(CHURN) is None:
                self._busy = True
                self._create()

    def step(self) -> None:
        """Delete it."""
        topic = self.cluster.watch.newest.topic(CHURN)
        topic_id = topic.topic_id if topic is not None else NO_TOPIC
        if self.rng.chance(0.3) or topic_id == NO_TOPIC:
            request, version = DeleteTopicsRequest(topic_names=[CHURN], timeout_ms=TIMEOUT_MS), _DELETE_BY_NAME
        else:
            state = DeleteTopicsRequest.DeleteTopicState(name=None, topic_id=topic_id)
            request, version = DeleteTopicsRequest(topics=[state], timeout_ms=TIMEOUT_MS), _DELETE_BY_ID
        self._delete(request, version)

    def _delete(self, request: DeleteTopicsRequest, version: int) -> None:
        def answered(response: DeleteTopicsResponse | None) -> None:
            code = response.responses[0].error_code if response is not None else -1
            if response is None:
                self.history.error("no answer")
            elif code:
                self.note("DeleteTopics", code, ErrorCode.UNKNOWN_TOPIC_ID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            else:
                self.trace.line(self.name, f"deleted topic {CHURN}")
                self.history.admin_count += 1
                self.history.count("topic-deleted")
            if response is None or code in TRANSIENT:
                self.scheduler.after(RETRY_US, self._delete, request, version)
            else:
                self.scheduler.after(self.rng.uniform_ms(0, 2_000_000), self._create)

        if not self.stopped:
            self.ask(request, version, DeleteTopicsResponse, answered)

    def _create(self) -> None:
        def created(is_new: bool) -> None:
            if is_new:
                self.history.count("topic-recreated")
            self.done()

        texts = {"min.insync.replicas": str(1 + self.rng.below(self._replication))} if self.rng.chance(0.3) else {}
        self.create(CHURN, self._partitions, self._replication, created, texts)


class Growth(Activity):
    """Adds a partition to a topic, up to ``partitions_max``."""

    def __init__(self, cluster: SimCluster, rng: Rng, history: History, interval_us: int, topic: str, partitions_max: int) -> None:
        super().__init__(cluster, f"grower-{topic}", topic, rng, history, interval_us)
        self._partitions_max = partitions_max

    def step(self) -> None:
        """Ask for one more."""
        topic = self.cluster.watch.newest.topic(self.topic)
        if topic is None or len(topic.partitions) >= self._partitions_max:
            self.done()
        else:
            self._grow(len(topic.partitions) + 1)

    def _grow(self, count: int) -> None:
        def answered(response: CreatePartitionsResponse | None) -> None:
            code = response.results[0].error_code if response is not None else -1
            if response is None:
                self.history.error("no answer")
            elif code:
                self.note(
                    "CreatePartitions",
                    code,
                    ErrorCode.INVALID_PARTITIONS,
                    ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                    ErrorCode.INVALID_REPLICATION_FACTOR,
                )
            else:
                self.trace.line(self.name, f"{self.topic} has {count} partitions")
                self.history.admin_count += 1
                self.history.count("partitions-grown")
            if response is None or code in TRANSIENT:
                self.scheduler.after(RETRY_US, self._grow, count)
            else:
                self.done()

        asked = CreatePartitionsRequest.CreatePartitionsTopic(name=self.topic, count=count, assignments=None)
        if not self.stopped:
            request = CreatePartitionsRequest(topics=[asked], timeout_ms=TIMEOUT_MS)
            self.ask(request, _PARTITIONS_VERSION, CreatePartitionsResponse, answered)


class Reconfiguration(Activity):
    """Sets a key of one topic to a small legal value, and takes it back with the next step."""

    def __init__(self, cluster: SimCluster, rng: Rng, history: History, interval_us: int, topics: Sequence[str]) -> None:
        super().__init__(cluster, "configurer", topics[0], rng, history, interval_us)
        self._topics = topics
        self._set: tuple[str, str] | None = None
        """Topic and key that were set last."""

    def step(self) -> None:
        """Set one, or take it back."""
        if self._set is not None:
            (topic, key), self._set = self._set, None
            self.alter(topic, key, None, self.done)
            return
        topic = self._topics[self.rng.below(len(self._topics))]
        key, text = draw_setting(self.rng)
        self._set = (topic, key)
        if text == "LogAppendTime":
            self.history.stamped[topic] = None
        self.alter(topic, key, text, self.done)


class Trimming(Activity):
    """Deletes the first records of a partition (DeleteRecords).

    ``deletable_below`` says up to where: nothing that is unanswered may come to lie there. Deleted records may take with them what a broker
    knows of their producer (KIP-360), so that a retry would not be recognised.
    """

    def __init__(
        self, cluster: SimCluster, rng: Rng, history: History, interval_us: int, topic: str, deletable_below: Callable[[int], int]
    ) -> None:
        super().__init__(cluster, "trimmer", topic, rng, history, interval_us)
        self._deletable_below = deletable_below

    def start(self) -> None:
        """Begin, and know who leads."""
        super().start()
        self.refresh_metadata()

    def step(self) -> None:
        """Ask the leader of some partition."""
        index = self.rng.below(len(self.partitions)) if self.partitions else 0
        known = self.partitions.get(index)
        connection = self.connection(known.leader_id) if known is not None else None
        key = (self.topic_id, index)
        before, most = self.history.deletion_asked(key), self._deletable_below(index)
        if connection is None or most <= before:
            self.done()
            return
        offset = most if self.rng.chance(0.3) else before + 1 + self.rng.below(most - before)
        self.history.ask_deletion(key, offset)
        asked = DeleteRecordsRequest.DeleteRecordsPartition(partition_index=index, offset=offset)
        topic = DeleteRecordsRequest.DeleteRecordsTopic(name=self.topic, partitions=[asked])
        request = DeleteRecordsRequest(topics=[topic], timeout_ms=_RECORDS_TIMEOUT_MS)
        connection.request(
            request, _RECORDS_VERSION, DeleteRecordsResponse, REQUEST_TIMEOUT_US, lambda response: self._answered(key, offset, response)
        )

    def _answered(self, key: tuple[bytes, int], offset: int, response: DeleteRecordsResponse | None) -> None:
        answer: Any = response.topics[0].partitions[0] if response is not None else None
        if self.stopped:
            return
        if answer is None:
            self.history.error("no answer")
        elif answer.error_code:
            self.note(
                "DeleteRecords",
                answer.error_code,
                ErrorCode.NOT_LEADER_OR_FOLLOWER,
                ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
                ErrorCode.OFFSET_OUT_OF_RANGE,  # a new leader whose high watermark has not risen yet
                ErrorCode.KAFKA_STORAGE_ERROR,
            )
        else:
            self.trace.line(self.name, f"deleted below {self.history.name((key, offset))}")
            self.history.admin_count += 1
            self.history.count("records-deleted")
            if answer.low_watermark < offset:
                raise SafetyViolation(
                    "R14", f"records below {self.history.name((key, offset))} are said to be deleted, low watermark {answer.low_watermark}"
                )
        self.done()


class Extras(Activity):
    """Creates topics that have no clients, each asked for twice at once: it is made once (M7)."""

    def __init__(self, cluster: SimCluster, rng: Rng, history: History, interval_us: int, count: int, replication: int) -> None:
        super().__init__(cluster, "creator", "", rng, history, interval_us)
        self._count = count
        self._replication = replication
        self._made = 0

    def step(self) -> None:
        """Create one."""
        if self._made >= self._count:
            self.done()
            return
        self._made += 1
        name = f"extra-{self._made}"
        outcomes: list[bool] = []

        def created(is_new: bool) -> None:
            outcomes.append(is_new)
            if sum(outcomes) > 1:
                raise SafetyViolation("M7", f"topic {name} was created twice")
            if len(outcomes) == 2:
                self.history.count("topic-created")
                self.done()

        replication = self._replication if self.rng.chance(0.5) else min(2, self._replication)
        for _ in range(2):
            self.create(name, 1, replication, created)
