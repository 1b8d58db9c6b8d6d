"""Committed offsets: OffsetCommit (8), OffsetFetch (9), TxnOffsetCommit (28), OffsetDelete (47).

Topic ids (OffsetCommit and OffsetFetch from version 10, TxnOffsetCommit from version 6) become names here, and partitions that there are not
are refused here; what is left goes to the group's shard, and the answers are put together again in the order of the request.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from holdwater.broker.apis import Api
from holdwater.broker.connection import Call
from holdwater.broker.coordinators import GROUPS
from holdwater.broker.coordinators.finding import caller_of, group_shard
from holdwater.broker.verification import Question, Refused
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.wire.messages import (
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

if TYPE_CHECKING:
    from holdwater.broker.broker import Broker

COMMIT_BY_ID_VERSION = 10
FETCH_BY_ID_VERSION = 10
TXN_BY_ID_VERSION = 6
TXN_ABORTABLE_VERSION = 4
"""From here on clients know TRANSACTION_ABORTABLE."""
TXN_ADDS_VERSION = 5
"""From here on a TxnOffsetCommit adds the group's partition to the transaction (KIP-890)."""
MANY_GROUPS_VERSION = 8
ERROR_VERSION = 2
"""From here on an OffsetFetch answer has an error of its own."""


# --- commits


class _Commit:
    """A commit as the client sent it, and how its answer is built from the shard's."""

    def __init__(self, broker: "Broker", request: Any, response_class: Any, topic_class: Any, partition_class: Any, *, by_id: bool) -> None:
        self._response_class = response_class
        self._topic_class = topic_class
        self._partition_class = partition_class
        self._asked = request.topics
        self._errors: dict[tuple[int, int], int] = {}
        """What is refused here, by place of topic and partition in the request."""
        self.topics: list[Any] = []
        """What the shard is to decide, topics by name."""
        for at, topic in enumerate(request.topics):
            self._look_at(broker, at, topic, by_id=by_id)

    def _look_at(self, broker: "Broker", at: int, topic: Any, *, by_id: bool) -> None:
        image = broker.image
        known = image.topics.get(topic.topic_id) if by_id else image.topic(topic.name)
        if known is None:
            code = ErrorCode.UNKNOWN_TOPIC_ID if by_id else ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
            self._errors |= {(at, number): code for number in range(len(topic.partitions))}
            return
        topic.name = known.name
        topic.topic_id = known.topic_id
        there = [each for each in topic.partitions if each.partition_index in known.partitions]
        for number, each in enumerate(topic.partitions):
            if each.partition_index not in known.partitions:
                self._errors[at, number] = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        if there:
            self.topics.append(type(topic)(name=known.name, topic_id=known.topic_id, partitions=there))

    def response(self, codes: dict[tuple[str, int], int], otherwise: int = 0) -> Any:
        """The whole answer: ``codes`` by name and partition from the shard, ``otherwise`` for those that it did not name."""
        topics: list[Any] = []
        for at, topic in enumerate(self._asked):
            partitions = [
                self._partition_class(
                    partition_index=each.partition_index,
                    error_code=self._errors.get((at, number), codes.get((topic.name, each.partition_index), otherwise)),
                )
                for number, each in enumerate(topic.partitions)
            ]
            topics.append(self._topic_class(name=topic.name, topic_id=topic.topic_id, partitions=partitions))
        return self._response_class(topics=topics)


def _codes(response: Any) -> dict[tuple[str, int], int]:
    return {(topic.name, each.partition_index): each.error_code for topic in response.topics for each in topic.partitions}


def commit(broker: "Broker", call: Call, request: OffsetCommitRequest) -> None:
    """OffsetCommit, versions 2 to 10."""
    made = _Commit(
        broker,
        request,
        OffsetCommitResponse,
        OffsetCommitResponse.OffsetCommitResponseTopic,
        OffsetCommitResponse.OffsetCommitResponsePartition,
        by_id=call.version >= COMMIT_BY_ID_VERSION,
    )
    found = group_shard(broker, request.group_id)
    if isinstance(found, int):
        call.reply(made.response({}, found))
        return
    if request.topics and not made.topics:
        call.reply(made.response({}))
        return
    request.topics = made.topics
    hosted, shard = found
    hosted.carry_out(shard.commit(request, caller_of(call), lambda response: call.reply(made.response(_codes(response)))))


