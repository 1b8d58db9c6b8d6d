"""Groups and transactions on a cluster, put together from a plan: topics, clients, their end, and the judgement."""

from collections.abc import Callable

from holdwater.core.replica import LeaderReplica
from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.auditor import Auditor
from holdwater.sim.coordination.echo import Echo
from holdwater.sim.coordination.fetching import COMMITTED, UNCOMMITTED
from holdwater.sim.coordination.judgement import (
    Effects,
    check_epochs,
    judge_effects_of_jobs,
    judge_reader,
    judge_transactions,
    read_effects,
)
from holdwater.sim.coordination.member import Member
from holdwater.sim.coordination.modern import ModernMember
from holdwater.sim.coordination.plan import EFFECTS, INTERNAL, JOBS, CoordinationPlan
from holdwater.sim.coordination.reader import EffectsReader
from holdwater.sim.coordination.team import Team
from holdwater.sim.coordination.transactions import TransactionLedger
from holdwater.sim.coordination.writer import Writer
from holdwater.sim.ledger import CommittedLog
from holdwater.sim.workloads.client import Client
from holdwater.sim.workloads.history import History

STABLE_WITHIN_MS = 30_000
DONE_WITHIN_MS = 60_000
ENDED_WITHIN_MS = 30_000
"""More than the longest timeout of a transaction and the interval at which they are looked for."""


