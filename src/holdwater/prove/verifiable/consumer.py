"""The verifiable consumer: says which partitions it was given, what it consumed, and what it committed, in JSON lines."""

import sys
import time
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from holdwater.kernel.identifiers import is_legal_topic_name
from holdwater.prove.errors import UsageError
from holdwater.prove.verifiable.failures import TOPIC_NAMES, ClientFailed, Log, ends_commits, failure, failure_of, is_held, strands
from holdwater.prove.verifiable.lines import Lines, Stop, look_for_brokers, text_of

POLL_S = 0.1
_BATCH = 500
_ANEW_S = 0.2
"""Before a new client joins: a coordinator that is still on its way would be asked in circles."""
_HELD_S = 2.0
"""Between two tries to have the instance id back: it is free when a session of the group has run out, or sooner."""
_RELEASED_WITHIN_S = 60.0
"""How long the client before may still have the instance id, when its leave was lost: the longest session of a consumer group by default."""
DEFAULT_STRATEGY = "org.apache.kafka.clients.consumer.RangeAssignor"
ASSIGNORS = {
    "org.apache.kafka.clients.consumer.RangeAssignor": "range",
    "org.apache.kafka.clients.consumer.RoundRobinAssignor": "roundrobin",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor": "cooperative-sticky",
}
"""Java's classes by librdkafka's names; librdkafka has no counterpart of the eager StickyAssignor."""
RESET_POLICIES = {"earliest": "earliest", "latest": "latest", "none": "error"}


@dataclass(frozen=True, slots=True)
class ConsumerOptions:
    """What Kafka's flags say; -1 stands for no limit, as there."""

    topic: str
    bootstrap_server: str
    group_id: str
    group_protocol: str = "classic"
    group_remote_assignor: str | None = None
    group_instance_id: str | None = None
    max_messages: int = -1
    session_timeout_ms: int | None = None
    verbose: bool = False
    autocommit: bool = False
    reset_policy: str = "earliest"
    assignment_strategy: str = DEFAULT_STRATEGY
    properties: dict[str, str] = field(default_factory=dict[str, str])

    def config(self) -> dict[str, Any]:
        """librdkafka's settings for the flags; those of the file come first and are overridden."""
        classic = self.group_protocol == "classic"
        self._check()
        (self._check_classic if classic else self._check_consumer)()
        optional = {
            "group.instance.id": self.group_instance_id,
            "session.timeout.ms": self.session_timeout_ms,
            "group.remote.assignor": self.group_remote_assignor,
            "partition.assignment.strategy": ASSIGNORS[self.assignment_strategy] if classic else None,
        }
        return {
            "client.id": "holdwater-verifiable-consumer",
            **self.properties,
            "bootstrap.servers": self.bootstrap_server,
            "group.id": self.group_id,
            "group.protocol": self.group_protocol,
            "enable.auto.commit": self.autocommit,
            "auto.offset.reset": RESET_POLICIES[self.reset_policy],
            **{key: value for key, value in optional.items() if value is not None},
        }

    def _check(self) -> None:
        if not self.group_id:
            raise UsageError("--group-id is empty", "name a group")
        if self.reset_policy not in RESET_POLICIES:
            raise UsageError(f"'{self.reset_policy}' is no reset policy", f"one of {', '.join(RESET_POLICIES)}")

    def _check_classic(self) -> None:
        if self.assignment_strategy not in ASSIGNORS:
            raise UsageError(f"librdkafka has no assignor for '{self.assignment_strategy}'", f"one of {', '.join(ASSIGNORS)}")
        if self.group_remote_assignor is not None:
            raise UsageError("--group-remote-assignor is for --group-protocol consumer only", "give --assignment-strategy, or leave it out")

    def _check_consumer(self) -> None:
        if self.session_timeout_ms is not None:
            raise UsageError("--session-timeout is no setting of the consumer group protocol", "set it on the brokers, or leave it out")
        if self.assignment_strategy != DEFAULT_STRATEGY:  # harnesses may spell the default out
            raise UsageError("--assignment-strategy is for --group-protocol classic only", "give --group-remote-assignor, or leave it out")


