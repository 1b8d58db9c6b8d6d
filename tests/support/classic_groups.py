"""A group shard on a fake host, and the requests of classic members in few words.

    bench = Bench()
    first = bench.member("g")            # asks for an id and joins with it
    bench.host.advance(3_000)            # the initial delay
    bench.sync(first, {first: b"all"})   # the group's leader brings the assignment
    assert first.synced.assignment == b"all"

Every answer goes through its bytes in the version of the request, so one that cannot be said there fails.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.coordinator import FakeHost

from holdwater.core.coordinator import Caller, Decision
from holdwater.core.groups.shard import GroupShard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.codec.classes import Message
from holdwater.wire.codec.compiled import decode, encode
from holdwater.wire.messages import (
    ConsumerProtocolSubscription,
    HeartbeatRequest,
    HeartbeatResponse,
    JoinGroupRequest,
    JoinGroupResponse,
    LeaveGroupRequest,
    LeaveGroupResponse,
    OffsetCommitRequest,
    OffsetCommitResponse,
    OffsetFetchRequest,
    OffsetFetchResponse,
    SyncGroupRequest,
    SyncGroupResponse,
    TxnOffsetCommitRequest,
    TxnOffsetCommitResponse,
)

JOIN_VERSION = 9
SYNC_VERSION = 5
SESSION_MS = 10_000
REBALANCE_MS = 60_000
DELAY_MS = 3_000


def subscription(*topics: str, version: int = 1, owned: Mapping[str, list[int]] | None = None) -> bytes:
    """A consumer's metadata that names the topics, and the partitions that it says it has."""
    has = [ConsumerProtocolSubscription.TopicPartition(topic, indexes) for topic, indexes in (owned or {}).items()]
    return version.to_bytes(2, "big") + encode(ConsumerProtocolSubscription(topics=list(topics), owned_partitions=has), version)


class Answers(list[Any]):
    """What came for one request: nothing, or one response."""

    @property
    def only(self) -> Any:
        """The response."""
        assert len(self) == 1, f"expected one answer, got {list(self)}"
        return self[0]

    @property
    def error(self) -> ErrorCode:
        """Its error."""
        return ErrorCode(self.only.error_code)


@dataclass(eq=False)
class Member:
    """A classic member as its client knows it."""

    group_id: str
    member_id: str = ""
    instance_id: str | None = None
    generation: int = -1
    joins: Answers = field(default_factory=Answers)
    syncs: Answers = field(default_factory=Answers)

    @property
    def joined(self) -> JoinGroupResponse:
        """The answer to its last join; takes over id and generation."""
        response: JoinGroupResponse = self.joins.only
        if response.error_code == ErrorCode.NONE:
            self.member_id, self.generation = response.member_id, response.generation_id
        return response

    @property
    def synced(self) -> SyncGroupResponse:
        """The answer to its last sync."""
        return self.syncs.only


