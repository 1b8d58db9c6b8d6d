"""Any history of requests, failures and moves keeps the invariants, answers everybody once, and is what a load brings back."""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.classic_groups import REBALANCE_MS, SESSION_MS, Answers, Bench, Member, subscription
from tests.support.coordinator import Entry

from holdwater.core.coordinator import Caller
from holdwater.core.groups.classic.group import ClassicGroup
from holdwater.core.groups.classic.state import ClassicState
from holdwater.core.groups.consumer.group import ConsumerGroup
from holdwater.core.groups.offsets.committed import CommittedOffset
from holdwater.core.groups.shard import GroupShard
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
    GroupMetadataKey,
    GroupMetadataValue,
    OffsetCommitKey,
    OffsetCommitValue,
)


@dataclass
class World:
    """Requests by number against a bench, and what must hold after each."""

    bench: Bench = field(default_factory=lambda: Bench(group_initial_rebalance_delay_ms="100"))
    members: list[Member] = field(default_factory=list[Member])
    answers: list[Answers] = field(default_factory=list[Answers])

    def play(self, what: int, which: int) -> None:
        """One step."""
        steps: list[Callable[[int], None]] = [
            self.join, self.static, self.static, self.rejoin, self.rejoin, self.sync, self.settle, self.settle, self.settle, self.leave,
            self.commit, self.commit, self.txn_commit, self.end, self.wait, self.wait, self.wait, self.advance, self.delete, self.hold,
            self.release, self.release, self.fail, self.crash, self.consumer, self.consumer,
        ]  # fmt: skip
        steps[what % len(steps)](which)

    def _keep(self, answers: Answers) -> Answers:
        self.answers.append(answers)
        return answers

    def _member(self, which: int) -> Member | None:
        return self.members[which % len(self.members)] if self.members else None

    def join(self, which: int) -> None:
        group_id = f"g{which % 3}"
        first = self._keep(self.bench.join(group_id))
        if first and first.error is ErrorCode.MEMBER_ID_REQUIRED:
            self.members.append(Member(group_id, first.only.member_id))
            self.rejoin(len(self.members) - 1)

    def static(self, which: int) -> None:
        member = Member(f"g{which % 2}", instance_id=f"i{which % 3}")
        self.members.append(member)
        self.rejoin(len(self.members) - 1)

    def rejoin(self, which: int) -> None:
        member = self._member(which)
        if member is not None:
            if member.joins and member.instance_id is None and member.joins.error is ErrorCode.UNKNOWN_MEMBER_ID:
                return
            if member.joins:
                _ = member.joined
            metadata = subscription("t", "u") if which % 5 == 0 else subscription("t")
            self._keep(self.bench.rejoin(member, protocols={"range": metadata}))

    def sync(self, which: int) -> None:
        member = self._member(which)
        if member is not None and member.joins and member.joined.error_code == ErrorCode.NONE:
            group = [one for one in self.members if one.group_id == member.group_id]
            self._keep(self.bench.sync(member, dict.fromkeys(group, b"a%d" % which)))

    def settle(self, which: int) -> None:
        """Every member of a group syncs, or joins again if it has to."""
        for number, member in enumerate(self.members):
            if member.group_id == f"g{which % 2}" and member.joins:
                if self.bench.heartbeat(member) is ErrorCode.REBALANCE_IN_PROGRESS:
                    self.rejoin(number)
                else:
                    self.sync(number)

    def wait(self, which: int) -> None:
        self.bench.host.advance(100)

    def leave(self, which: int) -> None:
        member = self._member(which)
        if member is not None:
            self._keep(self.bench.leave(member))

    def commit(self, which: int) -> None:
        member = self._member(which)
        if member is not None and member.joins and member.joined.error_code == ErrorCode.NONE and which % 3:
            self._keep(self.bench.commit({("t", which % 2): which}, group_id=member.group_id, member=member))
        else:
            self._keep(self.bench.commit({("t", which % 2): which}, group_id=f"g{which % 3}"))

    def txn_commit(self, which: int) -> None:
        places = {("t", which % 2): which, ("u", 0): which}
        self._keep(self.bench.txn_commit(places, group_id=f"g{which % 3}", producer_id=which % 2))

    def end(self, which: int) -> None:
        self.bench.host.end_transaction(which % 2, 0, which % 3 > 0)

    def consumer(self, which: int) -> None:
        """A member of a consumer group comes, or goes."""
        request = ConsumerGroupHeartbeatRequest(group_id=f"g{which % 3}", member_id=f"m{which % 2}", member_epoch=-1)
        if which % 5 < 2:
            request.member_epoch, request.rebalance_timeout_ms, request.topic_partitions = 0, 60_000, []
            request.subscribed_topic_names = ["t"]
        self._keep(self.bench.ask(self.bench.shard.consumer_heartbeat, request, 1, ConsumerGroupHeartbeatResponse))

    def advance(self, which: int) -> None:
        self.bench.host.advance((50, 100, 200, SESSION_MS, REBALANCE_MS)[which % 5])

    def delete(self, which: int) -> None:
        answers = self._keep(Answers())
        self.bench.host.run(self.bench.shard.delete([f"g{which % 3}"], Caller(2), answers.append))

    def hold(self, which: int) -> None:
        self.bench.host.hold()

    def release(self, which: int) -> None:
        self.bench.host.release()

    def fail(self, which: int) -> None:
        if not self.bench.host.held:
            self.bench.host.fail_next(ErrorCode.NOT_ENOUGH_REPLICAS)

    def crash(self, which: int) -> None:
        """The partition moves; everything that was appended survives."""
        self.bench.shard.unloaded(ErrorCode.NOT_COORDINATOR)
        self.bench.host.lose(ErrorCode.NOT_COORDINATOR)
        assert [len(answers) for answers in self.answers] == [1] * len(self.answers)
        self.bench.shard = GroupShard(self.bench.host)
        self.bench.host.load(self.bench.shard)

    # What must hold

    def check(self) -> None:
        deadlines = 1
        for group in self.bench.shard.groups.values():
            if not isinstance(group, ClassicGroup):
                assert isinstance(group, ConsumerGroup)
                deadlines += 1 + 3 * len(group.state.members)
                continue
            _check_group(group)
            deadlines += len(group.members) + len(group.pending_joins) + (group.state in _TIMED)
        assert self.bench.host.pending_timers() <= deadlines
        committed, pending = _offsets_by_the_log(self.bench.host.log)
        shard = self.bench.shard.offsets
        assert {(group, topic, number): offset for group, topic, number, offset in shard.committed.items()} == committed
        assert {
            (producer_id, group, topic, number): offset
            for producer_id, table in shard.pending.items()
            for group, topic, number, offset in table.items()
        } == pending
        assert all(shard.is_pending(*place[1:]) for place in pending)
        assert all(place[2:] in shard.pending_partitions(place[1]) for place in pending)

    def check_reload(self) -> None:
        """A shard that is rebuilt from the log has what is durable of the live one."""
        live = self.bench.shard.groups
        host = self.bench.host
        rebuilt = GroupShard(host)
        for entry in host.log:
            if entry.marker is not None:
                rebuilt.end_transaction(entry.producer_id, entry.producer_epoch, entry.marker)
            elif entry.key is not None:
                rebuilt.replay(entry.offset, entry.key, entry.value, entry.producer_id, entry.producer_epoch)
        for group_id, group in rebuilt.groups.items():
            if not isinstance(group, ClassicGroup):
                other = live[group_id]
                assert not isinstance(other, ClassicGroup)
                assert group.describe() == other.describe()
                continue
            if group_id not in live or not isinstance(live[group_id], ClassicGroup):
                assert group.is_empty  # its record was not appended
                continue
            other = live[group_id]
            assert isinstance(other, ClassicGroup)
            assert group.generation <= other.generation
            if other.state is ClassicState.STABLE and group.generation == other.generation:
                assert _durable(group) == _durable(other)
        assert sorted(rebuilt.offsets.committed.items()) == sorted(self.bench.shard.offsets.committed.items())
        pending = rebuilt.offsets.pending
        assert {one: sorted(pending[one].items()) for one in pending} == {
            one: sorted(table.items()) for one, table in self.bench.shard.offsets.pending.items()
        }


