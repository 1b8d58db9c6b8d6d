"""The groups of a shard by id: how they come to be and end, live and by the records of a load.

A classic group without protocol type is made for every group id that has committed offsets and no group; nothing else is stored of it.
"""

from holdwater.core.coordinator import Decision, ShardHost
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.rebalance import Rebalance, Records
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.modern import Groups, MakeModernGroup, ModernGroup
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.invariant import invariant
from holdwater.wire.codec.classes import Message
from holdwater.wire.messages import ConsumerGroupMetadataKey, GroupMetadataValue


class Registry:
    """See the module."""

    def __init__(self, host: ShardHost, rebalance: Rebalance, make_modern: MakeModernGroup) -> None:
        self.groups: Groups = {}
        self._host = host
        self._rebalance = rebalance
        self._make_modern = make_modern
        self._candidates: dict[str, ModernGroup] = {}
        """Consumer groups whose first records are being appended: they become groups when these are replayed."""
        self._is_loaded = False

    # While loading, and live

    def replay_classic(self, group_id: str, value: GroupMetadataValue | None) -> None:
        """The record of a classic group. Live there is none but of a group that was a consumer group: a classic group is ahead of its records."""
        if value is not None:
            self._end_classic(group_id)
            self.groups[group_id] = group = ClassicGroup.restored(group_id, value, self._host)
            if self._is_loaded:
                self._begin(group)
        elif isinstance(self.groups.get(group_id), ClassicGroup):
            self._end_classic(group_id)

    def replay_modern(self, group_id: str, key: Message, value: Message | None) -> None:
        """A record of a consumer group. Tombstones of one that there is not are left over by compaction."""
        group = self.groups.get(group_id)
        if group is None or isinstance(group, ClassicGroup):
            if value is None:
                return
            self._end_classic(group_id)
            group = self._candidates.pop(group_id, None) or self._make_modern(group_id, self._host)
            self.groups[group_id] = group
        group.replay(key, value)
        if value is None and isinstance(key, ConsumerGroupMetadataKey):
            del self.groups[group_id]
            group.unloaded(ErrorCode.GROUP_ID_NOT_FOUND)

    def replay_commit(self, group_id: str) -> None:
        """Offsets were committed for the group id."""
        if group_id not in self.groups:
            self.groups[group_id] = ClassicGroup(group_id, self._host)

    def _begin(self, group: ClassicGroup) -> None:
        """From its record: sessions begin, and who must be called is."""
        for member in group.members.values():
            self._rebalance.heard(group, member)
        most = self._host.config.int("group.max.size")
        if len(group.members) > most:
            self._call(group, f"{len(group.members)} members are more than group.max.size")
        elif group.must_call_members:
            self._call(group, "it was a consumer group")

    def _call(self, group: ClassicGroup, why: str) -> None:
        records = self._rebalance.prepare(group, why)
        invariant(not records, "a group with members and without parked joins must wait for them")

    def _end_classic(self, group_id: str) -> None:
        """Whoever waits for it has to join again, with the next answers that are given."""
        group = self.groups.pop(group_id, None)
        if isinstance(group, ClassicGroup):
            self._rebalance.refuse_all(group, ErrorCode.REBALANCE_IN_PROGRESS)
            group.enter(ClassicState.DEAD)
            group.deadlines.cancel_all()

    def loaded(self) -> None:
        """Every member has its whole session again; a group that is larger than allowed rebalances, so that its members can commit first."""
        self._is_loaded = True
        for group in self.groups.values():
            if isinstance(group, ClassicGroup):
                self._begin(group)
            else:
                group.loaded()

    def unloaded(self, error_code: int) -> None:
        """Refuse whoever is parked, and forget everything."""
        for group in self.groups.values():
            if isinstance(group, ClassicGroup):
                self._rebalance.refuse_all(group, error_code)
                group.enter(ClassicState.DEAD)
                group.deadlines.cancel_all()
            else:
                group.unloaded(error_code)
        self._is_loaded = False
        self.groups.clear()
        self._candidates.clear()

    def topics_changed(self) -> None:
        """Tell the groups that look at topics themselves."""
        for group in self.groups.values():
            if not isinstance(group, ClassicGroup):
                group.topics_changed()

    # Live

    def begin_classic(self, group_id: str, before: ModernGroup | None) -> ClassicGroup:
        """A new classic group, at once; its record follows. It counts on from the empty consumer group that it follows, if there was one."""
        group = ClassicGroup(group_id, self._host)
        group.generation = 0 if before is None else before.group_epoch
        self.groups[group_id] = group
        return group

    def give_up_classic(self, group: ClassicGroup, before: ModernGroup | None, error_code: int) -> None:
        """The record of a new classic group could not be appended: there is no such group, and the one before it is still there."""
        if self.groups.get(group.group_id) is group:
            self._rebalance.refuse_all(group, error_code)
            self._end_classic(group.group_id)
            if before is not None:
                self.groups[group.group_id] = before

    def begin_modern(self, group_id: str) -> ModernGroup:
        """A consumer group that may become the group of this id, by the records that ``adopt`` makes a decision of."""
        return self._make_modern(group_id, self._host)

    def adopt(self, group_id: str, candidate: ModernGroup, decision: Decision, taken_over: Records = ()) -> Decision:
        """The candidate's decision as that of a group which begins with it, in place of a classic group whose members it may have taken over."""
        if not decision.records:
            return decision
        self._candidates[group_id] = candidate
        before = self.groups.get(group_id)
        tombstones = before.tombstones() if before is not None else ()

        def committed() -> None:
            self._rebalance.answers.take()()
            decision.committed()

        def failed(error_code: int) -> None:
            self._candidates.pop(group_id, None)
            self._rebalance.answers.take()()
            decision.failed(error_code)

        return decision._replace(records=(*tombstones, *taken_over, *decision.records), committed=committed, failed=failed)
