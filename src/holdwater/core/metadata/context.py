"""What every part of the controller works with: state, leases, configuration, randomness, and the questions they answer together."""

from collections.abc import Callable
from typing import TypeVar

from holdwater.core.metadata.election import Election, ElectionRules, PartitionChange
from holdwater.core.metadata.leases import Leases
from holdwater.core.metadata.partition import UNASSIGNED_DIRECTORY
from holdwater.core.metadata.placement import UsableBroker
from holdwater.core.metadata.records import MetadataRecord, Versioned, versioned
from holdwater.core.metadata.result import Refusal, Refused, Result
from holdwater.core.metadata.state import ControllerState, PartitionKey
from holdwater.kernel.configs.broker import BrokerConfig
from holdwater.kernel.configs.topics import Layers, effective_bool, effective_int
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.rng import Rng

Response = TypeVar("Response")


class ControllerContext:
    """Shared by the parts of one controller. Hard state lies in ``state`` and is changed by ``replay`` alone."""

    __slots__ = ("config", "leases", "node_id", "rng", "state", "static_texts", "voters")

    def __init__(self, config: BrokerConfig, state: ControllerState, leases: Leases, rng: Rng, voters: tuple[int, ...]) -> None:
        self.config = config
        self.node_id = config.node_id
        self.state = state
        self.leases = leases
        self.rng = rng
        self.voters = voters
        self.static_texts = {key.name: text for key, text in config.items() if text is not None}

    def result(self, records: list[MetadataRecord], response: Response, *, atomic: bool = False) -> Result[Response]:
        """The result of an operation on the state as it is now."""
        return Result([versioned(record) for record in records], response, self.state.next_offset + len(records), atomic)

    def versioned_result(self, records: list[Versioned], response: Response, *, atomic: bool = False) -> Result[Response]:
        """As ``result``, for records that have their versions."""
        return Result(records, response, self.state.next_offset + len(records), atomic)

    # Configuration

    def layers(self) -> Layers:
        """The configured texts that lie under a topic's own: this controller's, the cluster's, the file's."""
        metadata = self.state.metadata
        return Layers(metadata.broker_config(self.node_id), metadata.cluster_config(), self.static_texts)

    def min_isr(self, topic: str, replication_factor: int) -> int:
        """The topic's min.insync.replicas, at most its replication factor (KIP-966)."""
        own = self.state.metadata.topic_config(topic)
        return min(effective_int("min.insync.replicas", own, self.layers()), replication_factor)

    def unclean_allowed(self, topic: str) -> bool:
        """Whether unclean.leader.election.enable holds for the topic."""
        return effective_bool("unclean.leader.election.enable", self.state.metadata.topic_config(topic), self.layers())

    # Brokers

    def check_broker_epoch(self, broker_id: int, broker_epoch: int) -> Refused:
        """Refuse a broker that is not registered, or whose request comes from an older incarnation (M9)."""
        broker = self.state.metadata.brokers.get(broker_id)
        if broker is None:
            return Refusal(ErrorCode.STALE_BROKER_EPOCH, f"No broker registration found for broker id {broker_id}")
        if broker.broker_epoch != broker_epoch:
            return Refusal(
                ErrorCode.STALE_BROKER_EPOCH, f"Expected broker epoch {broker.broker_epoch}, but got broker epoch {broker_epoch}"
            )
        return None

    def usable_brokers(self) -> list[UsableBroker]:
        """Brokers that may take new replicas: registered, not shutting down, with a directory that is not cordoned."""
        return [
            UsableBroker(broker.broker_id, broker.rack, broker.fenced)
            for _, broker in sorted(self.state.metadata.brokers.items())
            if broker.takes_new_replicas and not broker.in_controlled_shutdown
        ]

    def default_directory(self, broker_id: int) -> bytes:
        """Directory of a new replica on a broker; left open for one that is not registered."""
        broker = self.state.metadata.brokers.get(broker_id)
        return UNASSIGNED_DIRECTORY if broker is None else broker.default_directory

    # Partitions

    def change(
        self, key: PartitionKey, *, election: Election = Election.ONLINE, is_active: Callable[[int], bool] | None = None
    ) -> PartitionChange:
        """A change to a partition, by the rules of its topic. ``is_active`` replaces what the registrations say about who may lead."""
        topic_id, number = key
        topic = self.state.metadata.topics[topic_id]
        partition = topic.partitions[number]
        change = PartitionChange(topic_id, number, partition, self._rules(topic.name, len(partition.replicas), is_active))
        change.election = election
        return change

    def _rules(self, topic: str, replication_factor: int, is_active: Callable[[int], bool] | None) -> ElectionRules:
        metadata = self.state.metadata
        may_lead = is_active or metadata.is_active_broker

        def can_lead(broker_id: int, directory: bytes) -> bool:
            if not may_lead(broker_id):
                return False
            broker = metadata.brokers.get(broker_id)
            return broker is not None and broker.has_online_directory(directory)

        return ElectionRules(
            can_lead,
            self.min_isr(topic, replication_factor),
            metadata.elr_enabled,
            self.config.bool("holdwater.elect.last.known.leader"),
            self.default_directory,
        )

    def election_for(self, topic_id: bytes) -> Election:
        """How far an election that nobody asked for may go."""
        return Election.UNCLEAN if self.unclean_allowed(self.state.metadata.topics[topic_id].name) else Election.ONLINE