_TIMED = (ClassicState.PREPARING_REBALANCE, ClassicState.COMPLETING_REBALANCE, ClassicState.STABLE)


def _durable(group: ClassicGroup) -> object:
    value = group.record().value
    assert isinstance(value, GroupMetadataValue)
    return (value.generation, value.protocol, value.protocol_type, value.leader, sorted(value.members, key=lambda one: one.member_id))


def _check_group(group: ClassicGroup) -> None:
    members = group.members.values()
    assert group.joined_count == sum(member.parked_join is not None for member in members)
    support: dict[str, int] = {}
    for member in members:
        for name, _ in member.protocols:
            support[name] = support.get(name, 0) + 1
    assert group.supporters == support
    assert (group.leader in group.members) == bool(members)
    assert group.static_members == {one.instance_id: one.member_id for one in members if one.instance_id is not None}
    if group.state is not ClassicState.COMPLETING_REBALANCE:
        assert not any(member.parked_sync for member in members)
    assert set(group.pending_syncs) <= set(group.members)
    assert not set(group.pending_joins) & set(group.members)
    if group.state is ClassicState.STABLE:
        assert members


def _offsets_by_the_log(
    log: list[Entry],
) -> tuple[dict[tuple[str, str, int], CommittedOffset], dict[tuple[int, str, str, int], CommittedOffset]]:
    """The rule in other words: of the records that count and that no tombstone follows, the last one of each partition."""
    counting: list[tuple[tuple[str, str, int], CommittedOffset]] = []
    pending: dict[tuple[int, str, str, int], CommittedOffset] = {}
    for entry in log:
        key = entry.key
        if entry.marker is not None:
            ended = [place for place in pending if place[0] == entry.producer_id]
            counting += [(place[1:], pending[place]) for place in ended if entry.marker]
            pending = {place: offset for place, offset in pending.items() if place not in ended}
        elif isinstance(key, OffsetCommitKey):
            place = (key.group, key.topic, key.partition)
            if not isinstance(entry.value, OffsetCommitValue):
                counting = [one for one in counting if one[0] != place]
                pending = {one: offset for one, offset in pending.items() if one[1:] != place}
            elif entry.producer_id < 0:
                counting.append((place, CommittedOffset.of(entry.offset, entry.value)))
            else:
                pending[entry.producer_id, *place] = CommittedOffset.of(entry.offset, entry.value)
    return {place: max(offset for other, offset in counting if other == place) for place, _ in counting}, pending


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 25), st.integers(0, 29)), min_size=15, max_size=60))
def test_any_history_keeps_the_invariants_answers_everybody_once_and_survives_a_load(steps: list[tuple[int, int]]) -> None:
    world = World()
    for what, which in steps:
        world.play(what, which)
        world.check()
    world.check_reload()
    world.crash(0)
    world.check()


def test_generations_in_the_log_only_rise() -> None:
    world = World()
    for number in range(600):
        world.play((number * 7 + number // 5) % 18, number * 11 % 29)
    generations: dict[str, int] = {}
    for entry in world.bench.host.log:
        if isinstance(entry.key, GroupMetadataKey):
            if isinstance(entry.value, GroupMetadataValue):
                assert entry.value.generation >= generations.get(entry.key.group, 0)
                generations[entry.key.group] = entry.value.generation
            else:
                generations.pop(entry.key.group, None)
    assert max(generations.values()) > 10