class Coordination:
    """See the module."""

    def __init__(self, cluster: SimCluster, plan: CoordinationPlan, rng: Rng, history: History) -> None:
        self.plan = plan
        self.cluster = cluster
        self.ledger = TransactionLedger(history)
        self.teams = [Team(cluster, each, rng.fork(), history, self.ledger) for each in plan.groups]
        self.writers: list[Writer] = []
        for each in plan.writers:
            for name in [each.name, f"{each.name}-twin"] if each.has_twin else [each.name]:
                self.writers.append(Writer(cluster, name, each, rng.fork(), history, self.ledger))
        self.readers: list[EffectsReader] = []
        if plan.writes_effects:
            self.readers.append(EffectsReader(cluster, "committed-reader", COMMITTED, rng.fork(), history, self.ledger))
            self.readers.append(EffectsReader(cluster, "uncommitted-reader", UNCOMMITTED, rng.fork(), history, self.ledger))
        self.echo = Echo(cluster, rng.fork(), history, self.ledger)
        self.auditor = Auditor(cluster, rng.fork(), history, plan.job_partitions)
        self._wire()

    def _wire(self) -> None:
        texts = self.plan.texts
        for team in self.teams:
            team.on_member = lambda member: self._know_member(
                member, int(texts["group.consumer.session.timeout.ms"]), int(texts["group.consumer.heartbeat.interval.ms"])
            )
            if self.plan.echoes:
                team.on_producer = self.echo.hear_producer
        if self.plan.echoes:
            for writer in self.writers:
                self.echo.hear_producer(writer.producer)

    def _know_member(self, member: Member, session_ms: int, interval_ms: int) -> None:
        if isinstance(member, ModernMember):
            member.session_ms, member.interval_us = session_ms, interval_ms * 1000
        if self.plan.echoes:
            self.echo.hear_member(member)

    # --- its course

    def topics(self) -> dict[str, int]:
        """The topics that it needs, and their numbers of partitions."""
        topics = {JOBS: self.plan.job_partitions} if self.plan.groups else {}
        return topics | ({EFFECTS: self.plan.effect_partitions} if self.plan.writes_effects else {})

    def start(self) -> None:
        """Begin."""
        for each in (*self.teams, *self.writers, *self.readers):
            each.start()
        for team in self.teams:
            if team.plan.is_transactional:
                self.auditor.probe(team.ledger)
        if self.plan.echoes:
            self.echo.start()

    def finish(self, limit_ms: int) -> None:
        """No more abuse: transactions end, groups become stable, everything is done, committed and read. Raises ``LivenessViolation``."""
        cluster = self.cluster
        self.echo.over = self.auditor.over = True
        for team in self.teams:
            team.finish()
        for writer in self.writers:
            writer.finish()
        if self.teams:
            cluster.until("groups are stable (L4)", self._is_stable, STABLE_WITHIN_MS)
            cluster.until("every job is done and committed (L5)", lambda: self._is_done() and self._is_idle(), DONE_WITHIN_MS)
        cluster.until("every transaction has an outcome (L2)", self._is_idle, limit_ms)
        cluster.until("no transaction hangs (P6)", self._has_no_open_transaction, ENDED_WITHIN_MS)
        cluster.until("all effects are read (L5)", self._all_read, limit_ms)

    def _is_idle(self) -> bool:
        waits = any(producer.transaction is not None for team in self.teams for producer in team.producers)
        return not waits and all(writer.is_resting for writer in self.writers) and self.echo.is_resting

    def _is_stable(self) -> bool:
        self._keep_whole()
        return all(team.is_stable(self.plan.job_partitions) for team in self.teams)

    def _is_done(self) -> bool:
        ends = self._ends(JOBS)
        self._keep_whole()
        return all(team.is_done(ends) for team in self.teams)

    def _keep_whole(self) -> None:
        for team in self.teams:
            team.replace_dead()
            team.enforce_rebalance(self.plan.job_partitions)

    def _ends(self, name: str) -> dict[int, int]:
        topic = self.cluster.watch.newest.topic(name)
        assert topic is not None
        return {index: self.cluster.watch.committed_end(topic.topic_id, index) or 0 for index in topic.partitions}

    def _has_no_open_transaction(self) -> bool:
        hosted = [partition for node in self.cluster.running() for partition in self.cluster.partitions(node)]
        leaders = [each.replica for each in hosted if each.topic_partition.topic in {EFFECTS, *INTERNAL}]
        return all(
            replica.log.last_stable_offset(replica.high_watermark) >= replica.log.log_end_offset
            for replica in leaders
            if isinstance(replica, LeaderReplica)
        )

    def _all_read(self) -> bool:
        return all(reader.offsets.get(index, 0) >= end for reader in self.readers for index, end in self._ends(EFFECTS).items())

    # --- the judgement

    def audit(self, limit_ms: int) -> dict[str, dict[int, int]]:
        """The committed offsets of each group, as somebody is told who asks now. Raises ``LivenessViolation``."""
        found: dict[str, dict[int, int]] = {}
        for team in self.teams:

            def done(offsets: dict[int, int], team: Team = team) -> None:
                found[team.plan.name] = offsets

            self.auditor.ask_until_answered(team.ledger, done)
        self.cluster.until("committed offsets are told (L2)", lambda: len(found) == len(self.teams), limit_ms)
        return found

    def clients(self) -> list[Callable[[], None]]:
        """How to stop each of its clients."""
        single: list[Client] = [*self.readers, self.echo, self.auditor]
        return [*(team.stop for team in self.teams), *(writer.stop for writer in self.writers), *(client.stop for client in single)]

    def judge(self, offsets: dict[str, dict[int, int]]) -> None:
        """Compare what everybody was told with the logs. Raises ``SafetyViolation``."""
        for name in (*INTERNAL, EFFECTS):
            for index, log in self._logs(name).items():
                check_epochs(f"{name}-{index}", log)
        if not self.plan.writes_effects:
            return
        effects: dict[int, Effects] = {index: read_effects(self.ledger, index, log) for index, log in self._logs(EFFECTS).items()}
        judge_transactions(self.ledger, effects)
        committed = [value for of in effects.values() for _, value in of.committed]
        for team in self.teams:
            if team.plan.is_transactional:
                judge_effects_of_jobs(team.plan.name, committed, offsets[team.plan.name])
        for reader in self.readers:
            judge_reader(reader.name, reader.isolation == COMMITTED, reader.seen, effects)

    def _logs(self, name: str) -> dict[int, CommittedLog]:
        watch = self.cluster.watch
        topic = watch.newest.topic(name)
        if topic is None:
            return {}
        return {index: watch.ledgers[topic.topic_id, index] for index in topic.partitions if (topic.topic_id, index) in watch.ledgers}
