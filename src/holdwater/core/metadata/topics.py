"""Topics: creation, deletion, more partitions (KIP-4, 195, 464, 516, 525).

A topic is created whole or not at all. Replicas are placed by ``placement``, or as the request says; the ISR of a new partition are its
live replicas, and the first of them leads. Names that differ only in ``.`` and ``_`` collide in metrics and are refused.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.core.metadata.config_changes import SET, ConfigControl
from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.image import TOPIC_RESOURCE, ConfigResource, TopicState
from holdwater.core.metadata.partition import RECOVERED, PartitionState
from holdwater.core.metadata.placement import CannotPlace, place_replicas
from holdwater.core.metadata.records import MAX_RECORDS_PER_REQUEST, MetadataRecord
from holdwater.core.metadata.result import Refusal, Refused, Result
from holdwater.core.metadata.state import collision_name
from holdwater.kernel.configs.topics import effective_all
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import METADATA_TOPIC, ZERO_UUID, is_legal_topic_name
from holdwater.wire.messages import (
    CreatePartitionsRequest,
    CreatePartitionsResponse,
    CreateTopicsRequest,
    CreateTopicsResponse,
    DeleteTopicsRequest,
    DeleteTopicsResponse,
    RemoveTopicRecord,
    TopicRecord,
)

_ALL_INACTIVE = "are fenced or in controlled shutdown."

_COORDINATOR_TOPICS = frozenset({"__consumer_offsets", "__transaction_state"})


class _NewTopic(NamedTuple):
    records: list[MetadataRecord]
    result: CreateTopicsResponse.CreatableTopicResult


class TopicControl:
    """CreateTopics, DeleteTopics, CreatePartitions."""

    __slots__ = ("_configs", "_context")

    def __init__(self, context: ControllerContext, configs: ConfigControl) -> None:
        self._context = context
        self._configs = configs

    # Creation

    def create(self, request: CreateTopicsRequest, may_describe: Callable[[str], bool]) -> Result[CreateTopicsResponse]:
        """CreateTopics. ``may_describe``: whether the client may see the configuration of a topic by name."""
        names = [topic.name for topic in request.topics]
        taken: dict[str, str] = {}
        records: list[MetadataRecord] = []
        response = CreateTopicsResponse()
        for topic in request.topics:
            if names.count(topic.name) > 1:
                created: _NewTopic | Refusal = Refusal(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
                if any(result.name == topic.name for result in response.topics):
                    continue
            else:
                created = self._check_name(topic.name, taken) or self._create_one(topic, may_describe(topic.name))
            if isinstance(created, _NewTopic) and len(records) + len(created.records) > MAX_RECORDS_PER_REQUEST:
                created = Refusal(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
            if isinstance(created, _NewTopic):
                records.extend(created.records)
                response.topics.append(created.result)
                taken[collision_name(topic.name) or topic.name] = topic.name
            else:
                response.topics.append(
                    CreateTopicsResponse.CreatableTopicResult(name=topic.name, error_code=created.error, error_message=created.message)
                )
        return self._context.result([] if request.validate_only else records, response, atomic=True)

    def _check_name(self, name: str, taken: dict[str, str]) -> Refused:
        """Whether a topic of that name may be made; ``taken`` has the names that this same request makes."""
        if name == METADATA_TOPIC:
            return Refusal(ErrorCode.INVALID_REQUEST, f"Creation of internal topic {METADATA_TOPIC} is prohibited.")
        if not is_legal_topic_name(name):
            return Refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, _why_illegal(name))
        if name in self._context.state.metadata.topic_ids:
            return Refusal(ErrorCode.TOPIC_ALREADY_EXISTS, f"Topic '{name}' already exists.")
        collision = collision_name(name)
        if collision is not None:
            there = next(iter(self._context.state.indexes.names.get(collision, ())), taken.get(collision))
            if there is not None:
                return Refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic '{name}' collides with existing topic: {there}")
        return None

    def _create_one(self, topic: CreateTopicsRequest.CreatableTopic, may_describe: bool) -> _NewTopic | Refusal:
        resource = ConfigResource(TOPIC_RESOURCE, topic.name)
        configs, refused = self._configs.records_for(resource, [(entry.name, SET, entry.value) for entry in topic.configs], is_new=True)
        if refused is not None:
            return refused
        placed = self._place_as_told(topic) if topic.assignments else self._place(topic)
        if isinstance(placed, Refusal):
            return placed
        topic_id = self._new_topic_id()
        records: list[MetadataRecord] = [
            TopicRecord(name=topic.name, topic_id=topic_id),
            *configs,
            *self._configs.cleared_elr(configs),
            *(partition.to_record(topic_id, number) for number, partition in sorted(placed.items())),
        ]
        return _NewTopic(records, self._describe(topic, topic_id, placed, may_describe=may_describe))

    def _new_topic_id(self) -> bytes:
        """A random id that no topic has, and that does not begin with a dash in its text form, as Kafka's do not."""
        while True:
            topic_id = self._context.rng.uuid()
            if topic_id[0] >> 2 != 62 and topic_id not in self._context.state.metadata.topics:
                return topic_id

    def _place(self, topic: CreateTopicsRequest.CreatableTopic) -> dict[int, PartitionState] | Refusal:
        config = self._context.config
        if topic.replication_factor < -1 or topic.replication_factor == 0:
            message = "Replication factor must be larger than 0, or -1 to use the default value."
            return Refusal(ErrorCode.INVALID_REPLICATION_FACTOR, message)
        if topic.num_partitions < -1 or topic.num_partitions == 0:
            return Refusal(ErrorCode.INVALID_PARTITIONS, "Number of partitions was set to an invalid non-positive value.")
        count = config.int("num.partitions") if topic.num_partitions == -1 else topic.num_partitions
        factor = config.int("default.replication.factor") if topic.replication_factor == -1 else topic.replication_factor
        if count > MAX_RECORDS_PER_REQUEST:
            return Refusal(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
        try:
            placed = place_replicas(self._context.usable_brokers(), count, factor, self._context.rng)
        except CannotPlace as problem:
            return Refusal(ErrorCode.INVALID_REPLICATION_FACTOR, f"Unable to replicate the partition {factor} time(s): {problem}")
        return {number: self._new_partition(replicas) for number, replicas in enumerate(placed)}

    def _place_as_told(self, topic: CreateTopicsRequest.CreatableTopic) -> dict[int, PartitionState] | Refusal:
        if topic.replication_factor != -1:
            message = "A manual partition assignment was specified, but replication factor was not set to -1."
            return Refusal(ErrorCode.INVALID_REQUEST, message)
        if topic.num_partitions != -1:
            message = "A manual partition assignment was specified, but numPartitions was not set to -1."
            return Refusal(ErrorCode.INVALID_REQUEST, message)
        placed: dict[int, PartitionState] = {}
        factor: int | None = None
        for assignment in topic.assignments:
            number, replicas = assignment.partition_index, assignment.broker_ids
            if number in placed:
                return _bad_assignment(f"Found multiple manual partition assignments for partition {number}")
            refused = self._check_assignment(replicas, factor, number)
            if refused is not None:
                return refused
            factor = len(replicas)
            placed[number] = self._new_partition(replicas)
        if sorted(placed) != list(range(len(placed))):
            return _bad_assignment("partitions should be a consecutive 0-based integer sequence")
        return placed

    def _check_assignment(self, replicas: list[int], factor: int | None, number: int) -> Refused:
        """Whether a partition may have these replicas. ``factor``: how many the topic's other partitions have."""
        metadata = self._context.state.metadata
        if not replicas:
            return _bad_assignment("The manual partition assignment includes an empty replica list.")
        for replica in sorted(replicas):
            if replica not in metadata.brokers:
                return _bad_assignment(f"The manual partition assignment includes broker {replica}, but no such broker is registered.")
            if replicas.count(replica) > 1:
                return _bad_assignment(f"The manual partition assignment includes the broker {replica} more than once.")
        if factor is not None and len(replicas) != factor:
            return _bad_assignment(
                f"The manual partition assignment includes a partition with {len(replicas)} replica(s), but this is not consistent"
                f" with previous partitions, which have {factor} replica(s)."
            )
        if not any(metadata.is_active_broker(replica) for replica in replicas):
            return _bad_assignment(f"All brokers specified in the manual partition assignment for partition {number} {_ALL_INACTIVE}")
        return None

    def _new_partition(self, replicas: list[int]) -> PartitionState:
        isr = tuple(replica for replica in replicas if self._context.state.metadata.is_active_broker(replica))
        directories = tuple(self._context.default_directory(replica) for replica in replicas)
        return PartitionState(tuple(replicas), directories, isr, (), (), isr[0], RECOVERED, 0, 0)

    def _describe(
        self, topic: CreateTopicsRequest.CreatableTopic, topic_id: bytes, placed: dict[int, PartitionState], *, may_describe: bool
    ) -> CreateTopicsResponse.CreatableTopicResult:
        result = CreateTopicsResponse.CreatableTopicResult(name=topic.name, topic_id=topic_id, error_message=None)
        if not may_describe:
            result.topic_config_error_code = ErrorCode.TOPIC_AUTHORIZATION_FAILED
            return result
        own = {entry.name: entry.value for entry in topic.configs if entry.value is not None}
        result.configs = [
            CreateTopicsResponse.CreatableTopicConfigs(
                name=found.key.name,
                value=None if found.key.sensitive else found.text,
                config_source=found.source,
                is_sensitive=found.key.sensitive,
            )
            for found in effective_all(own, self._context.layers())
            if not found.key.name.startswith("internal.")
        ]
        result.num_partitions = len(placed)
        result.replication_factor = len(placed[0].replicas)
        return result

    # Deletion

    def delete(self, request: DeleteTopicsRequest, version: int) -> Result[DeleteTopicsResponse]:
        """DeleteTopics, by name, and from version 6 by id as well. Their partitions and configuration go with them."""
        wanted = (
            [(entry.name, entry.topic_id) for entry in request.topics]
            if version >= 6
            else [(name, ZERO_UUID) for name in request.topic_names]
        )
        records: list[MetadataRecord] = []
        response = DeleteTopicsResponse()
        found = [self._find(name, topic_id) for name, topic_id in wanted]
        ids = [topic.topic_id for topic in found if not isinstance(topic, Refusal)]
        for (name, topic_id), topic in zip(wanted, found, strict=True):
            refused = self._check_deletion(topic, ids, version)
            if isinstance(topic, Refusal) or refused is not None:
                error, message = refused or (ErrorCode.NONE, None)
                response.responses.append(
                    DeleteTopicsResponse.DeletableTopicResult(name=name, topic_id=topic_id, error_code=error, error_message=message)
                )
                continue
            records.append(RemoveTopicRecord(topic_id=topic.topic_id))
            response.responses.append(DeleteTopicsResponse.DeletableTopicResult(name=topic.name, topic_id=topic.topic_id))
        return self._context.result(records, response, atomic=True)

    def _find(self, name: str | None, topic_id: bytes) -> TopicState | Refusal:
        metadata = self._context.state.metadata
        if name is not None and topic_id != ZERO_UUID:
            return Refusal(ErrorCode.INVALID_REQUEST, "You may not specify both topic name and topic id.")
        if name is None and topic_id == ZERO_UUID:
            return Refusal(ErrorCode.INVALID_REQUEST, "Neither topic name nor id were specified.")
        topic = metadata.topics.get(topic_id) if name is None else metadata.topic(name)
        if topic is not None:
            return topic
        if name is None:
            return Refusal(ErrorCode.UNKNOWN_TOPIC_ID, "This server does not host this topic ID.")
        return Refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")

    def _check_deletion(self, topic: TopicState | Refusal, ids: list[bytes], version: int) -> Refused:
        if not self._context.config.bool("delete.topic.enable"):
            return Refusal(ErrorCode.TOPIC_DELETION_DISABLED if version >= 3 else ErrorCode.INVALID_REQUEST, "Topic deletion is disabled.")
        if isinstance(topic, Refusal):
            return topic
        if ids.count(topic.topic_id) > 1:
            return Refusal(ErrorCode.INVALID_REQUEST, "The provided topic name maps to an ID that was already supplied.")
        return None

    # More partitions

    def add_partitions(self, request: CreatePartitionsRequest) -> Result[CreatePartitionsResponse]:
        """CreatePartitions: raise a topic's number of partitions."""
        names = [topic.name for topic in request.topics]
        records: list[MetadataRecord] = []
        response = CreatePartitionsResponse()
        for topic in request.topics:
            if names.count(topic.name) > 1:
                if any(result.name == topic.name for result in response.results):
                    continue
                added: list[MetadataRecord] | Refusal = Refusal(ErrorCode.INVALID_REQUEST, "Duplicate topic name.")
            else:
                added = self._add_to_one(topic)
            if not isinstance(added, Refusal) and len(records) + len(added) > MAX_RECORDS_PER_REQUEST:
                added = Refusal(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
            if isinstance(added, Refusal):
                error, message = added
            else:
                error, message = ErrorCode.NONE, None
                records.extend(added)
            response.results.append(
                CreatePartitionsResponse.CreatePartitionsTopicResult(name=topic.name, error_code=error, error_message=message)
            )
        return self._context.result([] if request.validate_only else records, response, atomic=True)

    def _add_to_one(self, request: CreatePartitionsRequest.CreatePartitionsTopic) -> list[MetadataRecord] | Refusal:
        topic = self._context.state.metadata.topic(request.name)
        if topic is None:
            return Refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "This server does not host this topic-partition.")
        there = len(topic.partitions)
        if topic.name in _COORDINATOR_TOPICS:
            message = (
                f"The partitions of {topic.name} say which coordinator each group or transactional id has: their number cannot change."
            )
            return Refusal(ErrorCode.INVALID_TOPIC_EXCEPTION, message)
        if request.count == there:
            return Refusal(ErrorCode.INVALID_PARTITIONS, f"Topic already has {there} partition(s).")
        if request.count < there:
            message = f"The topic {topic.name} currently has {there} partition(s); {request.count} would not be an increase."
            return Refusal(ErrorCode.INVALID_PARTITIONS, message)
        placed = self._place_more(topic, request)
        if isinstance(placed, Refusal):
            return placed
        return [self._new_partition(replicas).to_record(topic.topic_id, there + index) for index, replicas in enumerate(placed)]

    def _place_more(self, topic: TopicState, request: CreatePartitionsRequest.CreatePartitionsTopic) -> list[list[int]] | Refusal:
        there = len(topic.partitions)
        additional = request.count - there
        factor = len(topic.partitions[0].replicas)
        if request.assignments is None:
            if additional > MAX_RECORDS_PER_REQUEST:
                return Refusal(ErrorCode.POLICY_VIOLATION, "Unable to perform excessively large batch operation.")
            try:
                return place_replicas(self._context.usable_brokers(), additional, factor, self._context.rng)
            except CannotPlace as problem:
                return Refusal(ErrorCode.INVALID_REPLICATION_FACTOR, str(problem))
        if len(request.assignments) != additional:
            return _bad_assignment(
                f"Attempted to add {additional} additional partition(s), but only {len(request.assignments)} assignment(s) were specified."
            )
        placed: list[list[int]] = []
        for index, assignment in enumerate(request.assignments):
            refused = self._check_assignment(assignment.broker_ids, factor, there + index)
            if refused is not None:
                return refused
            placed.append(assignment.broker_ids)
        return placed


def _bad_assignment(message: str) -> Refusal:
    return Refusal(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)


def _why_illegal(name: str) -> str:
    if name == "":
        return "Topic name is invalid: the empty string is not allowed"
    if name in {".", ".."}:
        return f"Topic name is invalid: '{name}' is not allowed"
    if len(name) > 249:
        return f"Topic name is invalid: the length of '{name}' is longer than the max allowed length 249"
    return f"Topic name is invalid: '{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
