"""Partitions: changes of the ISR, elections on request and by the clock, directories (KIP-460, 497, 704, 841, 858, 903, 966).

A leader proposes its ISR with the leader epoch and partition epoch it knows (compare and set), and with the broker epoch of each member,
so that a member that restarted in between is not taken in (KIP-903).
"""

from holdwater.core.metadata.brokers import BrokerControl
from holdwater.core.metadata.context import ControllerContext
from holdwater.core.metadata.election import Election, is_valid_isr
from holdwater.core.metadata.image import TopicState
from holdwater.core.metadata.partition import NO_LEADER_CHANGE, RECOVERED, RECOVERING, PartitionState
from holdwater.core.metadata.records import MetadataRecord
from holdwater.core.metadata.result import Refusal, Refused, Result
from holdwater.core.metadata.state import PartitionKey
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    AlterPartitionRequest,
    AlterPartitionResponse,
    AssignReplicasToDirsRequest,
    AssignReplicasToDirsResponse,
    ElectLeadersRequest,
    ElectLeadersResponse,
)

PREFERRED_ELECTION, UNCLEAN_ELECTION = 0, 1

MAX_ELECTIONS_AT_ONCE = 1000
"""Elections by the clock in one go."""

_NO_BROKER_EPOCH = -1


class PartitionControl:
    """AlterPartition, ElectLeaders, AssignReplicasToDirs, and the elections of the clock."""

    __slots__ = ("_brokers", "_context")

    def __init__(self, context: ControllerContext, brokers: BrokerControl) -> None:
        self._context = context
        self._brokers = brokers

    # The ISR

    def alter(self, request: AlterPartitionRequest, version: int) -> Result[AlterPartitionResponse]:
        """AlterPartition: a leader's proposal for the ISR of partitions it leads."""
        context = self._context
        refused = context.check_broker_epoch(request.broker_id, request.broker_epoch)
        if refused is not None:
            return context.result([], AlterPartitionResponse(error_code=refused.error))
        records: list[MetadataRecord] = []
        response = AlterPartitionResponse()
        for wanted in request.topics:
            topic = context.state.metadata.topics.get(wanted.topic_id)
            entry = AlterPartitionResponse.TopicData(topic_id=wanted.topic_id)
            response.topics.append(entry)
            for proposal in wanted.partitions:
                if topic is None:
                    entry.partitions.append(_refused_partition(proposal.partition_index, ErrorCode.UNKNOWN_TOPIC_ID))
                else:
                    entry.partitions.append(self._alter_one(request.broker_id, topic, proposal, version, records))
        return context.result(records, response)

    def _alter_one(
        self,
        broker_id: int,
        topic: TopicState,
        proposal: AlterPartitionRequest.PartitionData,
        version: int,
        records: list[MetadataRecord],
    ) -> AlterPartitionResponse.PartitionData:
        number = proposal.partition_index
        partition = topic.partitions.get(number)
        isr = (
            [(member.broker_id, member.broker_epoch) for member in proposal.new_isr_with_epochs]
            if version >= 3
            else [(member, _NO_BROKER_EPOCH) for member in proposal.new_isr]
        )
        error = self._check_proposal(broker_id, partition, proposal, isr)
        if error is not ErrorCode.NONE or partition is None:
            return _refused_partition(number, error)
        change = self._context.change((topic.topic_id, number), election=self._context.election_for(topic.topic_id))
        change.isr = [member for member, _ in isr]
        change.leader_recovery_state = proposal.leader_recovery_state
        record = change.record()
        if record is not None:
            records.append(record)
            partition = partition.changed_by(record)
            if record.leader not in {broker_id, NO_LEADER_CHANGE}:
                # The ISR completed a reassignment that moved the leader away: the change holds, and the old leader must look anew.
                return _refused_partition(number, ErrorCode.NEW_LEADER_ELECTED)
        return _altered_partition(number, partition)

    def _check_proposal(
        self,
        broker_id: int,
        partition: PartitionState | None,
        proposal: AlterPartitionRequest.PartitionData,
        isr: list[tuple[int, int]],
    ) -> ErrorCode:
        if partition is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if proposal.leader_epoch > partition.leader_epoch or proposal.partition_epoch > partition.partition_epoch:
            # The leader knows more than we do: we are no longer the active controller, and it should look for the new one.
            return ErrorCode.NOT_CONTROLLER
        if proposal.leader_epoch < partition.leader_epoch:
            return ErrorCode.FENCED_LEADER_EPOCH
        if broker_id != partition.leader:
            return ErrorCode.INVALID_REQUEST
        if proposal.partition_epoch < partition.partition_epoch:
            return ErrorCode.INVALID_UPDATE_VERSION
        members = [member for member, _ in isr]
        if not is_valid_isr(partition.replicas, members) or partition.leader not in members:
            return ErrorCode.INVALID_REQUEST
        recovering = proposal.leader_recovery_state == RECOVERING
        if proposal.leader_recovery_state not in {RECOVERED, RECOVERING}:
            return ErrorCode.INVALID_REQUEST
        if recovering and (len(members) > 1 or partition.leader_recovery_state == RECOVERED):
            return ErrorCode.INVALID_REQUEST
        return ErrorCode.NONE if all(self._may_join(partition, *member) for member in isr) else ErrorCode.INELIGIBLE_REPLICA

    def _may_join(self, partition: PartitionState, broker_id: int, broker_epoch: int) -> bool:
        """Whether a broker may be in an ISR: active, the same incarnation that the leader saw, its directory online.

        Apache Kafka does not ask for the last; there a replica can be in the ISR that may not lead.
        """
        broker = self._context.state.metadata.brokers.get(broker_id)
        if broker is None or not broker.is_active or broker_epoch not in {_NO_BROKER_EPOCH, broker.broker_epoch}:
            return False
        return broker.has_online_directory(partition.directory(broker_id))

    # Elections on request

    def elect(self, request: ElectLeadersRequest, version: int) -> Result[ElectLeadersResponse]:
        """ElectLeaders: preferred or unclean, of named partitions or of all (then those that need none are not mentioned)."""
        kind = request.election_type if version >= 1 else PREFERRED_ELECTION
        if kind not in {PREFERRED_ELECTION, UNCLEAN_ELECTION}:
            return self._context.result([], ElectLeadersResponse(error_code=ErrorCode.INVALID_REQUEST))
        metadata = self._context.state.metadata
        everything = request.topic_partitions is None
        wanted = (
            [(topic.name, list(topic.partitions)) for topic in metadata.topics.values()]
            if request.topic_partitions is None
            else [(topic.topic, topic.partitions) for topic in request.topic_partitions]
        )
        records: list[MetadataRecord] = []
        response = ElectLeadersResponse()
        for name, numbers in wanted:
            entry = ElectLeadersResponse.ReplicaElectionResult(topic=name)
            response.replica_election_results.append(entry)
            for number in dict.fromkeys(numbers):
                refused = self._elect_one(name, number, kind, records)
                error, message = (ErrorCode.NONE, None) if refused is None else refused
                if not (everything and error is ErrorCode.ELECTION_NOT_NEEDED):
                    entry.partition_result.append(
                        ElectLeadersResponse.PartitionResult(partition_id=number, error_code=error, error_message=message)
                    )
        return self._context.result(records, response)

    def _elect_one(self, name: str, number: int, kind: int, records: list[MetadataRecord]) -> Refused:
        topic = self._context.state.metadata.topic(name)
        if topic is None:
            return Refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such topic as {name}")
        partition = topic.partitions.get(number)
        if partition is None:
            return Refusal(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"No such partition as {name}-{number}")
        unclean = kind == UNCLEAN_ELECTION
        if partition.has_leader if unclean else partition.leader == partition.preferred_leader:
            return Refusal(ErrorCode.ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.")
        change = self._context.change((topic.topic_id, number), election=Election.UNCLEAN if unclean else Election.PREFERRED)
        record = change.record()
        if record is None:
            if unclean:
                return Refusal(ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE, "Eligible topic partition leaders are not available.")
            return Refusal(ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE, "The preferred leader was not available.")
        records.append(record)
        return None

    # Elections by the clock

    def balance(self) -> list[MetadataRecord]:
        """Give partitions back to their first replica where it can lead (auto.leader.rebalance.enable)."""
        return self._elect_all(list(self._context.state.indexes.imbalanced), Election.PREFERRED)

    def elect_uncleanly(self) -> list[MetadataRecord]:
        """Find leaders for partitions without one whose topic allows unclean elections."""
        topics = self._context.state.metadata.topics
        keys = [key for key in self._context.state.partitions_without_leader() if self._context.unclean_allowed(topics[key[0]].name)]
        return self._elect_all(keys, Election.UNCLEAN)

    def _elect_all(self, keys: list[PartitionKey], election: Election) -> list[MetadataRecord]:
        records: list[MetadataRecord] = []
        for key in keys:
            if len(records) == MAX_ELECTIONS_AT_ONCE:
                break
            record = self._context.change(key, election=election).record()
            if record is not None:
                records.append(record)
        return records

    # Directories

    def assign_directories(self, request: AssignReplicasToDirsRequest) -> Result[AssignReplicasToDirsResponse]:
        """AssignReplicasToDirs: a broker says in which of its directories replicas lie; one in an offline directory leaves the ISR."""
        context = self._context
        refused = context.check_broker_epoch(request.broker_id, request.broker_epoch)
        if refused is not None:
            return context.result([], AssignReplicasToDirsResponse(error_code=refused.error))
        broker = context.state.metadata.brokers[request.broker_id]
        records: list[MetadataRecord] = []
        lost: list[PartitionKey] = []
        response = AssignReplicasToDirsResponse()
        for directory in request.directories:
            entry = AssignReplicasToDirsResponse.DirectoryData(id=directory.id)
            response.directories.append(entry)
            for topic in directory.topics:
                topic_entry = AssignReplicasToDirsResponse.TopicData(topic_id=topic.topic_id)
                entry.topics.append(topic_entry)
                for partition in topic.partitions:
                    key = (topic.topic_id, partition.partition_index)
                    error = self._assign_one(request.broker_id, directory.id, key, records)
                    if error is ErrorCode.NONE and not broker.has_online_directory(directory.id):
                        lost.append(key)
                    topic_entry.partitions.append(
                        AssignReplicasToDirsResponse.PartitionData(partition_index=partition.partition_index, error_code=error)
                    )
        records.extend(self._brokers.records_for_lost_directory(request.broker_id, lost))
        return context.result(records, response)

    def _assign_one(self, broker_id: int, directory: bytes, key: PartitionKey, records: list[MetadataRecord]) -> ErrorCode:
        metadata = self._context.state.metadata
        if key[0] not in metadata.topics:
            return ErrorCode.UNKNOWN_TOPIC_ID
        partition = metadata.partition(*key)
        if partition is None:
            return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if broker_id not in partition.replicas:
            return ErrorCode.NOT_LEADER_OR_FOLLOWER
        change = self._context.change(key)
        change.directories[broker_id] = directory
        if not metadata.brokers[broker_id].has_online_directory(partition.directory(broker_id)):
            # The directory it was in is gone, so the replica begins anew: what made it eligible is lost.
            change.unclean_shutdown = broker_id
        record = change.record()
        if record is not None:
            records.append(record)
        return ErrorCode.NONE


def _refused_partition(number: int, error: ErrorCode) -> AlterPartitionResponse.PartitionData:
    return AlterPartitionResponse.PartitionData(partition_index=number, error_code=error)


def _altered_partition(number: int, partition: PartitionState) -> AlterPartitionResponse.PartitionData:
    return AlterPartitionResponse.PartitionData(
        partition_index=number,
        leader_id=partition.leader,
        leader_epoch=partition.leader_epoch,
        isr=list(partition.isr),
        leader_recovery_state=partition.leader_recovery_state,
        partition_epoch=partition.partition_epoch,
    )
