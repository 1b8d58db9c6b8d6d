"""Everything that lives during a run: the topic, the clients' processes, the sampler, the evidence, and what is known of the brokers."""

import threading
import time
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from holdwater.prove.absence import Absences
from holdwater.prove.errors import RunFailed, UsageError
from holdwater.prove.evidence import Evidence
from holdwater.prove.history.model import PartitionView
from holdwater.prove.observe.sampler import Sampler
from holdwater.prove.observe.settings_reader import read_topic_id
from holdwater.prove.scenario import Scenario
from holdwater.prove.target import Target
from holdwater.prove.workload.process import WorkloadProcess
from holdwater.rpc import RpcError
from holdwater.rpc.calls import Node, connect_to_any, describe_cluster, parse_bootstrap

_ADMIN_LIMIT_S = 30.0
_LOOP_STALL_MS = 100


class Pace:
    """A thread that does nothing but notice when it wakes too late: the measure of stalls of this process and its machine."""

    _PERIOD_S = 0.05

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._worst_s = 0.0
        self._thread = threading.Thread(target=self._watch, name="pace", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        before = time.monotonic()
        while not self._stop.wait(self._PERIOD_S):
            now = time.monotonic()
            self._worst_s = max(self._worst_s, now - before - self._PERIOD_S)
            before = now

    def stop(self) -> float:
        """End it; the longest delay in milliseconds."""
        self._stop.set()
        self._thread.join()
        return self._worst_s * 1000


class Session:
    """Built in order: ``open`` finds the brokers and creates the topic, ``start`` begins to watch and to write, ``close`` ends it all."""

    def __init__(self, scenario: Scenario, target: Target, evidence: Evidence, topic: str, run_id: int, seed: int) -> None:
        self.scenario = scenario
        self.target = target
        self.evidence = evidence
        self.topic = topic
        self.run_id = run_id
        self.seed = seed
        self.nodes: tuple[Node, ...] = ()
        self.brokers: tuple[int, ...] = ()
        self.absences = Absences()
        self.origin_ns = time.monotonic_ns()
        self._wall_origin_ns = time.time_ns()
        self._changed = threading.Condition()
        self._told: set[str] = set()
        self._pace = Pace()
        self._created = False
        self.topic_id = ""
        """The id that the topic was created with, in Kafka's text form; empty where the brokers don't tell it."""
        self.writes_began = False
        """Whether a producer was ever started, so that there may be something on the topic."""
        self._processes: list[WorkloadProcess] = []
        self.sampler: Sampler
        self.producer: WorkloadProcess
        self.consumer: WorkloadProcess

    # --- begin ---------------------------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Find the brokers and create the topic. Raises ``UsageError`` when the target cannot serve the scenario, ``RunFailed`` otherwise."""
        wanted = self.scenario.topic.replication_factor
        deadline = time.monotonic() + _ADMIN_LIMIT_S
        while True:
            self._find_brokers()
            if len(self.nodes) >= wanted or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if len(self.nodes) < wanted:
            count = f"{len(self.nodes)} broker{'s' if len(self.nodes) != 1 else ''}"
            raise UsageError(
                f"the cluster has {count}; a topic of replication factor {wanted} needs {wanted}",
                "start more brokers, or lower --replication-factor",
            )
        self._create_topic()

    def _find_brokers(self) -> None:
        try:
            with connect_to_any(parse_bootstrap(self.target.bootstrap())) as connection:
                view = describe_cluster(connection)
        except (RpcError, ValueError) as error:
            raise UsageError(
                f"no broker answers at {self.target.bootstrap()}: {error}", "check --bootstrap-server, and that the cluster is up"
            ) from error
        if self.topic in view.topics:
            raise UsageError(f"the topic {self.topic} exists already", "name one that does not, so that its whole log belongs to the run")
        self.nodes = view.nodes
        self.brokers = tuple(node.id for node in view.nodes)

    def _create_topic(self) -> None:
        wanted = self.scenario.topic
        admin = AdminClient({"bootstrap.servers": self.target.bootstrap()})
        new = NewTopic(self.topic, num_partitions=wanted.partitions, replication_factor=wanted.replication_factor, config=wanted.configs)
        try:
            admin.create_topics([new], operation_timeout=_ADMIN_LIMIT_S, request_timeout=_ADMIN_LIMIT_S)[self.topic].result(
                _ADMIN_LIMIT_S + 5
            )
        except (KafkaException, TimeoutError) as error:
            raise UsageError(
                f"the topic {self.topic} could not be created: {_text_of(error)}", "check --topic-config and the cluster's log"
            ) from error
        self._created = True
        self.topic_id = read_topic_id(self.nodes, self.topic)
        self.event("topic", name=self.topic, id=self.topic_id, partitions=wanted.partitions, replication_factor=wanted.replication_factor)

    def start(self) -> None:
        """Watch the brokers, start the consumer, then the producer."""
        self.sampler = Sampler(self.nodes, self.topic, self.evidence.sample, self._changed)
        self.sampler.start()
        self.consumer = self._workload("consumer", "holdwater.prove.workload.consumer", self._consumer_config())
        self.writes_began = True
        self.producer = self._workload("producer", "holdwater.prove.workload.producer", self._producer_config())
        for process in self._processes:
            process.wait_ready()
        self.event("phase", name="started")

    def _workload(self, name: str, module: str, config: dict[str, Any]) -> WorkloadProcess:
        process = WorkloadProcess(name, module, config, self.evidence.logs / f"{name}.log", self._changed)
        self._processes.append(process)
        return process

    def _common_config(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "partitions": self.scenario.topic.partitions,
            "run_id": self.run_id,
            "folder": str(self.evidence.history),
        }

    def _producer_config(self) -> dict[str, Any]:
        work = self.scenario.workload
        client = {"bootstrap.servers": self.target.bootstrap(), "client.id": "holdwater-producer"} | work.producer
        figures = {"seed": self.seed, "writers": work.writers, "keys": work.keys, "value_bytes": work.value_bytes, "rate": work.rate}
        return self._common_config() | figures | {"client": client}

    def _consumer_config(self) -> dict[str, Any]:
        client = {
            "bootstrap.servers": self.target.bootstrap(),
            "client.id": "holdwater-consumer",
            "group.id": f"{self.topic}-reader",
        } | self.scenario.workload.consumer
        return self._common_config() | {"session": 0, "client": client}

    # --- while it runs -------------------------------------------------------------------------------------------------------------

    def event(self, kind: str, **detail: Any) -> None:
        """Add to the timeline."""
        self.evidence.event(kind, **detail)

    def note_stall(self, where: str, stall_ms: float) -> None:
        """Keep how long a process of ours stood still, when it is worth a word."""
        if stall_ms > _LOOP_STALL_MS:
            self.event("stall", where=where, ms=round(stall_ms, 1))

    def seconds(self) -> float:
        """Since the run began."""
        return (time.monotonic_ns() - self.origin_ns) / 1e9

    def wait(self, limit_s: float) -> None:
        """Until a broker or a client has something new, or the limit."""
        with self._changed:
            self._changed.wait(limit_s)

    def acknowledged(self) -> list[int]:
        """Acknowledged writes by partition, as the producer last said."""
        return list(self.producer.status.get("acknowledged", [0] * self.scenario.topic.partitions))

    def views(self, victim: int) -> tuple[PartitionView, ...]:
        """The newest view of all partitions; the victim's own when it has the newest."""
        with self._changed:
            samples = [sample for sample in self.sampler.latest.values() if sample.reachable and sample.partitions]
        newest = max(samples, key=lambda sample: (sample.time_ns // 500_000_000, sample.broker == victim), default=None)
        return newest.partitions if newest is not None else ()

    def leader_of(self, partition: int) -> int:
        """The leader at the highest leader epoch that any broker shows."""
        with self._changed:
            views = [view for sample in self.sampler.latest.values() for view in sample.partitions if view.partition == partition]
        return max(views, key=lambda view: view.leader_epoch).leader if views else -1

    def epochs_seen(self) -> dict[int, set[int]]:
        """Leader epochs by partition, as far as the newest samples tell: all from 0 to the highest."""
        seen: dict[int, set[int]] = {}
        for sample in self.sampler.latest.values():
            for view in sample.partitions:
                seen.setdefault(view.partition, set()).update(range(min(view.leader_epoch, 10_000) + 1))
        return seen

    def picture(self) -> str:
        """Leader and ISR size of each partition in a few characters, as the newest sample has it."""
        return "  ".join(f"p{view.partition}:{view.leader if view.leader >= 0 else '-'}/{len(view.isr)}" for view in self.views(-1))

    def check(self) -> None:
        """Look after clients, brokers and our own pace. Raises ``RunFailed`` when a client is gone."""
        for process in self._processes:
            process.check()
        for broker, how in self.target.ended_by_themselves().items():
            if broker not in self.absences.down:
                what = f"broker {broker} ended by itself: {how}"
                self._unexpected(what, "see its log in the evidence")
                raise RunFailed(what, "see its log in the evidence")
        for sample in list(self.sampler.latest.values()):
            self._check_broker(sample.broker, sample.reachable, sample.time_ns)

    def _check_broker(self, broker: int, reachable: bool, sampled_ns: int) -> None:
        if not reachable:
            found = self.absences.silent(broker, time.monotonic_ns(), refused=self.sampler.refused.get(broker, False))
        else:
            was_down = broker in self.absences.down
            found = self.absences.answered(broker, sampled_ns)
            if was_down and broker not in self.absences.down:
                self.event("back", broker=broker)
        if found is not None:
            self._unexpected(found.what, found.next_step)

    def _unexpected(self, what: str, next_step: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.event("unexpected", what=what, next=next_step)

    # --- end -----------------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End clients and sampler, note the clocks. Never raises."""
        for process in self._processes:
            process.end()
        if hasattr(self, "sampler"):
            self.sampler.stop()
        step_ms = ((time.time_ns() - self._wall_origin_ns) - (time.monotonic_ns() - self.origin_ns)) / 1e6
        self.note_stall("runner", self._pace.stop())
        self.event("clock", step_ms=round(step_ms, 3))  # the last line: a run without it was ended before it had told everything

    @property
    def leaves_topic(self) -> bool:
        """Whether the run's topic is on a cluster that is not ours."""
        return self._created and not self.target.owned

    def remove_topic(self) -> str:
        """Remove the run's topic; returns why it could not be, empty when it is gone."""
        try:
            admin = AdminClient({"bootstrap.servers": self.target.bootstrap()})  # it must live until the answer is there
            admin.delete_topics([self.topic], request_timeout=10)[self.topic].result(15)
        except (KafkaException, TimeoutError) as error:
            return _text_of(error)
        return ""


def _text_of(error: BaseException) -> str:
    """The plain text of a librdkafka error, with its name."""
    if isinstance(error, KafkaException) and error.args and hasattr(error.args[0], "str"):
        return f"{error.args[0].name()}: {error.args[0].str()}"
    return str(error) or type(error).__name__
