"""A workload on a cluster: topics, clients and what is done to topics, put together from a plan, and at the end the judgement."""

from collections.abc import Callable, Mapping

from holdwater.kernel.rng import Rng
from holdwater.sim.cluster import SimCluster
from holdwater.sim.coordination.coordination import Coordination
from holdwater.sim.coordination.plan import EFFECTS, INTERNAL, CoordinationPlan
from holdwater.sim.verdicts import LivenessViolation, SafetyViolation
from holdwater.sim.workloads.activities import Churn, Extras, Growth, Reconfiguration, Trimming
from holdwater.sim.workloads.admin import Activity, Admin
from holdwater.sim.workloads.consumer import Consumer
from holdwater.sim.workloads.history import History, Key
from holdwater.sim.workloads.idempotent import IdempotentProducer
from holdwater.sim.workloads.judgement import FinalLog, FinalRecord, judge
from holdwater.sim.workloads.late import LateSender
from holdwater.sim.workloads.plain import PlainProducer
from holdwater.sim.workloads.plan import CHURN, TOPIC, ConsumerPlan, ProducerPlan, WorkloadPlan, draw_workload
from holdwater.sim.workloads.producer import Producer
from holdwater.wire.records import LOG_APPEND_TIME_FLAG, batches, read_records

__all__ = ["CHURN", "TOPIC", "Workload", "WorkloadPlan", "draw_workload"]

_REPLICATION_MAX = 3