class VerifiableConsumer:
    """One run of the consumer."""

    def __init__(self, options: ConsumerOptions, lines: Lines) -> None:
        self._options = options
        self._lines = lines
        self._consumed = 0
        self._failed: ClientFailed | None = None
        self._anew: KafkaError | None = None
        """Why a new client is needed."""
        self._released_by = 0.0
        """Until when the instance id may be held by the client before, by the monotonic clock."""
        self._config = options.config() | {"error_cb": self._noticed, "logger": Log()}
        self._consumer: Consumer

    def run(self, stop: Stop) -> int:
        """Consume until the wanted number or a signal; returns the exit code.

        Raises ``UsageError`` when no broker answers, and after an orderly end ``ClientFailed`` when it could not go on, and ``BrokenPipeError``
        when nobody reads the lines any more.
        """
        look_for_brokers(self._config)
        try:
            self._consumer = Consumer(self._config)
        except KafkaException as error:
            raise UsageError(
                f"librdkafka refuses a setting: {error.args[0].str().strip()}", "correct the flag, or the --command-config file"
            ) from error
        self._lines.say("startup_complete")
        self._subscribe()
        while not stop and self._failed is None and not self._finished() and not self._lines.unread:
            self._poll()
            if self._anew is not None and not stop and not self._finished() and self._failed is None:
                self._start_over(self._anew)
        if stop:
            self._lines.say("shutdown_requested")
        self._consumer.close()
        self._lines.check()
        self._lines.say("shutdown_complete")
        if not stop:
            self._lines.say("shutdown_requested")  # Kafka's tool says it last when it ends by itself: its exit hook runs then
        if self._failed is not None:
            raise self._failed
        return stop.exit_code

    def _subscribe(self) -> None:
        """librdkafka would wait for a topic that cannot be, and take a name that begins with ^ for a pattern."""
        topic = self._options.topic
        if is_legal_topic_name(topic):
            self._consumer.subscribe([topic], on_assign=self._assigned, on_revoke=self._revoked)
        else:
            self._failed = ClientFailed(f"'{topic}' is no topic name", TOPIC_NAMES)

    def _noticed(self, error: KafkaError) -> None:
        """Called by librdkafka, for errors that belong to no message."""
        self._take(error, failure(error))

    def _take(self, error: KafkaError, failed: ClientFailed | None) -> None:
        if is_held(error) and time.monotonic() < self._released_by:
            self._anew = error
        else:
            self._failed = self._failed or failed

    def _finished(self) -> bool:
        return 0 <= self._options.max_messages <= self._consumed

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._tell("partitions_assigned", sorted((one.topic, one.partition) for one in partitions))

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._tell("partitions_revoked", sorted((one.topic, one.partition) for one in partitions))

    def _tell(self, name: str, partitions: list[tuple[str, int]]) -> None:
        self._lines.say(name, partitions=[{"topic": topic, "partition": partition} for topic, partition in partitions])

    def _poll(self) -> None:
        first = self._consumer.poll(POLL_S)
        if first is None:
            return
        taken: list[Message] = []
        for message in [first, *self._consumer.consume(_BATCH, 0)]:
            if self._finished():
                break
            error = message.error()
            if error is None:
                taken.append(message)
                self._consumed += 1
            elif strands(error):
                self._anew = error
            else:
                self._take(error, failure_of(message))
        if taken:
            self._report(taken)

    def _start_over(self, why: KafkaError) -> None:
        """Leave the group, and join it as a new client, which begins at what is committed."""
        self._anew = None
        if is_held(why):
            pause_s, reason = _HELD_S, "its own last client may have it still, so a new one tries again"
        else:
            pause_s, reason = _ANEW_S, "librdkafka would not ask again, so a new client joins the group"
            self._released_by = time.monotonic() + _RELEASED_WITHIN_S
        print(f"{why.name()}: {why.str()}; {reason}", file=sys.stderr, flush=True)
        self._consumer.close()
        time.sleep(pause_s)  # a signal is heeded after it
        self._consumer = Consumer(self._config)
        self._subscribe()

    def _report(self, taken: list[Message]) -> None:
        by_partition: dict[tuple[str, int], list[int]] = {}
        for message in taken:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            if topic is None or partition is None or offset is None:
                continue
            by_partition.setdefault((topic, partition), []).append(offset)
            if self._options.verbose:
                content = {"key": text_of(message.key()), "value": text_of(message.value())}
                self._lines.say("record_data", **content, topic=topic, partition=partition, offset=offset)
        summaries = [
            {"topic": topic, "partition": partition, "count": len(offsets), "minOffset": min(offsets), "maxOffset": max(offsets)}
            for (topic, partition), offsets in by_partition.items()
        ]
        self._lines.say("records_consumed", count=len(taken), partitions=summaries)
        if not self._options.autocommit:
            self._commit({place: max(offsets) + 1 for place, offsets in by_partition.items()})

    def _commit(self, ends: dict[tuple[str, int], int]) -> None:
        offsets = [{"topic": topic, "partition": partition, "offset": end} for (topic, partition), end in ends.items()]
        wanted = [TopicPartition(topic, partition, end) for (topic, partition), end in ends.items()]
        try:
            self._consumer.commit(offsets=wanted, asynchronous=False)
        except KafkaException as error:
            if ends_commits(error.args[0]):  # Kafka's tool ends on it without a line
                self._failed = self._failed or failure(error.args[0])
            else:
                self._lines.say("offsets_committed", offsets=offsets, error=error.args[0].str(), success=False)
            return
        self._lines.say("offsets_committed", offsets=offsets, success=True)