def txn_commit(broker: "Broker", call: Call, request: TxnOffsetCommitRequest) -> None:
    """TxnOffsetCommit, versions 0 to 6: offsets that count once their transaction is committed."""
    made = _Commit(
        broker,
        request,
        TxnOffsetCommitResponse,
        TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic,
        TxnOffsetCommitResponse.TxnOffsetCommitResponsePartition,
        by_id=call.version >= TXN_BY_ID_VERSION,
    )
    if request.topics and not made.topics:
        call.reply(made.response({}))
        return
    request.topics = made.topics

    def decide(refused: Refused) -> None:
        found = group_shard(broker, request.group_id)
        if isinstance(found, int):
            call.reply(made.response({}, found))
            return
        hosted, shard = found
        code = next(iter(refused.values()), 0)
        if not code and broker.verifications.enabled:
            code = hosted.partition.transaction_error(request.producer_id, request.producer_epoch, 0, begins_at_zero=False)
        if code:
            call.reply(made.response({}, _refusal_of_txn_commit(code)))
            return
        hosted.carry_out(shard.txn_commit(request, caller_of(call), lambda response: call.reply(made.response(_codes(response)))))

    if not broker.verifications.enabled:
        decide({})
    elif not broker.verifications.ask(request.transactional_id, lambda: _question(broker, call, request), decide):
        call.reply(made.response({}, ErrorCode.COORDINATOR_LOAD_IN_PROGRESS))


def _question(broker: "Broker", call: Call, request: TxnOffsetCommitRequest) -> Question | None:
    """What the transaction coordinator has to be asked before offsets are written into its transaction."""
    found = group_shard(broker, request.group_id)
    if isinstance(found, int):
        return None
    partition = found[0].partition
    if not partition.expect_transaction(request.producer_id, request.producer_epoch, 0):
        return None
    place = (GROUPS.topic, partition.topic_partition.partition)
    return Question(
        request.transactional_id,
        request.producer_id,
        request.producer_epoch,
        [place],
        adds=call.version >= TXN_ADDS_VERSION,
        knows_abortable=call.version >= TXN_ABORTABLE_VERSION,
    )


def _refusal_of_txn_commit(error_code: int) -> int:
    """As Kafka tells it: what is not over yet is a coordinator that is still loading, which every client tries again after."""
    return ErrorCode.COORDINATOR_LOAD_IN_PROGRESS if error_code == ErrorCode.NOT_ENOUGH_REPLICAS else error_code


# --- reading and deleting

_Group = OffsetFetchRequest.OffsetFetchRequestGroup
_Found = OffsetFetchResponse.OffsetFetchResponseGroup
_FoundTopic = OffsetFetchResponse.OffsetFetchResponseTopics
_FoundPartition = OffsetFetchResponse.OffsetFetchResponsePartitions


def fetch(broker: "Broker", call: Call, request: OffsetFetchRequest) -> None:
    """OffsetFetch, versions 1 to 10: one group before version 8, several since."""
    if call.version >= MANY_GROUPS_VERSION:
        groups = list({group.group_id: group for group in request.groups}.values())  # each once, however often it is named
    else:
        topics = request.topics
        asked = None if topics is None else [_asked_topic(each.name, each.partition_indexes) for each in topics]
        groups = [_Group(group_id=request.group_id, member_id=None, member_epoch=-1, topics=asked)]
    found: dict[int, OffsetFetchResponse.OffsetFetchResponseGroup] = {}

    def take(at: int) -> Callable[[OffsetFetchResponse.OffsetFetchResponseGroup], None]:
        def one(group: OffsetFetchResponse.OffsetFetchResponseGroup) -> None:
            found[at] = group
            if len(found) == len(groups):
                _reply_fetched(call, request, [found[each] for each in range(len(groups))])

        return one

    if not groups:
        _reply_fetched(call, request, [])
    for at, group in enumerate(groups):
        _fetch_one(broker, call, request.require_stable, group, take(at))


def _asked_topic(name: str, indexes: list[int]) -> OffsetFetchRequest.OffsetFetchRequestTopics:
    return OffsetFetchRequest.OffsetFetchRequestTopics(name=name, partition_indexes=indexes)


