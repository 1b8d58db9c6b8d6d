"""A group's members, and what is done to them: they crash, stand still, leave, and others take their places."""

from collections.abc import Callable

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.classic import ClassicMember
from holdwater.sim.coordination.copier import Copier
from holdwater.sim.coordination.groups import GroupLedger
from holdwater.sim.coordination.member import Member
from holdwater.sim.coordination.modern import ModernMember
from holdwater.sim.coordination.plan import CLASSIC, MODERN, GroupPlan
from holdwater.sim.coordination.producer import TransactionalProducer
from holdwater.sim.coordination.transactions import TransactionLedger
from holdwater.sim.workloads.history import History

_TRANSACTION_TIMEOUT_MS = 6_000


class Team:
    """See the module. ``on_member`` is told of each member, ``on_producer`` of each producer, before it starts."""

    def __init__(self, cluster: SimCluster, plan: GroupPlan, rng: Rng, history: History, transactions: TransactionLedger) -> None:
        self.plan = plan
        self.ledger = GroupLedger(plan.name, history, has_leases=MODERN in plan.protocols)
        self.members: list[Member] = []
        """Those that live, by their places."""
        self.everybody: list[Member] = []
        self.producers: list[TransactionalProducer] = []
        self.over = False
        self.on_member: Callable[[Member], None] = lambda member: None
        self.on_producer: Callable[[TransactionalProducer], None] = lambda producer: None
        self._cluster = cluster
        self._rng = rng
        self._history = history
        self._transactions = transactions
        self._count = 0

    def start(self) -> None:
        """Begin."""
        for place in range(self.plan.members):
            self.members.append(self._hire(place))
        for member in self.members:
            member.start()
        if self.plan.abuse_interval_us:
            self._later()

    def stop(self) -> None:
        """Do nothing more."""
        self.over = True
        for client in (*self.everybody, *self.producers):
            client.stop()

    def _hire(self, place: int) -> Member:
        plan, rng = self.plan, self._rng.fork()
        self._count += 1
        name = f"{plan.name}-m{self._count}"
        instance_id = f"{plan.name}-i{place}" if plan.is_static else None
        protocol = plan.protocols[rng.below(len(plan.protocols))]
        if protocol == MODERN:
            member: Member = ModernMember(self._cluster, name, plan, instance_id, rng, self._history, self.ledger)
        else:
            member = ClassicMember(self._cluster, name, plan, instance_id, rng, self._history, self.ledger)
        self.everybody.append(member)
        if plan.is_transactional:
            producer = TransactionalProducer(
                self._cluster,
                f"{name}-p",
                f"{plan.name}-t{place}",
                rng.fork(),
                self._history,
                self._transactions,
                bumps=plan.bumps,
                timeout_ms=_TRANSACTION_TIMEOUT_MS,
                group=plan.name,
            )
            self.producers.append(producer)
            Copier(member, producer, self._history)
            self.on_producer(producer)
            producer.start()
        self.on_member(member)
        return member

    # --- abuse

    def _later(self) -> None:
        interval_us = self.plan.abuse_interval_us
        self._cluster.scheduler.after(self._rng.uniform_ms(interval_us // 2, interval_us * 3 // 2), self._abuse)

    def _abuse(self) -> None:
        if self.over:
            return
        place = self._rng.below(len(self.members))
        member = self.members[place]
        draw = self._rng.below(10)
        if member.is_dead:
            self._replace(place)
        elif draw < 3:
            self._history.count("member-crashed")
            self._crash(place)
            self._replace(place)
        elif draw < 5:
            self._history.count("member-crashed-and-is-missed")
            self._crash(place)
        elif draw < 7:
            self._leave(place)
        elif not member.is_paused:
            self._history.count("member-stood-still")
            member.pause(self.plan.session_timeout_ms * self._rng.uniform_ms(300, 2_500))
        self._later()

    def _crash(self, place: int) -> None:
        member = self.members[place]
        for producer in self.producers:
            if producer.name == f"{member.name}-p":
                if self._rng.chance(0.5):
                    producer.restart()
                    producer.stop()
                else:
                    self._cluster.scheduler.after(self._rng.below(5_000_000), _end, producer)
        member.die()

    def _leave(self, place: int) -> None:
        member = self.members[place]
        member.leave()
        for producer in self.producers:
            if producer.name == f"{member.name}-p":
                self._cluster.scheduler.after(self._rng.below(2_000_000), _end, producer)

    def _replace(self, place: int) -> None:
        self.members[place] = self._hire(place)
        self.members[place].start()

    # --- the end

    def finish(self) -> None:
        """Nothing more is done to members; whoever is missing is replaced, whoever stands still goes on in his time."""
        self.over = True
        for place, member in enumerate(self.members):
            if member.is_dead:
                self._replace(place)

    def replace_dead(self) -> None:
        """A member that was fenced by its own successor is gone: somebody takes its place."""
        self.finish()

    def is_stable(self, partition_count: int) -> bool:
        """L4: each member has its assignment, all of one generation or member epoch, and together they have each partition once."""
        return self._are_settled() and sorted(self._owned()) == list(range(partition_count))

    def enforce_rebalance(self, partition_count: int) -> None:
        """What is nobody's, though all members are content, is shared out anew if all of them join again (``enforceRebalance`` of KIP-568).

        It comes of the protocol, not of the broker: a cooperative member is told to give a partition up, which the next generation is to hand
        on; it crashes first, and whoever comes back with its ``group.instance.id`` is let into the same generation, with nothing to give up.
        What is nobody's in a generation that nobody came into so is the broker's doing.
        """
        is_kind = self.plan.is_static and self.plan.is_cooperative and self.plan.protocols == (CLASSIC,)
        if not is_kind or not self._are_settled():
            return
        came_so = any(member.came_empty == member.generation for member in self.members)
        if came_so and len(self._owned()) < partition_count:
            self._history.count("rebalance-enforced")
            for member in self.members:
                member.join()

    def _are_settled(self) -> bool:
        ready = all(member.is_stable and not member.is_paused for member in self.members)
        return ready and len(dict.fromkeys(member.generation for member in self.members)) == 1

    def _owned(self) -> list[int]:
        return [index for member in self.members for index in member.tenures]

    def is_done(self, ends: dict[int, int]) -> bool:
        """Whether everything is done and committed."""
        tenures = {tenure.index: tenure for member in self.members for tenure in member.tenures.values()}
        return all(index in tenures and tenures[index].committed >= end for index, end in ends.items() if end)


def _end(producer: TransactionalProducer) -> None:
    if not producer.stopped:
        producer.restart()
        producer.stop()
