"""Golden stories of the metadata controller: a command, ``----``, the records it wrote and the answer (after etcd raft's testdata).

``HOLDWATER_REWRITE=1 python -m pytest tests/scenarios/metadata`` writes the outputs anew; read the difference before committing it.

Commands (``T-0`` is partition 0 of topic T)::

    controller KEY=VALUE...                    a new cluster; keys are Kafka's
    start N... [racks=a,b]                     register and unfence brokers
    register N [process=2] [previous=EPOCH|last]
    heartbeat N [offset=N] [fence] [shutdown] [offline] [cordoned]
    create T [partitions=N] [factor=N] [assign=1,2;2,3] [KEY=VALUE...]
    delete T | partitions T N | elect preferred|unclean T-0
    isr T-0 1,2,3 [leader=N] [leader-epoch=N] [partition-epoch=N] [recovering]
    config topic|broker|cluster NAME KEY=VALUE... | KEY (deletes)
    disconnect N | unregister N | producer-ids N
    time MS [beats=1,2]                        time passes in steps of 100 ms; the brokers named send heartbeats each second
    failover [lost=N]                          another node becomes the active controller
    status [T]
"""

import os
from pathlib import Path
from typing import Any

from tests.support.metadata_bench import Bench, config_of, directory

from holdwater.core.metadata.image import BROKER_RESOURCE, TOPIC_RESOURCE
from holdwater.core.metadata.partition import PartitionState
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    AllocateProducerIdsRequest,
    BrokerRegistrationChangeRecord,
    ClearElrRecord,
    ConfigRecord,
    CreatePartitionsRequest,
    DeleteTopicsRequest,
    ElectLeadersRequest,
    FeatureLevelRecord,
    IncrementalAlterConfigsRequest,
    NoOpRecord,
    PartitionChangeRecord,
    PartitionRecord,
    ProducerIdsRecord,
    RegisterBrokerRecord,
    RemoveTopicRecord,
    TopicRecord,
    UnregisterBrokerRecord,
    UnregisterBrokerRequest,
)

REWRITE = os.environ.get("HOLDWATER_REWRITE") == "1"