class Bench:
    """See the module."""

    def __init__(self, **texts: str) -> None:
        self.host = FakeHost({name.replace("_", "."): text for name, text in texts.items()})
        self.shard = GroupShard(self.host)
        self.host.shard = self.shard
        self.shard.loaded()

    def ask(
        self, handler: Callable[[Any, Caller, Callable[[Any], None]], Decision], request: Any, version: int, kind: type[Message]
    ) -> Answers:
        """Hand a request to the shard as a client of the version would."""
        answers = Answers()

        def reply(response: Message) -> None:
            assert isinstance(response, kind)
            answers.append(decode(kind, version, encode(response, version)))

        self.host.run(handler(request, Caller(version, "client", "/127.0.0.1"), reply))
        return answers

    # Classic members

    def join(
        self,
        group_id: str = "g",
        member_id: str = "",
        *,
        version: int = JOIN_VERSION,
        protocols: Mapping[str, bytes] | None = None,
        protocol_type: str = "consumer",
        instance_id: str | None = None,
        session_ms: int = SESSION_MS,
        rebalance_ms: int = REBALANCE_MS,
    ) -> Answers:
        """JoinGroup."""
        given = {"range": subscription("t")} if protocols is None else protocols
        request = JoinGroupRequest(
            group_id=group_id,
            session_timeout_ms=session_ms,
            rebalance_timeout_ms=rebalance_ms,
            member_id=member_id,
            group_instance_id=instance_id,
            protocol_type=protocol_type,
            protocols=[JoinGroupRequest.JoinGroupRequestProtocol(name=name, metadata=metadata) for name, metadata in given.items()],
        )
        return self.ask(self.shard.join, request, version, JoinGroupResponse)

    def member(self, group_id: str = "g", *, instance_id: str | None = None, **options: Any) -> Member:
        """A new member whose join is parked, or answered."""
        member = Member(group_id, instance_id=instance_id)
        if instance_id is None:
            first = self.join(group_id, **options)
            assert first.error is ErrorCode.MEMBER_ID_REQUIRED
            member.member_id = first.only.member_id
        self.rejoin(member, **options)
        return member

    def rejoin(self, member: Member, **options: Any) -> Answers:
        """The member joins again with the id it has."""
        member.joins = self.join(member.group_id, member.member_id, instance_id=member.instance_id, **options)
        return member.joins

    def sync(self, member: Member, assignments: Mapping[Member, bytes] | None = None, **fields: Any) -> Answers:
        """SyncGroup of the member, in the generation of its last join."""
        if member.joins:
            assert member.joined.error_code == ErrorCode.NONE
        request = SyncGroupRequest(
            group_id=member.group_id,
            generation_id=member.generation,
            member_id=member.member_id,
            group_instance_id=member.instance_id,
            assignments=[
                SyncGroupRequest.SyncGroupRequestAssignment(member_id=to.member_id, assignment=assignment)
                for to, assignment in (assignments or {}).items()
            ],
        )
        for name, value in fields.items():
            setattr(request, name, value)
        member.syncs = self.ask(self.shard.sync, request, SYNC_VERSION, SyncGroupResponse)
        return member.syncs

    def heartbeat(self, member: Member, **fields: Any) -> ErrorCode:
        """Heartbeat of the member."""
        request = HeartbeatRequest(
            group_id=member.group_id, generation_id=member.generation, member_id=member.member_id, group_instance_id=member.instance_id
        )
        for name, value in fields.items():
            setattr(request, name, value)
        return self.ask(self.shard.heartbeat, request, 4, HeartbeatResponse).error

    def leave(self, *members: Member, version: int = 5) -> Answers:
        """LeaveGroup of one member or several."""
        identities = [LeaveGroupRequest.MemberIdentity(member_id=one.member_id, group_instance_id=one.instance_id) for one in members]
        request = LeaveGroupRequest(group_id=members[0].group_id, member_id=members[0].member_id, members=identities)
        return self.ask(self.shard.leave, request, version, LeaveGroupResponse)

    def stable(self, count: int = 1, group_id: str = "g", **options: Any) -> list[Member]:
        """A stable group of so many members, its leader first; the assignment of member n is ``a<n>``."""
        members = [self.member(group_id, **options) for _ in range(count)]
        self.host.advance(DELAY_MS * (1 if count == 1 else 2))
        self.settle(members)
        return members

    def settle(self, members: list[Member]) -> None:
        """Every member syncs, the leader last; afterwards all have their assignment."""
        leader_id = members[0].joined.leader
        for member in members:
            assert member.joined.error_code == ErrorCode.NONE, member.joined
        leader = next(member for member in members if member.member_id == leader_id)
        for member in members:
            if member is not leader:
                self.sync(member)
        self.sync(leader, {member: b"a%d" % number for number, member in enumerate(members)})
        for number, member in enumerate(members):
            assert (member.synced.error_code, member.synced.assignment) == (0, b"a%d" % number)

    # Offsets

    def commit(
        self,
        offsets: Mapping[tuple[str, int], int],
        *,
        group_id: str = "g",
        member: Member | None = None,
        version: int = 9,
        metadata: str | None = "",
        **fields: Any,
    ) -> Answers:
        """OffsetCommit, by (topic, partition)."""
        request = OffsetCommitRequest(group_id=group_id, generation_id_or_member_epoch=-1, topics=[])
        if member is not None:
            request.generation_id_or_member_epoch, request.member_id = member.generation, member.member_id
            request.group_instance_id = member.instance_id
        for (topic, partition), offset in offsets.items():
            one = OffsetCommitRequest.OffsetCommitRequestPartition(
                partition_index=partition, committed_offset=offset, committed_leader_epoch=4, committed_metadata=metadata
            )
            request.topics.append(OffsetCommitRequest.OffsetCommitRequestTopic(name=topic, partitions=[one]))
        for name, value in fields.items():
            setattr(request, name, value)
        return self.ask(self.shard.commit, request, version, OffsetCommitResponse)

    def txn_commit(
        self,
        offsets: Mapping[tuple[str, int], int],
        *,
        producer_id: int = 7,
        group_id: str = "g",
        member: Member | None = None,
        version: int = 5,
        metadata: str | None = "",
    ) -> Answers:
        """TxnOffsetCommit, by (topic, partition)."""
        request = TxnOffsetCommitRequest(transactional_id="x", group_id=group_id, producer_id=producer_id, producer_epoch=0, topics=[])
        request.generation_id_or_member_epoch = -1
        if member is not None:
            request.generation_id_or_member_epoch, request.member_id = member.generation, member.member_id
        for (topic, partition), offset in offsets.items():
            one = TxnOffsetCommitRequest.TxnOffsetCommitRequestPartition(
                partition_index=partition, committed_offset=offset, committed_metadata=metadata
            )
            request.topics.append(TxnOffsetCommitRequest.TxnOffsetCommitRequestTopic(name=topic, partitions=[one]))
        return self.ask(self.shard.txn_commit, request, version, TxnOffsetCommitResponse)

    def fetch(self, *places: tuple[str, int], group_id: str = "g", stable: bool = False, version: int = 9, **fields: Any) -> Answers:
        """OffsetFetch; without places every topic. The answer is the group's part of a response."""
        topics = [OffsetFetchRequest.OffsetFetchRequestTopics(name=topic, partition_indexes=[partition]) for topic, partition in places]
        request = OffsetFetchRequest.OffsetFetchRequestGroup(group_id=group_id, topics=topics or None)
        for name, value in fields.items():
            setattr(request, name, value)
        answers = Answers()

        def reply(group: OffsetFetchResponse.OffsetFetchResponseGroup) -> None:
            whole = decode(OffsetFetchResponse, version, encode(OffsetFetchResponse(groups=[group]), version))
            answers.append(whole.groups[0])

        self.host.run(self.shard.fetch_offsets(request, stable, Caller(version), reply))
        return answers

    def committed(self, **options: Any) -> dict[tuple[str, int], int]:
        """Every committed offset of a group."""
        group = self.fetch(**options).only
        return {(topic.name, one.partition_index): one.committed_offset for topic in group.topics for one in topic.partitions}
