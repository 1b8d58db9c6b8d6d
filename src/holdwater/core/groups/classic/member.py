"""One member of a classic group."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdwater.kernel.invariant import invariant
from holdwater.wire.messages import (
    DescribeGroupsResponse,
    GroupMetadataValue,
    JoinGroupRequest,
    JoinGroupResponse,
    SyncGroupResponse,
)

JoinReply = Callable[[JoinGroupResponse], None]
SyncReply = Callable[[SyncGroupResponse], None]
Protocols = tuple[tuple[str, bytes], ...]
"""The protocols (assignors) a member can use, the one it likes most first, each with the member's metadata for it."""


def protocols_of(request: JoinGroupRequest) -> Protocols:
    """The protocols in a request; of two with one name the first counts."""
    first: dict[str, bytes] = {}
    for protocol in request.protocols:
        first.setdefault(protocol.name, protocol.metadata)
    return tuple(first.items())


@dataclass(eq=False)
class ClassicMember:
    """A member, and the requests of it that are parked: at most one join and one sync."""

    member_id: str
    instance_id: str | None
    client_id: str
    client_host: str
    rebalance_timeout_ms: int
    session_timeout_ms: int
    protocol_type: str
    protocols: Protocols
    assignment: bytes = b""
    """What the group's leader gave it in the current generation; empty while a rebalance goes on."""
    is_new: bool = False
    """It has not been in a generation yet, so it cannot send heartbeats: its first join may expire while it is parked."""
    parked_join: JoinReply | None = None
    parked_sync: SyncReply | None = None

    @property
    def is_static(self) -> bool:
        """Whether it outlives its connections under a name of its own (KIP-345)."""
        return self.instance_id is not None

    @property
    def is_heard(self) -> bool:
        """Whether it counts as alive without a heartbeat: a member with a parked request cannot send one."""
        return not self.is_new and (self.parked_join is not None or self.parked_sync is not None)

    def metadata(self, protocol_name: str) -> bytes:
        """Its metadata for one of its protocols."""
        found = next((metadata for name, metadata in self.protocols if name == protocol_name), None)
        invariant(found is not None, f"member {self.member_id} must support the group's protocol {protocol_name}")
        assert found is not None
        return found

    def vote(self, candidates: Sequence[str]) -> str:
        """The candidate that it likes most."""
        choice = next((name for name, _ in self.protocols if name in candidates), None)
        invariant(choice is not None, f"member {self.member_id} must support one of {candidates}")
        assert choice is not None
        return choice

    def described(self, protocol_name: str | None) -> DescribeGroupsResponse.DescribedGroupMember:
        """Itself for DescribeGroups; ``None`` for a group that is not stable, of which metadata and assignment are not told."""
        return DescribeGroupsResponse.DescribedGroupMember(
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            member_metadata=b"" if protocol_name is None else self.metadata(protocol_name),
            member_assignment=b"" if protocol_name is None else self.assignment,
        )

    def recorded(self, protocol_name: str, assignment: bytes) -> GroupMetadataValue.MemberMetadata:
        """Itself in the group's record."""
        return GroupMetadataValue.MemberMetadata(
            member_id=self.member_id,
            group_instance_id=self.instance_id,
            client_id=self.client_id,
            client_host=self.client_host,
            rebalance_timeout=self.rebalance_timeout_ms,
            session_timeout=self.session_timeout_ms,
            subscription=self.metadata(protocol_name),
            assignment=assignment,
        )

    @staticmethod
    def restored(value: GroupMetadataValue, member: GroupMetadataValue.MemberMetadata) -> "ClassicMember":
        """A member from the group's record: it has only the protocol that the group had chosen."""
        return ClassicMember(
            member.member_id,
            member.group_instance_id,
            member.client_id,
            member.client_host,
            member.session_timeout if member.rebalance_timeout == -1 else member.rebalance_timeout,
            member.session_timeout,
            value.protocol_type,
            ((value.protocol or "", member.subscription),),
            member.assignment,
        )