class MetadataStory:
    """Runs the commands of one file, in order, on one controller."""

    def __init__(self) -> None:
        self._bench: Bench | None = None
        self._told = 0
        self._names: dict[bytes, str] = {}
        self._states: dict[tuple[bytes, int], PartitionState] = {}

    @property
    def bench(self) -> Bench:
        assert self._bench is not None, "a story begins with `controller`"
        return self._bench

    def command(self, line: str) -> str:
        """Run one command; returns its output."""
        name, *words = line.split()
        options = dict(word.split("=", 1) for word in words if "=" in word)
        plain = [word for word in words if "=" not in word]
        answer = getattr(self, "do_" + name.replace("-", "_"))(plain, options)
        lines = [self._tell(offset, record.message) for offset, record in self.bench.log[self._told :]]
        self._told = len(self.bench.log)
        return "\n".join([line for line in lines if line] + ([answer] if answer else [])) or "ok"

    def do_controller(self, plain: list[str], options: dict[str, str]) -> None:
        options.setdefault("metadata.max.idle.interval.ms", "0")
        self._bench = Bench(config_of(**{name.replace(".", "_"): text for name, text in options.items()}))

    # Brokers

    def do_start(self, plain: list[str], options: dict[str, str]) -> None:
        racks = options["racks"].split(",") if "racks" in options else [None] * len(plain)
        for broker_id, rack in zip(plain, racks, strict=True):
            self.bench.start(int(broker_id), rack=rack)

    def do_register(self, plain: list[str], options: dict[str, str]) -> str:
        broker_id = int(plain[0])
        previous = options.get("previous", "-1")
        epoch = self.bench.epochs[broker_id] if previous == "last" else int(previous)
        response = self.bench.register(broker_id, start=int(options.get("process", "1")), previous_epoch=epoch)
        return _error(response.error_code) or f"broker epoch {response.broker_epoch}"

    def do_heartbeat(self, plain: list[str], options: dict[str, str]) -> str:
        broker_id = int(plain[0])
        response = self.bench.heartbeat(
            broker_id,
            offset=int(options["offset"]) if "offset" in options else None,
            fence="fence" in plain,
            shut_down="shutdown" in plain,
            offline=[directory(broker_id)] if "offline" in plain else None,
            cordoned=[directory(broker_id)] if "cordoned" in plain else None,
        )
        if response.error_code:
            return _error(response.error_code)
        words = ["fenced" if response.is_fenced else "unfenced", "caught up" if response.is_caught_up else "behind"]
        return ", ".join([*words, "may stop"] if response.should_shut_down else words)

    def do_disconnect(self, plain: list[str], options: dict[str, str]) -> str:
        self.bench.tick()
        moved = self.bench.controller.on_broker_disconnected(int(plain[0]), self.bench.mono_ms)
        return f"next deadline in {self.bench.controller.next_deadline() - self.bench.mono_ms} ms" if moved else "nothing moved"

    def do_unregister(self, plain: list[str], options: dict[str, str]) -> str:
        request = UnregisterBrokerRequest(broker_id=int(plain[0]))
        response = self.bench.submit(self.bench.controller.handle_unregister_broker(request))
        return _error(response.error_code, response.error_message)

    def do_producer_ids(self, plain: list[str], options: dict[str, str]) -> str:
        broker_id = int(plain[0])
        request = AllocateProducerIdsRequest(broker_id=broker_id, broker_epoch=self.bench.epochs.get(broker_id, -1))
        response = self.bench.submit(self.bench.controller.handle_allocate_producer_ids(request))
        return _error(response.error_code) or f"{response.producer_id_len} from {response.producer_id_start}"

    def do_time(self, plain: list[str], options: dict[str, str]) -> None:
        beats = [int(broker_id) for broker_id in options["beats"].split(",")] if "beats" in options else []
        for step in range(int(plain[0]) // 100):
            self.bench.tick(100)
            if step % 10 == 9:
                self.bench.heartbeats(*beats)

    def do_failover(self, plain: list[str], options: dict[str, str]) -> str:
        controller = self.bench.new_controller(int(options.get("lost", "-1")))
        self.bench.tick()
        return f"next deadline in {controller.next_deadline() - self.bench.mono_ms} ms"

    # Topics

    def do_create(self, plain: list[str], options: dict[str, str]) -> str:
        partitions, factor = int(options.pop("partitions", "-1")), int(options.pop("factor", "-1"))
        assign = options.pop("assign", None)
        told = [[int(broker) for broker in part.split(",")] for part in assign.split(";")] if assign else None
        result = self.bench.create(
            plain[0], partitions, factor, assignment=told, **{name.replace(".", "_"): text for name, text in options.items()}
        )
        return _error(result.error_code, result.error_message)

    def do_delete(self, plain: list[str], options: dict[str, str]) -> str:
        request = DeleteTopicsRequest(topics=[DeleteTopicsRequest.DeleteTopicState(name=plain[0])])
        result = self.bench.submit(self.bench.controller.handle_delete_topics(request, 6)).responses[0]
        return _error(result.error_code, result.error_message)

    def do_partitions(self, plain: list[str], options: dict[str, str]) -> str:
        topic = CreatePartitionsRequest.CreatePartitionsTopic(name=plain[0], count=int(plain[1]), assignments=None)
        result = self.bench.submit(self.bench.controller.handle_create_partitions(CreatePartitionsRequest(topics=[topic]))).results[0]
        return _error(result.error_code, result.error_message)

    def do_elect(self, plain: list[str], options: dict[str, str]) -> str:
        topic, _, number = plain[1].rpartition("-")
        wanted = [ElectLeadersRequest.TopicPartitions(topic=topic, partitions=[int(number)])]
        request = ElectLeadersRequest(election_type=["preferred", "unclean"].index(plain[0]), topic_partitions=wanted)
        response = self.bench.submit(self.bench.controller.handle_elect_leaders(request, 2))
        result = response.replica_election_results[0].partition_result[0]
        return _error(result.error_code, result.error_message)

    def do_isr(self, plain: list[str], options: dict[str, str]) -> str:
        topic, _, number = plain[0].rpartition("-")
        response = self.bench.alter_isr(
            topic,
            int(number),
            [int(member) for member in plain[1].split(",")],
            recovery_state=1 if "recovering" in plain else 0,
            **{name.replace("-", "_"): int(text) for name, text in options.items()},
        )
        return _error(response.error_code) or f"isr {response.isr}, partition epoch {response.partition_epoch}"

    def do_config(self, plain: list[str], options: dict[str, str]) -> str:
        kind = TOPIC_RESOURCE if plain[0] == "topic" else BROKER_RESOURCE
        name = "" if plain[0] == "cluster" else plain[1]
        request = IncrementalAlterConfigsRequest
        deleted = plain[1:] if plain[0] == "cluster" else plain[2:]
        entries = [request.AlterableConfig(name=key, config_operation=0, value=text) for key, text in options.items()]
        entries.extend(request.AlterableConfig(name=key, config_operation=1, value=None) for key in deleted)
        resource = request.AlterConfigsResource(resource_type=kind, resource_name=name, configs=entries)
        response = self.bench.submit(self.bench.controller.handle_incremental_alter_configs(request(resources=[resource])))
        return _error(response.responses[0].error_code, response.responses[0].error_message)

    def do_status(self, plain: list[str], options: dict[str, str]) -> str:
        image = self.bench.image
        lines = [
            f"broker {broker.broker_id}: epoch {broker.broker_epoch}, {'fenced' if broker.fenced else 'unfenced'}"
            + (", shutting down" if broker.in_controlled_shutdown else "")
            for broker in image.brokers.values()
        ]
        for topic in image.topics.values():
            if plain and topic.name not in plain:
                continue
            lines.extend(f"{topic.name}-{number}: {_describe(partition)}" for number, partition in topic.partitions.items())
        return "\n".join(lines)

    # Records

    def _tell(self, offset: int, record: Any) -> str:
        text = self._describe_record(record)
        return f"{offset:>4} {text}" if text else ""

    def _describe_record(self, record: Any) -> str:
        match record:
            case TopicRecord():
                self._names[record.topic_id] = record.name
                return f"Topic {record.name}"
            case RemoveTopicRecord():
                return f"RemoveTopic {self._names[record.topic_id]}"
            case PartitionRecord():
                self._states[record.topic_id, record.partition_id] = _state_of(record)
                return f"Partition {self._name(record)} replicas {record.replicas} isr {record.isr} leader {record.leader}"
            case PartitionChangeRecord():
                return self._describe_change(record)
            case RegisterBrokerRecord():
                fenced = "" if record.fenced else ", unfenced"
                return f"RegisterBroker {record.broker_id} broker epoch {record.broker_epoch}{fenced}"
            case BrokerRegistrationChangeRecord():
                return _describe_registration_change(record)
            case UnregisterBrokerRecord():
                return f"UnregisterBroker {record.broker_id}"
            case ConfigRecord():
                kind = {TOPIC_RESOURCE: "topic", BROKER_RESOURCE: "broker"}[record.resource_type]
                return f"Config {kind} '{record.resource_name}' {record.name}={record.value}"
            case ClearElrRecord():
                return f"ClearElr {record.topic_name or 'of every topic'}"
            case FeatureLevelRecord():
                return f"FeatureLevel {record.name}={record.feature_level}"
            case ProducerIdsRecord():
                return f"ProducerIds broker {record.broker_id} next {record.next_producer_id}"
            case NoOpRecord():
                return "NoOp"
            case _:
                return type(record).__name__.removesuffix("Record")

    def _name(self, record: Any) -> str:
        return f"{self._names[record.topic_id]}-{record.partition_id}"

    def _describe_change(self, record: PartitionChangeRecord) -> str:
        named = {
            "isr": record.isr,
            "leader": None if record.leader == -2 else record.leader,
            "elr": record.eligible_leader_replicas,
            "last known": record.last_known_elr,
            "recovery": None if record.leader_recovery_state == -1 else record.leader_recovery_state,
            "replicas": record.replicas,
            "directories": None if record.directories is None else len(record.directories),
        }
        return f"PartitionChange {self._name(record)} " + " ".join(f"{name} {value}" for name, value in named.items() if value is not None)


def _state_of(record: PartitionRecord) -> PartitionState:
    return PartitionState(tuple(record.replicas), (), tuple(record.isr), (), (), record.leader, 0, 0, 0)


def _describe(partition: PartitionState) -> str:
    words = [
        f"leader {partition.leader} in {partition.leader_epoch}",
        f"partition epoch {partition.partition_epoch}",
        f"replicas {list(partition.replicas)}",
        f"isr {list(partition.isr)}",
    ]
    if partition.elr:
        words.append(f"elr {list(partition.elr)}")
    if partition.last_known_elr:
        words.append(f"last known {list(partition.last_known_elr)}")
    if partition.leader_recovery_state:
        words.append("recovering")
    return ", ".join(words)


def _describe_registration_change(record: BrokerRegistrationChangeRecord) -> str:
    words = [{1: "fenced", -1: "unfenced"}.get(record.fenced, "")]
    words.append("shutting down" if record.in_controlled_shutdown else "")
    words.append(f"{len(record.log_dirs)} directories" if record.log_dirs else "")
    words.append("" if record.cordoned_log_dirs is None else f"{len(record.cordoned_log_dirs)} cordoned")
    return f"BrokerRegistrationChange {record.broker_id} " + ", ".join(word for word in words if word)


def _error(code: int, message: str | None = None) -> str:
    if not code:
        return ""
    return ErrorCode(code).name + (f": {message}" if message else "")


def run_story(path: Path) -> str:
    """The file with its outputs as they come out now."""
    story = MetadataStory()
    out: list[str] = []
    for block in path.read_text().split("\n\n"):
        lines = block.strip("\n").split("\n")
        comments = [line for line in lines if line.startswith("#")]
        commands = [line for line in lines if line and not line.startswith("#")]
        command = commands[0] if commands else ""
        text = "\n".join([*comments, *([command, "----", story.command(command)] if command else [])])
        if text:
            out.append(text)
    return "\n\n".join(out) + "\n"
