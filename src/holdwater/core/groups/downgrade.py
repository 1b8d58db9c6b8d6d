"""A consumer group whose last member of the new protocol goes becomes a classic group again, with the members that are left (KIP-848).

Its records end the consumer group and begin a classic one in the generation that is the group epoch. Every member keeps what it may use. The group
is stored without a leader, which says that its members are to be called, now or by the next coordinator, so that one of them becomes the group's
leader and shares out what was the other's.
"""

from collections.abc import Collection
from typing import NamedTuple

from holdwater.core.coordinator import CoordinatorRecord, ShardHost, TopicsView
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.member import ClassicMember
from holdwater.core.groups.consumer.classic_join import ClassicJoin, classic_assignment, join_response
from holdwater.core.groups.consumer.member import ConsumerMember
from holdwater.core.groups.consumer.removal import group_tombstones
from holdwater.core.groups.consumer.settings import may_move
from holdwater.core.groups.consumer.state import ConsumerState
from holdwater.core.groups.subscriptions import CONSUMER_PROTOCOL_TYPE
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import JoinGroupResponse

Records = tuple[CoordinatorRecord, ...]


class Replaced(NamedTuple):
    """A downgrade that a join brings about."""

    records: Records
    response: JoinGroupResponse


class Downgrades:
    """Decides for one group whether it goes back, and how."""

    def __init__(self, group_id: str, state: ConsumerState, host: ShardHost) -> None:
        self._group_id = group_id
        self._state = state
        self._host = host
        self._is_too_large = False

    def without(self, gone: Collection[str]) -> Records:
        """The downgrade when these members go; nothing when the group stays what it is."""
        left = [member for member_id, member in self._state.members.items() if member_id not in gone]
        return self._begin(left).records if self._may_go_back(left) else ()

    def by_replacement(self, join: ClassicJoin) -> Replaced | None:
        """The downgrade when a static member comes back with the classic protocol, and was the last one that had the new one."""
        holder = join.before.known
        if holder is None or holder.speaks_classic:
            return None
        members = [join.member if member is holder else member for member in self._state.members.values()]
        if not self._may_go_back(members):
            return None
        begun = self._begin(members)
        return Replaced(begun.records, join_response(join.member.member_id, self._state.group_epoch, begun.protocol_name))

    def failed(self, error_code: int) -> None:
        """The records could not be appended. When they are too many for one batch, the group stays what it is; its member can go all the same."""
        self._is_too_large = error_code == ErrorCode.MESSAGE_TOO_LARGE

    def _may_go_back(self, members: list[ConsumerMember]) -> bool:
        config = self._host.config
        return (
            0 < len(members) <= config.int("group.max.size")
            and all(member.speaks_classic for member in members)
            and _have_one_protocol(members)
            and may_move(config, "downgrade")
            and not self._is_too_large
        )

    def _begin(self, members: list[ConsumerMember]) -> "_Begun":
        epoch = self._state.group_epoch
        self._host.note(f"group {self._group_id}: becomes a classic group of {len(members)} members after group epoch {epoch}")
        group = ClassicGroup(self._group_id, self._host)
        for member in members:
            group.add(_as_classic(member, self._host.topics))
        group.generation = epoch
        group.protocol_name = group.select_protocol()
        group.leader = None
        return _Begun((*group_tombstones(self._group_id, self._state), group.record()), group.protocol_name)


class _Begun(NamedTuple):
    records: Records
    protocol_name: str


def _as_classic(member: ConsumerMember, topics: TopicsView) -> ClassicMember:
    """The member, with all that it may still be using: nobody is given that by the record, but an upgrade must not take it for free."""
    assert member.classic_metadata is not None
    uses = {topic_id: dict(numbers) for topic_id, numbers in member.assigned.items()}
    for topic_id, numbers in member.pending_revocation.items():
        uses.setdefault(topic_id, {}).update(numbers)
    return ClassicMember(
        member.member_id,
        member.instance_id,
        member.client_id,
        member.client_host,
        member.rebalance_timeout_ms,
        member.classic_metadata.session_timeout_ms,
        CONSUMER_PROTOCOL_TYPE,
        member.classic_protocols,
        classic_assignment(member._replace(assigned=uses), topics),
    )


def _have_one_protocol(members: list[ConsumerMember]) -> bool:
    """Whether all of them support one protocol. Each was let in only if it does; a log of another coordinator may say otherwise."""
    known = [frozenset(name for name, _ in member.classic_protocols) for member in members]
    return any(all(name in names for names in known) for name in known[0])