class Workload:
    """See the module."""

    def __init__(
        self,
        cluster: SimCluster,
        rng: Rng,
        *,
        partitions: int = 3,
        producers: int = 2,
        consumers: int = 1,
        interval_us: int = 200_000,
        texts: Mapping[str, str] | None = None,
        plan: WorkloadPlan | None = None,
        coordination: CoordinationPlan | None = None,
    ) -> None:
        """Without a ``plan``: idempotent producers and plain consumers on one topic."""
        self.plan = plan or WorkloadPlan(
            partitions=partitions,
            texts=texts or {},
            producers=tuple(ProducerPlan(interval_us=interval_us) for _ in range(producers)),
            consumers=tuple(ConsumerPlan(sessions=rng.chance(0.5)) for _ in range(consumers)),
        )
        self.cluster = cluster
        self.history = History()
        self.replication = min(_REPLICATION_MAX, len(cluster.nodes))
        self.bits_flipped: Callable[[], bool] = lambda: False
        """Whether brokers were made to read flipped bits; while they were not, no answer may be damaged (R13)."""
        self._missing: dict[str, None] = {}
        """Topics that are still to be created before clients begin."""
        self._admin = Admin(cluster, "admin", TOPIC, rng.fork(), self.history)
        self.producers = [self._producer(number, each, rng.fork()) for number, each in enumerate(self.plan.producers, 1)]
        self.consumers = [
            Consumer(cluster, f"c{number}", each, rng.fork(), self.history) for number, each in enumerate(self.plan.consumers, 1)
        ]
        self.late = self._late_senders(rng.fork())
        self.activities = self._activities(rng.fork())
        self.coordination: Coordination | None = None
        if coordination is not None:
            self.coordination = Coordination(cluster, coordination, rng.fork(), self.history)
            if coordination.groups:
                self.producers.append(self._producer(len(self.producers) + 1, coordination.jobs, rng.fork()))

    @classmethod
    def from_plan(cls, cluster: SimCluster, rng: Rng, plan: WorkloadPlan, coordination: CoordinationPlan | None = None) -> "Workload":
        """What plans say."""
        return cls(cluster, rng, plan=plan, coordination=coordination)

    # --- its parts

    def _producer(self, number: int, plan: ProducerPlan, rng: Rng) -> Producer:
        kind = IdempotentProducer if plan.idempotent else PlainProducer
        return kind(self.cluster, f"p{number}", plan, rng, self.history)

    def _late_senders(self, rng: Rng) -> list[LateSender]:
        """Not where records are deleted, and with them what brokers know of producers (KIP-360)."""
        topics = [topic for topic in self._topics() if topic != TOPIC or not self.plan.trims] if self.plan.late_requests else []
        senders: list[LateSender] = []
        for topic in topics:
            late = LateSender(self.cluster, f"late-{topic}", topic, rng.fork(), self.history, self.plan.admin_interval_us // 2)
            senders.append(late)
            for producer in self.producers:
                if producer.topic == topic:
                    producer.on_leave = late.remember
        return senders

    def _activities(self, rng: Rng) -> list[Activity]:
        plan, cluster, history, every_us = self.plan, self.cluster, self.history, self.plan.admin_interval_us
        found: list[Activity] = []
        if plan.churns:
            replication = self.replication if rng.chance(0.5) else min(2, self.replication)
            found.append(Churn(cluster, rng.fork(), history, every_us, partitions=plan.churn_partitions, replication=replication))
        if plan.partitions_max:
            most = {TOPIC: plan.partitions_max, CHURN: plan.churn_partitions + 1}
            found += [Growth(cluster, rng.fork(), history, every_us, topic, most[topic]) for topic in self._topics()]
        if plan.configures:
            found.append(Reconfiguration(cluster, rng.fork(), history, every_us, self._topics()))
        if plan.trims:
            found.append(Trimming(cluster, rng.fork(), history, every_us, TOPIC, self._deletable_below))
        if plan.extra_topics:
            found.append(Extras(cluster, rng.fork(), history, every_us, plan.extra_topics, self.replication))
        return found

    def _topics(self) -> list[str]:
        return [TOPIC, CHURN] if self.plan.churns else [TOPIC]

    def _deletable_below(self, index: int) -> int:
        topic = self.cluster.watch.newest.topic(TOPIC)
        if topic is None:
            return 0
        ends = [producer.settled_end(index) for producer in self.producers if producer.topic == TOPIC and producer.plan.idempotent]
        return min([*ends, self.history.acknowledged_end.get((topic.topic_id, index), 0)])

    # --- its course

    @property
    def counters(self) -> dict[str, int]:
        """What was met, by name: ``workload ...`` and ``error ...``."""
        met = {f"workload {name}": count for name, count in self.history.counters.items()}
        return dict(sorted((met | {f"error {name}": count for name, count in self.history.errors.items()}).items()))

    def begin(self, limit_ms: int = 30_000) -> None:
        """Create the topics, then let the clients begin."""
        made = self._made_topics()
        self._missing = dict.fromkeys(made)
        for topic, partitions in made.items():
            texts = self.plan.texts if topic == TOPIC else {}
            self._admin.create(topic, partitions, self.replication, lambda _, topic=topic: self._missing.pop(topic), texts)
        self.cluster.until("the topics are there and led", self._are_led, limit_ms)
        self._set_min_insync_replicas(str(self.plan.min_insync_replicas), limit_ms)
        for client in (*self.producers, *self.consumers, *self.late, *self.activities):
            client.start()
        if self.coordination is not None:
            self.coordination.start()

    def _made_topics(self) -> dict[str, int]:
        """The topics that are there when clients begin, and their numbers of partitions."""
        counts = {TOPIC: self.plan.partitions, CHURN: self.plan.churn_partitions}
        made = {topic: counts[topic] for topic in self._topics()}
        return made | (self.coordination.topics() if self.coordination is not None else {})

    def _set_min_insync_replicas(self, text: str | None, limit_ms: int) -> None:
        """See ``WorkloadPlan.min_insync_replicas``."""
        done: list[bool] = []
        if self.plan.min_insync_replicas:
            self._admin.alter(TOPIC, "min.insync.replicas", text, lambda: done.append(True))
            self.cluster.until("min.insync.replicas is changed (L2)", lambda: bool(done), limit_ms)

    def _are_led(self) -> bool:
        found = [self.cluster.watch.newest.topic(topic) for topic in self._made_topics()]
        return not self._missing and all(
            topic is not None and all(state.has_leader for state in topic.partitions.values()) for topic in found
        )

    def finish(self, limit_ms: int) -> int:
        """No more faults: stop producing, and wait until every request is answered, the cluster is whole and everything is read.

        Judges the history then, and returns how long it took. Raises ``LivenessViolation`` and ``SafetyViolation``.
        """
        cluster = self.cluster
        begin_ms = cluster.now_ms
        for producer in self.producers:
            producer.producing = False
        for consumer in self.consumers:
            consumer.rest_us = 0
        for late in self.late:
            late.over = True
        for activity in self.activities:
            activity.rest()
        cluster.until("every write is answered (L2)", lambda: not any(producer.waiting_count for producer in self.producers), limit_ms)
        cluster.until("every other request is answered (L2)", self._is_quiet, limit_ms)
        offsets: dict[str, dict[int, int]] = {}
        if self.coordination is not None:
            self.coordination.finish(limit_ms)
            offsets = self.coordination.audit(limit_ms)
        cluster.until("every broker is back, every ISR full, replicas equal (L1, L3)", self._is_whole, limit_ms)
        cluster.until("everything is read (L5)", lambda: self._all_read() and self._is_whole(), limit_ms)
        took_ms = cluster.now_ms - begin_ms
        self._set_min_insync_replicas(None, limit_ms)
        cluster.until("the cluster is whole with another min.insync.replicas (L3)", self._is_whole, limit_ms)
        for client in (self._admin, *self.producers, *self.consumers, *self.late, *self.activities):
            client.stop()
        for stop in self.coordination.clients() if self.coordination is not None else ():
            stop()
        self._judge()
        if self.coordination is not None:
            self.coordination.judge(offsets)
        return took_ms

    def _is_quiet(self) -> bool:
        return all(client.is_resting for client in (*self.late, *self.activities))

    def _is_whole(self) -> bool:
        """Nobody is at work, the topics are there, and the cluster is whole."""
        return self._is_quiet() and self._are_led() and self.cluster.is_whole()

    def _all_read(self) -> bool:
        watch = self.cluster.watch
        for consumer in self.consumers:
            topic = watch.newest.topic(consumer.topic)
            if topic is None:
                return False
            for index in topic.partitions:
                ledger = watch.ledgers.get((topic.topic_id, index))
                if ledger is not None and consumer.place((topic.topic_id, index)).offset < ledger.end:
                    return False
        return True

    def _judge(self) -> None:
        """Nobody was served damage, every replica has the same committed bytes, and they fit the history."""
        damaged = sum(consumer.damaged_count for consumer in self.consumers)
        if damaged and not self.bits_flipped():
            raise SafetyViolation("R13", f"{damaged} answers to consumers were damaged, and no broker was made to read a flipped bit")
        committed: dict[Key, tuple[bytes, int]] = {}
        for node in self.cluster.nodes.values():
            for partition in self.cluster.partitions(node):
                key = (partition.topic_id, partition.topic_partition.partition)
                data, start = self.cluster.bytes_below_high_watermark(node, partition), partition.log.log_start_offset
                known, known_start = committed.get(key, (data, start))
                # Records may be deleted on some replicas only, when their leader did not live to tell the others.
                if not known.endswith(data) and not data.endswith(known):
                    raise SafetyViolation("R2", f"{partition.topic_partition}: {node} has other committed bytes than another replica")
                committed[key] = (known, known_start) if known_start <= start else (data, start)
        final: dict[Key, FinalLog] = {}
        for topic_id, index, state in self.cluster.watch.newest.partitions():
            if (topic_id, index) not in committed:
                raise LivenessViolation(f"partition {index} of {self.cluster.watch.newest.topics[topic_id].name} is gone")
            data, start = committed[topic_id, index]
            if self.cluster.watch.newest.topics[topic_id].name in {EFFECTS, *INTERNAL}:
                continue  # ``Coordination.judge``
            final[topic_id, index] = FinalLog(_records(data), start, state.leader_epoch)
        judge(self.history, final)


def _records(data: bytes) -> list[FinalRecord]:
    found: list[FinalRecord] = []
    for position, header, _ in batches(data):
        stamped = bool(header.attributes & LOG_APPEND_TIME_FLAG)
        found += [FinalRecord(record, stamped) for record in read_records(data, position, header)]
    return found
