"""The committed metadata as coordinators see them (``core.coordinator.TopicsView``), and how their own topics come to be."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from holdwater.broker.coordinators.kinds import BY_TOPIC, Kind
from holdwater.core.coordinator import TopicsView
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import CreateTopicsRequest, CreateTopicsResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

HOLD_MS = 1000
"""How long an answer waits for a coordinator's topic that is being made."""
_PAUSE_MS = 500
_HELD_MAX = 1000
_CREATE_VERSION = 7
_SHARE_TOPIC = "__share_group_state"


class ImageTopics(TopicsView):
    """A view of the broker's present image."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._version = 0
        self._names: list[str] | None = None

    def changed(self) -> None:
        """Topics, partitions or racks are others than before."""
        self._version += 1
        self._names = None

    @property
    def version(self) -> int:
        """See ``TopicsView``."""
        return self._version

    def names(self) -> Sequence[str]:
        """See ``TopicsView``."""
        if self._names is None:
            self._names = sorted(name for name in self._broker.image.topic_ids if name not in BY_TOPIC and name != _SHARE_TOPIC)
        return self._names

    def topic_id(self, name: str) -> bytes | None:
        """See ``TopicsView``."""
        return self._broker.image.topic_ids.get(name)

    def name(self, topic_id: bytes) -> str | None:
        """See ``TopicsView``."""
        topic = self._broker.image.topics.get(topic_id)
        return None if topic is None else topic.name

    def partition_count(self, name: str) -> int:
        """See ``TopicsView``."""
        topic = self._broker.image.topic(name)
        return 0 if topic is None else len(topic.partitions)

    def racks(self, name: str, partition: int) -> tuple[str, ...]:
        """See ``TopicsView``."""
        topic = self._broker.image.topic(name)
        state = None if topic is None else topic.partitions.get(partition)
        racks = () if state is None else (self._broker.rack_of(replica) for replica in state.replicas)
        return tuple(sorted(dict.fromkeys(rack for rack in racks if rack)))


class InternalTopics:
    """Makes a coordinator's topic when it is first asked for, and lets those wait who asked."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._held: list[tuple[int, Callable[[], bool]]] = []
        self._again_at_ms: dict[str, int] = {}
        """When a topic that could not be made may be tried again."""

    def create(self, kind: Kind) -> None:
        """Ask the controller for the topic, unless that is under way."""
        broker = self._broker
        creating = broker.topics_being_created
        if kind.topic in creating or broker.mono_ms < self._again_at_ms.get(kind.topic, 0):
            return
        creating[kind.topic] = None

        def created(response: CreateTopicsResponse | None) -> None:
            creating.pop(kind.topic, None)
            code = response.topics[0].error_code if response is not None and response.topics else 0
            if code not in {0, ErrorCode.TOPIC_ALREADY_EXISTS}:
                self._again_at_ms[kind.topic] = broker.mono_ms + _PAUSE_MS
                why = (response.topics[0].error_message if response is not None else None) or ErrorCode.describe(code)
                broker.note(f"topic {kind.topic} was not created, there is no {kind.name} coordinator: {why}")

        request = CreateTopicsRequest(topics=[self._topic(kind)], timeout_ms=30_000)
        broker.controller.request(request, _CREATE_VERSION, CreateTopicsResponse, created)

    def _topic(self, kind: Kind) -> CreateTopicsRequest.CreatableTopic:
        config = self._broker.config
        texts = {"cleanup.policy": "compact", "segment.bytes": str(config.int(kind.segment_bytes_key))}
        if kind.table == "group":
            texts["compression.type"] = "producer"
        else:
            texts |= {
                "compression.type": "uncompressed",
                "unclean.leader.election.enable": "false",
                "min.insync.replicas": str(config.int("transaction.state.log.min.isr")),
            }
        return CreateTopicsRequest.CreatableTopic(
            name=kind.topic,
            num_partitions=config.int(kind.partition_count_key),
            replication_factor=config.int(kind.replication_factor_key),
            configs=[CreateTopicsRequest.CreatableTopicConfig(name=name, value=text) for name, text in texts.items()],
        )

    def hold(self, answer: Callable[[], bool]) -> bool:
        """Call ``answer`` when the metadata have changed, until it returns true or ``HOLD_MS`` have passed; false when too many wait."""
        if len(self._held) >= _HELD_MAX:
            return False
        entry = (self._broker.mono_ms + HOLD_MS, answer)
        self._held.append(entry)
        self._broker.timers.at(entry[0], self.look_again)
        return True

    def look_again(self) -> None:
        """The metadata have changed, or somebody has waited long enough."""
        held, self._held = self._held, []
        self._held += [entry for entry in held if not entry[1]()]
