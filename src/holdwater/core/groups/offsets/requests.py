"""OffsetCommit, TxnOffsetCommit, OffsetFetch and OffsetDelete.

Topics come by name: whoever calls has turned the ids of newer versions into names, and refused topics that there are not or that the client
may not see. An offset is stored with the id that its topic had, so that a new topic of the same name does not inherit it.
"""

from collections.abc import Callable
from typing import NamedTuple

from holdwater.core.coordinator import Caller, CoordinatorRecord, Decision, ShardHost, answer
from holdwater.core.groups.append_errors import for_clients, for_offset_fetch
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.rebalance import Rebalance
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.modern import Groups
from holdwater.core.groups.offsets.access import check_commit, check_fetch, check_offset_delete, check_transactional_commit
from holdwater.core.groups.offsets.committed import NO_EXPIRY, CommittedOffset, Offsets
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.identifiers import ZERO_UUID
from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import (
    OffsetCommitKey,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetCommitValue,
    OffsetDeleteRequest,
    OffsetDeleteResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

RECORD_VERSION = 4
RECORD_VERSION_WITH_EXPIRY = 1
"""The only version that can tell when an offset expires; it has no leader epoch and no topic id."""

_FETCH_HAS_TOPIC_IDS_FROM = 10
_DEFAULT_RETENTION = -1
_LATEST_MS = 2**63 - 1

CommitReply = Callable[[OffsetCommitResponse], None]
TxnCommitReply = Callable[[TxnOffsetCommitResponse], None]
FetchReply = Callable[[OffsetFetchResponse.OffsetFetchResponseGroup], None]
OffsetDeleteReply = Callable[[OffsetDeleteResponse], None]
_CommitPartition = OffsetCommitRequest.OffsetCommitRequestPartition | TxnOffsetCommitRequest.TxnOffsetCommitRequestPartition
_Fetched = OffsetFetchResponse.OffsetFetchResponsePartitions
_FetchedTopic = OffsetFetchResponse.OffsetFetchResponseTopics


class _Stored(NamedTuple):
    """When, and until when."""

    commit_wall_ms: int
    expire_wall_ms: int = NO_EXPIRY


def offset_tombstone(group_id: str, topic: str, partition: int) -> CoordinatorRecord:
    """The end of a committed offset, and of pending ones."""
    return CoordinatorRecord(OffsetCommitKey(group=group_id, topic=topic, partition=partition), None)


class OffsetRequests:
    """The handlers; see the module."""

    def __init__(self, host: ShardHost, groups: Groups, offsets: Offsets, rebalance: Rebalance) -> None:
        self._host = host
        self._groups = groups
        self._offsets = offsets
        self._rebalance = rebalance

    # Commits

    def commit(self, request: OffsetCommitRequest, caller: Caller, reply: CommitReply) -> Decision:
        """OffsetCommit."""
        group = self._groups.get(request.group_id)
        error = check_commit(group, request, caller.version)
        if error != ErrorCode.NONE:
            return answer(reply, _commit_response(request, lambda _: error))
        if isinstance(group, ClassicGroup) and group.state in (ClassicState.STABLE, ClassicState.PREPARING_REBALANCE):
            invariant(request.generation_id_or_member_epoch == group.generation, "C3: only the current generation commits")
            self._rebalance.heard(group, group.members[request.member_id])
        now_ms, retention_ms = self._host.wall_ms, request.retention_time_ms
        stored = _Stored(now_ms, NO_EXPIRY if retention_ms == _DEFAULT_RETENTION else min(now_ms + retention_ms, _LATEST_MS))
        records = tuple(
            self._record(request.group_id, topic.name, topic.topic_id, partition, stored)
            for topic in request.topics
            for partition in topic.partitions
            if self._metadata_error(partition) == ErrorCode.NONE
        )
        response = _commit_response(request, self._metadata_error)

        def failed(error_code: int) -> None:
            reply(_commit_response(request, lambda _: for_clients(error_code)))

        return Decision(records, lambda: reply(response), failed, waits=bool(records))

    def txn_commit(self, request: TxnOffsetCommitRequest, caller: Caller, reply: TxnCommitReply) -> Decision:
        """TxnOffsetCommit: the records belong to the producer's transaction, and count when it commits."""
        error = check_transactional_commit(self._groups.get(request.group_id), request, caller.version)
        if not request.group_id:
            error = ErrorCode.INVALID_GROUP_ID
        if error != ErrorCode.NONE:
            return answer(reply, _txn_commit_response(request, lambda _: error))
        stored = _Stored(self._host.wall_ms)
        records = tuple(
            self._record(request.group_id, topic.name, topic.topic_id, partition, stored)
            for topic in request.topics
            for partition in topic.partitions
            if self._metadata_error(partition) == ErrorCode.NONE
        )
        response = _txn_commit_response(request, self._metadata_error)

        def failed(error_code: int) -> None:
            reply(_txn_commit_response(request, lambda _: for_clients(error_code)))

        return Decision(
            records,
            lambda: reply(response),
            failed,
            producer_id=request.producer_id,
            producer_epoch=request.producer_epoch,
            waits=bool(records),
        )

    def _metadata_error(self, partition: _CommitPartition) -> ErrorCode:
        """``offset.metadata.max.bytes``, which counts UTF-16 units, whatever it is called."""
        units = len((partition.committed_metadata or "").encode("utf-16-le", "surrogatepass")) // 2
        too_large = units > self._host.config.int("offset.metadata.max.bytes")
        return ErrorCode.OFFSET_METADATA_TOO_LARGE if too_large else ErrorCode.NONE

    def _record(self, group_id: str, topic: str, topic_id: bytes, partition: _CommitPartition, stored: _Stored) -> CoordinatorRecord:
        key = OffsetCommitKey(group=group_id, topic=topic, partition=partition.partition_index)
        value = OffsetCommitValue(
            offset=partition.committed_offset,
            leader_epoch=partition.committed_leader_epoch,
            metadata=partition.committed_metadata or "",
            commit_timestamp=stored.commit_wall_ms,
            expire_timestamp=stored.expire_wall_ms,
            topic_id=topic_id if topic_id != ZERO_UUID else self._host.topics.topic_id(topic) or ZERO_UUID,
        )
        return CoordinatorRecord(key, value, RECORD_VERSION if stored.expire_wall_ms == NO_EXPIRY else RECORD_VERSION_WITH_EXPIRY)

    # Fetches

    def fetch(
        self, request: OffsetFetchRequest.OffsetFetchRequestGroup, require_stable: bool, caller: Caller, reply: FetchReply
    ) -> Decision:
        """OffsetFetch for one group. The answer waits until everything it tells is committed (C4)."""
        group_id = request.group_id
        error = check_fetch(self._groups.get(group_id), request)
        if error != ErrorCode.NONE:
            return answer(reply, OffsetFetchResponse.OffsetFetchResponseGroup(group_id=group_id, error_code=error))
        if request.topics is None:
            topics = self._all_topics(group_id, require_stable, with_ids=caller.version >= _FETCH_HAS_TOPIC_IDS_FROM)
        else:
            topics = [self._topic(group_id, topic, require_stable) for topic in request.topics]
        response = OffsetFetchResponse.OffsetFetchResponseGroup(group_id=group_id, topics=topics)

        def failed(error_code: int) -> None:
            told = for_offset_fetch(error_code)
            reply(OffsetFetchResponse.OffsetFetchResponseGroup(group_id=group_id, error_code=told))

        return Decision(committed=lambda: reply(response), failed=failed)

    def _topic(self, group_id: str, topic: OffsetFetchRequest.OffsetFetchRequestTopics, require_stable: bool) -> _FetchedTopic:
        fetched = _FetchedTopic(name=topic.name, topic_id=topic.topic_id)
        for partition in topic.partition_indexes:
            offset = self._offsets.committed.get(group_id, topic.name, partition)
            if offset is not None and not offset.is_of(topic.topic_id):
                offset = None
            fetched.partitions.append(self._partition(group_id, topic.name, partition, offset, require_stable))
        return fetched

    def _all_topics(self, group_id: str, require_stable: bool, *, with_ids: bool) -> list[_FetchedTopic]:
        """Every topic with a committed offset, in order; clients that know topics by id are not told of topics that have none any more."""
        fetched: list[_FetchedTopic] = []
        for name, partitions in sorted(self._offsets.committed.topics(group_id).items()):
            topic_id = (self._host.topics.topic_id(name) or ZERO_UUID) if with_ids else ZERO_UUID
            if with_ids and topic_id == ZERO_UUID:
                continue
            told = [
                self._partition(group_id, name, partition, offset, require_stable)
                for partition, offset in sorted(partitions.items())
                if offset.is_of(topic_id)
            ]
            if told:
                fetched.append(_FetchedTopic(name=name, topic_id=topic_id, partitions=told))
        return fetched

    def _partition(self, group_id: str, topic: str, partition: int, offset: CommittedOffset | None, require_stable: bool) -> _Fetched:
        if require_stable and self._offsets.is_pending(group_id, topic, partition):  # C5: it may be another one in a moment
            error = ErrorCode.UNSTABLE_OFFSET_COMMIT
            return _Fetched(partition_index=partition, committed_offset=-1, committed_leader_epoch=-1, metadata="", error_code=error)
        if offset is None:
            return _Fetched(partition_index=partition, committed_offset=-1, committed_leader_epoch=-1, metadata="")
        return _Fetched(
            partition_index=partition,
            committed_offset=offset.offset,
            committed_leader_epoch=offset.leader_epoch,
            metadata=offset.metadata,
        )

    # Deletion

    def delete(self, request: OffsetDeleteRequest, reply: OffsetDeleteReply) -> Decision:
        """OffsetDelete, except for topics that the group's members read."""
        group = self._groups.get(request.group_id)
        error = ErrorCode.NONE if request.group_id else ErrorCode.INVALID_GROUP_ID
        error = error or check_offset_delete(group)
        if error != ErrorCode.NONE or group is None:
            return answer(reply, OffsetDeleteResponse(error_code=error))
        response = OffsetDeleteResponse()
        records: list[CoordinatorRecord] = []
        for topic in request.topics:
            in_use = ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC if group.is_subscribed_to(topic.name) else ErrorCode.NONE
            told = OffsetDeleteResponse.OffsetDeleteResponseTopic(name=topic.name)
            for partition in topic.partitions:
                where = request.group_id, topic.name, partition.partition_index
                told.partitions.append(OffsetDeleteResponse.OffsetDeleteResponsePartition(partition_index=where[2], error_code=in_use))
                if not in_use and (self._offsets.committed.get(*where) is not None or self._offsets.is_pending(*where)):
                    records.append(offset_tombstone(*where))
            response.topics.append(told)

        def failed(error_code: int) -> None:
            reply(OffsetDeleteResponse(error_code=for_clients(error_code)))

        return Decision(tuple(records), lambda: reply(response), failed)


def _commit_response(request: OffsetCommitRequest, error_of: Callable[[_CommitPartition], int]) -> OffsetCommitResponse:
    response = OffsetCommitResponse()
    for topic in request.topics:
        partitions = [
            OffsetCommitResponse.OffsetCommitResponsePartition(partition_index=partition.partition_index, error_code=error_of(partition))
            for partition in topic.partitions
        ]
        told = OffsetCommitResponse.OffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id, partitions=partitions)
        response.topics.append(told)
    return response


def _txn_commit_response(request: TxnOffsetCommitRequest, error_of: Callable[[_CommitPartition], int]) -> TxnOffsetCommitResponse:
    response = TxnOffsetCommitResponse()
    for topic in request.topics:
        partitions = [
            TxnOffsetCommitResponse.TxnOffsetCommitResponsePartition(
                partition_index=partition.partition_index, error_code=error_of(partition)
            )
            for partition in topic.partitions
        ]
        told = TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic(name=topic.name, topic_id=topic.topic_id, partitions=partitions)
        response.topics.append(told)
    return response