def _fetch_one(
    broker: "Broker",
    call: Call,
    require_stable: bool,
    group: OffsetFetchRequest.OffsetFetchRequestGroup,
    take: Callable[[OffsetFetchResponse.OffsetFetchResponseGroup], None],
) -> None:
    by_id = call.version >= FETCH_BY_ID_VERSION
    unknown: list[OffsetFetchResponse.OffsetFetchResponseTopics] = []
    if by_id and group.topics is not None:
        known: list[OffsetFetchRequest.OffsetFetchRequestTopics] = []
        for topic in group.topics:
            there = broker.image.topics.get(topic.topic_id)
            if there is None:
                unknown.append(_unknown(topic))
            else:
                topic.name = there.name
                known.append(topic)
        group.topics = known
    found = group_shard(broker, group.group_id)
    if isinstance(found, int):
        take(_Found(group_id=group.group_id, topics=[], error_code=found))
        return

    def reply(answer: OffsetFetchResponse.OffsetFetchResponseGroup) -> None:
        if by_id and not answer.error_code:
            for topic in answer.topics:
                topic.topic_id = broker.image.topic_ids.get(topic.name, ZERO_UUID)
            answer.topics = [topic for topic in answer.topics if topic.topic_id != ZERO_UUID] + unknown
        take(answer)

    hosted, shard = found
    hosted.carry_out(shard.fetch_offsets(group, require_stable, caller_of(call), reply))


def _unknown(topic: OffsetFetchRequest.OffsetFetchRequestTopics) -> OffsetFetchResponse.OffsetFetchResponseTopics:
    return _FoundTopic(
        name="",
        topic_id=topic.topic_id,
        partitions=[
            _FoundPartition(
                partition_index=index, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=ErrorCode.UNKNOWN_TOPIC_ID
            )
            for index in topic.partition_indexes
        ],
    )


def _failed(topic: OffsetFetchRequest.OffsetFetchRequestTopic, error_code: int) -> OffsetFetchResponse.OffsetFetchResponseTopics:
    """Every partition of a topic with the error that versions without one for the whole answer have no other place for."""
    partitions = [
        _FoundPartition(partition_index=index, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=error_code)
        for index in topic.partition_indexes
    ]
    return _FoundTopic(name=topic.name, partitions=partitions)


def _reply_fetched(call: Call, request: OffsetFetchRequest, groups: list[OffsetFetchResponse.OffsetFetchResponseGroup]) -> None:
    if call.version >= MANY_GROUPS_VERSION:
        call.reply(OffsetFetchResponse(groups=groups))
        return
    group = groups[0]
    if group.error_code and call.version < ERROR_VERSION:
        group.topics = [_failed(topic, group.error_code) for topic in request.topics or ()]
    partition = OffsetFetchResponse.OffsetFetchResponsePartition
    topics = [
        OffsetFetchResponse.OffsetFetchResponseTopic(
            name=topic.name,
            partitions=[
                partition(
                    partition_index=each.partition_index,
                    committed_offset=each.committed_offset,
                    committed_leader_epoch=each.committed_leader_epoch,
                    metadata=each.metadata,
                    error_code=each.error_code,
                )
                for each in topic.partitions
            ],
        )
        for topic in group.topics
    ]
    call.reply(OffsetFetchResponse(topics=topics, error_code=group.error_code))


def delete(broker: "Broker", call: Call, request: OffsetDeleteRequest) -> None:
    """OffsetDelete, version 0."""
    image = broker.image
    result, answer = OffsetDeleteResponse.OffsetDeleteResponseTopic, OffsetDeleteResponse.OffsetDeleteResponsePartition
    found = group_shard(broker, request.group_id)
    if isinstance(found, int):
        call.reply(OffsetDeleteResponse(error_code=found, topics=[]))
        return
    unknown = [topic for topic in request.topics if image.topic(topic.name) is None]
    request.topics = [topic for topic in request.topics if image.topic(topic.name) is not None]

    def reply(response: OffsetDeleteResponse) -> None:
        if not response.error_code:
            for topic in unknown:
                codes = [
                    answer(partition_index=each.partition_index, error_code=ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
                    for each in topic.partitions
                ]
                response.topics.append(result(name=topic.name, partitions=codes))
        call.reply(response)

    hosted, shard = found
    hosted.carry_out(shard.delete_offsets(request, caller_of(call), reply))


COMMIT = Api(OffsetCommitRequest, OffsetCommitResponse, commit, "Read on Group and Topic")
FETCH = Api(OffsetFetchRequest, OffsetFetchResponse, fetch, "Describe on Group and Topic")
TXN_COMMIT = Api(TxnOffsetCommitRequest, TxnOffsetCommitResponse, txn_commit, "Write on TransactionalId; Read on Group and Topic")
DELETE = Api(OffsetDeleteRequest, OffsetDeleteResponse, delete, "Delete on Group; Read on Topic")
