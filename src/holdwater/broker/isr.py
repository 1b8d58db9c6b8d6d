"""Changes of in-sync replicas on their way to the controller: AlterPartition, one request at a time, every waiting proposal in it (KIP-497)."""

from typing import TYPE_CHECKING

from holdwater.broker.partitions import HostedPartition
from holdwater.core.replica import IsrProposal, LeaderReplica
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AlterPartitionRequest, AlterPartitionResponse

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

_RETRY_MS = 50
_LATE_MS = 700

_NOT_APPLIED = frozenset({ErrorCode.INELIGIBLE_REPLICA, ErrorCode.OPERATION_NOT_ATTEMPTED})
"""The controller surely did not apply it, and this leader is still the leader."""

_WAIT_FOR_METADATA = frozenset(
    {
        ErrorCode.FENCED_LEADER_EPOCH,
        ErrorCode.INVALID_UPDATE_VERSION,
        ErrorCode.NEW_LEADER_ELECTED,
        ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode.UNKNOWN_TOPIC_ID,
        ErrorCode.INVALID_REQUEST,
    }
)
"""What this leader knows is out of date, or the answer is not known: the larger ISR counts until the metadata say more."""

_Topic = AlterPartitionRequest.TopicData
_Partition = AlterPartitionRequest.PartitionData
_State = AlterPartitionRequest.BrokerState


class IsrChanges:
    """See the module."""

    def __init__(self, broker: "Broker") -> None:
        self._broker = broker
        self._waiting: dict[HostedPartition, IsrProposal] = {}
        self._under_way: dict[HostedPartition, IsrProposal] = {}
        self._scheduled = False

    def propose(self, partition: HostedPartition, proposal: IsrProposal) -> None:
        """Bring a proposal to the controller."""
        self._waiting[partition] = proposal
        self._schedule(_LATE_MS if self._broker.buggify("isr change waits") else 0)

    def _schedule(self, delay_ms: int) -> None:
        if not self._scheduled and not self._under_way:
            self._scheduled = True
            self._broker.timers.at(self._broker.mono_ms + delay_ms, self._send)

    def _send(self) -> None:
        self._scheduled = False
        waiting, self._waiting = self._waiting, {}
        current = {
            partition: proposal
            for partition, proposal in waiting.items()
            if isinstance(partition.replica, LeaderReplica) and partition.replica.proposal is proposal
        }
        if not current or self._under_way:
            self._waiting = current
            return
        self._under_way = current
        request = self._request(current)
        self._broker.controller.request(request, 3, AlterPartitionResponse, self._answered)

    def _request(self, current: dict[HostedPartition, IsrProposal]) -> AlterPartitionRequest:
        broker_epoch = self._broker.lifecycle.broker_epoch
        topics: dict[bytes, AlterPartitionRequest.TopicData] = {}
        for partition, proposal in current.items():
            topic = topics.setdefault(partition.topic_id, _Topic(topic_id=partition.topic_id, partitions=[]))
            topic.partitions.append(
                _Partition(
                    partition_index=partition.topic_partition.partition,
                    leader_epoch=proposal.leader_epoch,
                    new_isr_with_epochs=[
                        _State(broker_id=member, broker_epoch=broker_epoch if member == self._broker.node_id else epoch)
                        for member, epoch in zip(proposal.isr, proposal.broker_epochs, strict=True)
                    ],
                    leader_recovery_state=0,
                    partition_epoch=proposal.partition_epoch,
                )
            )
        return AlterPartitionRequest(broker_id=self._broker.node_id, broker_epoch=broker_epoch, topics=list(topics.values()))

    def _answered(self, response: AlterPartitionResponse | None) -> None:
        under_way, self._under_way = self._under_way, {}
        if response is None or response.error_code:
            for partition, proposal in under_way.items():  # not known whether applied: ask again, the partition epoch guards it
                self._waiting.setdefault(partition, proposal)
            self._schedule(_RETRY_MS)
            return
        answers = {(topic.topic_id, answer.partition_index): answer for topic in response.topics for answer in topic.partitions}
        for partition, proposal in under_way.items():
            answer = answers.get((partition.topic_id, partition.topic_partition.partition))
            if answer is not None:
                self._apply(partition, proposal, answer)
        if self._waiting:
            self._schedule(0)

    def _apply(self, partition: HostedPartition, proposal: IsrProposal, answer: AlterPartitionResponse.PartitionData) -> None:
        replica = partition.replica
        if not isinstance(replica, LeaderReplica) or replica.proposal is not proposal:
            return
        if answer.error_code == ErrorCode.NOT_CONTROLLER:
            self._waiting.setdefault(partition, proposal)
            self._schedule(_RETRY_MS)
            return
        if answer.error_code in _WAIT_FOR_METADATA:
            return
        if answer.error_code:
            replica.proposal_refused(proposal)
            if answer.error_code not in _NOT_APPLIED:
                self._broker.note(f"{partition.topic_partition}: ISR change refused: {ErrorCode.describe(answer.error_code)}")
        elif answer.leader_epoch == replica.leader_epoch and answer.partition_epoch > replica.partition_epoch:
            replica.proposal = None
            replica.update(answer.partition_epoch, replica.replicas, tuple(answer.isr))
        self._broker.replicas.advance(partition, replica)
        replica.release_acknowledged()
