"""A consumer group whose last member of the new protocol goes becomes a classic group again, with the members that are left (KIP-848).

Its records end the consumer group and begin a classic one in the generation that is the group epoch. Every member keeps what it may use. The group
is stored without a leader, which says that its members are to be called, now or by the next coordinator, so that one of them becomes the group's
leader and shares out what was the other's. Only a static member that takes the place of itself leaves nothing to share out.
"""

from collections.abc import Collection
from typing import NamedTuple

from holdwater.core.coordinator import CoordinatorRecord, ShardHost
from holdwater.core.groups.classic_group import ClassicGroup
from holdwater.core.groups.classic_member import ClassicMember
from holdwater.core.groups.consumer_classic_join import ClassicJoin, classic_assignment, join_response
from holdwater.core.groups.consumer_member import ConsumerMember
from holdwater.core.groups.consumer_removal import group_tombstones
from holdwater.core.groups.consumer_state import ConsumerState
from holdwater.core.groups.consumer_subscriptions import topics_of
from holdwater.core.groups.subscriptions import CONSUMER_PROTOCOL_TYPE
from holdwater.wire.messages import JoinGroupResponse

_POLICY = "group.consumer.migration.policy"
_ALLOWS = ("downgrade", "bidirectional")

Records = tuple[CoordinatorRecord, ...]


class Replaced(NamedTuple):
    """A downgrade that a join brings about."""

    records: Records
    response: JoinGroupResponse


class Downgrades(NamedTuple):
    """Decides for one group whether it goes back, and how."""

    group_id: str
    state: ConsumerState
    host: ShardHost

    def without(self, gone: Collection[str]) -> Records:
        """The downgrade when these members go; nothing when the group stays what it is."""
        left = [member for member_id, member in self.state.members.items() if member_id not in gone]
        return self._records(left, is_shared_out=False) if self._may_go_back(left) else ()

    def by_replacement(self, join: ClassicJoin) -> Replaced | None:
        """The downgrade when a static member comes back with the classic protocol, and was the last one that had the new one."""
        holder = join.before.known
        if holder is None or holder.speaks_classic:
            return None
        members = [join.member if member is holder else member for member in self.state.members.values()]
        if not self._may_go_back(members):
            return None
        wants_the_same = topics_of(holder, self.state.resolved) == join.member.subscribed_topic_names
        is_at_rest = self.state.assignment_epoch == self.state.group_epoch and all(
            member.is_reconciled_to(self.state.assignment_epoch) for member in self.state.members.values() if member is not holder
        )
        records = self._records(members, is_shared_out=wants_the_same and is_at_rest)
        return Replaced(records, join_response(join.member, self.state.group_epoch))

    def _may_go_back(self, members: list[ConsumerMember]) -> bool:
        config = self.host.config
        return (
            0 < len(members) <= config.int("group.max.size")
            and all(member.speaks_classic for member in members)
            and _have_one_protocol(members)
            and config.string(_POLICY).lower() in _ALLOWS
        )

    def _records(self, members: list[ConsumerMember], *, is_shared_out: bool) -> Records:
        self.host.note(
            f"group {self.group_id}: becomes a classic group of {len(members)} members after group epoch {self.state.group_epoch}"
        )
        group = ClassicGroup(self.group_id, self.host)
        for member in members:
            group.add(self._as_classic(member))
        group.generation = self.state.group_epoch
        group.protocol_name = group.select_protocol()
        group.leader = group.leader if is_shared_out else None
        return (*group_tombstones(self.group_id, self.state), group.record())

    def _as_classic(self, member: ConsumerMember) -> ClassicMember:
        assert member.classic_metadata is not None
        return ClassicMember(
            member.member_id,
            member.instance_id,
            member.client_id,
            member.client_host,
            member.rebalance_timeout_ms,
            member.classic_metadata.session_timeout_ms,
            CONSUMER_PROTOCOL_TYPE,
            member.classic_protocols,
            classic_assignment(member, self.host.topics),
        )


def _have_one_protocol(members: list[ConsumerMember]) -> bool:
    """Whether all of them support one protocol. Each was let in only if it does; a log of another coordinator may say otherwise."""
    known = [frozenset(name for name, _ in member.classic_protocols) for member in members]
    return any(all(name in names for names in known) for name in known[0])
