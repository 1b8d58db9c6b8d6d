"""Apache Kafka's own tools, on the Java client, against a live cluster."""

import json
import re
from pathlib import Path

import pytest
from tests.support.apache_kafka import require_apache_kafka, tool
from tests.support.cluster import RunningCluster, eventually

TOOLS = "org.apache.kafka.tools"
pytestmark = pytest.mark.java


@pytest.fixture(autouse=True, scope="module")
def java() -> None:
    require_apache_kafka()


def run(cluster: RunningCluster, name: str, *arguments: str, stdin: str | None = None, bootstrap: str | None = None) -> str:
    """Run a tool on the cluster; it must succeed. Returns what it printed, without the logging of the JVM."""
    done = tool(name, "--bootstrap-server", bootstrap or cluster.bootstrap, *arguments, stdin=stdin)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def fails(cluster: RunningCluster, name: str, *arguments: str) -> str:
    """Run a tool that must fail; returns everything that it printed."""
    done = tool(name, "--bootstrap-server", cluster.bootstrap, *arguments)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def test_kafka_topics(cluster: RunningCluster, topic: str) -> None:
    command, name = f"{TOOLS}.TopicCommand", f"{topic}-made"
    made = ["--topic", name, "--partitions", "3", "--replication-factor", "2", "--config", "retention.ms=60000"]
    assert f"Created topic {name}." in run(cluster, command, "--create", *made)
    assert "already exists" in fails(cluster, command, "--create", *made)
    described = run(cluster, command, "--describe", "--topic", name)
    assert re.search(
        rf"Topic: {name}\s+TopicId: \S{{22}}\s+PartitionCount: 3\s+ReplicationFactor: 2\s+Configs: .*retention.ms=60000", described
    )
    assert len(re.findall(r"Partition: \d\s+Leader: [123]\s+Replicas: \d,\d\s+Isr: \d,\d\s+Elr:\s+LastKnownElr:", described)) == 3
    run(cluster, command, "--alter", "--topic", name, "--partitions", "5")
    cluster.wait_for_topic(name, 5, 1)
    assert "PartitionCount: 5" in run(cluster, command, "--describe", "--topic", name)
    assert run(cluster, command, "--describe", "--under-replicated-partitions").strip() == ""
    run(cluster, command, "--delete", "--topic", name)
    eventually(lambda: run(cluster, command, "--list").split(), lambda names: name not in names)


def test_console_producer_and_consumer(cluster: RunningCluster, topic: str) -> None:
    lines = [f"key\tline {number}" for number in range(200)]
    settings = ["--reader-property", "parse.key=true", "--command-property", "acks=all"]
    run(cluster, f"{TOOLS}.ConsoleProducer", "--topic", topic, *settings, stdin="\n".join(lines) + "\n")
    partition = next(each for each in range(3) if _latest(cluster, topic)[each] == 200)
    read = ["--topic", topic, "--partition", str(partition), "--formatter-property", "print.key=true"]
    whole = run(cluster, f"{TOOLS}.consumer.ConsoleConsumer", *read, "--offset", "earliest", "--max-messages", "200")
    assert whole.splitlines() == lines
    rest = run(cluster, f"{TOOLS}.consumer.ConsoleConsumer", *read, "--offset", "197", "--max-messages", "3")
    assert rest.splitlines() == lines[197:]


def _latest(cluster: RunningCluster, topic: str, time: str = "latest") -> dict[int, int]:
    printed = run(cluster, f"{TOOLS}.GetOffsetShell", "--topic", topic, "--time", time)
    return {int(partition): int(offset) for _, partition, offset in (line.rsplit(":", 2) for line in printed.split())}


@pytest.mark.slow
def test_kafka_get_offsets(cluster: RunningCluster, topic: str) -> None:
    run(cluster, f"{TOOLS}.VerifiableProducer", "--topic", topic, "--max-messages", "30", "--acks", "-1", "--value-prefix", "1")
    latest = _latest(cluster, topic)
    assert sum(latest.values()) == 30
    assert _latest(cluster, topic, "earliest") == {0: 0, 1: 0, 2: 0}
    assert all(offset < latest[partition] for partition, offset in _latest(cluster, topic, "max-timestamp").items() if latest[partition])
    assert _latest(cluster, topic, "0") == {partition: 0 for partition, end in latest.items() if end}


@pytest.mark.slow
def test_verifiable_producer(cluster: RunningCluster, topic: str) -> None:
    printed = run(cluster, f"{TOOLS}.VerifiableProducer", "--topic", topic, "--max-messages", "100", "--acks", "-1")
    events = [json.loads(line) for line in printed.splitlines()]
    assert [event["name"] for event in events].count("producer_send_success") == 100
    assert (events[-1]["sent"], events[-1]["acked"]) == (100, 100)


@pytest.mark.slow
def test_kafka_configs(cluster: RunningCluster, topic: str) -> None:
    command, this = "kafka.admin.ConfigCommand", ["--entity-type", "topics", "--entity-name", topic]
    run(cluster, command, *this, "--alter", "--add-config", "retention.ms=1000000,cleanup.policy=[compact,delete]")
    described = run(cluster, command, *this, "--describe")
    assert "retention.ms=1000000 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1000000" in described
    assert "cleanup.policy=compact,delete" in described
    run(cluster, command, *this, "--alter", "--delete-config", "retention.ms")
    everything = run(cluster, command, *this, "--describe", "--all")
    assert "retention.ms=604800000" in everything
    assert "synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}" in everything
    broker = ["--entity-type", "brokers", "--entity-name", "3"]
    run(cluster, command, *broker, "--alter", "--add-config", "log.retention.ms=5000000")
    assert "DYNAMIC_BROKER_CONFIG:log.retention.ms=5000000" in run(cluster, command, *broker, "--describe")
    run(cluster, command, *broker, "--alter", "--delete-config", "log.retention.ms")
    assert "node.id=3" in run(cluster, command, *broker, "--describe", "--all")
    assert "Cannot update these configs dynamically" in fails(cluster, command, *broker, "--alter", "--add-config", "log.dirs=/elsewhere")


@pytest.mark.slow
def test_kafka_metadata_quorum(cluster: RunningCluster) -> None:
    command = f"{TOOLS}.MetadataQuorumCommand"
    status = run(cluster, command, "describe", "--status")
    assert f"ClusterId:              {cluster.cluster_id}" in status
    leader = re.search(r"LeaderId:\s+([123])", status)
    assert leader is not None
    assert status.count('"CONTROLLER://127.0.0.1:') == 3
    replication = run(cluster, command, "describe", "--replication")
    assert len(re.findall(r"^[123]\s+\S{22}\s+\d+\s+\d+\s+\d+\s+\d+\s+(?:Leader|Follower)", replication, re.MULTILINE)) == 3
    at_controller = tool(command, "--bootstrap-controller", f"127.0.0.1:{cluster.controller_ports[int(leader[1])]}", "describe", "--status")
    assert at_controller.returncode == 0, at_controller.stderr
    assert f"LeaderId:               {leader[1]}" in at_controller.stdout


@pytest.mark.slow
def test_kafka_broker_api_versions(cluster: RunningCluster) -> None:
    printed = run(cluster, f"{TOOLS}.BrokerApiVersionsCommand")
    assert printed.count("-> (") == 3
    assert "Produce(0): 0 to 13 [usable: 13]" in printed
    assert set(re.findall(r"UNKNOWN\((\d+)\)", printed)) == {"94"}  # UnregisterController, younger than these tools


@pytest.mark.slow
def test_kafka_leader_election(cluster: RunningCluster, topic: str) -> None:
    command = f"{TOOLS}.LeaderElectionCommand"
    one = run(cluster, command, "--election-type", "preferred", "--topic", topic, "--partition", "0")
    assert f"Valid replica already elected for partitions {topic}-0" in one
    run(cluster, command, "--election-type", "preferred", "--all-topic-partitions")


@pytest.mark.slow
def test_kafka_producer_perf_test(cluster: RunningCluster, topic: str) -> None:
    flags = ["--num-records", "20000", "--record-size", "500", "--throughput", "-1", "--command-property", "acks=all"]
    printed = run(cluster, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic, *flags)
    assert "20000 records sent" in printed
    assert sum(_latest(cluster, topic).values()) == 20_000


@pytest.mark.slow
def test_kafka_log_dirs_delete_records_and_transactions(cluster: RunningCluster, topic: str, tmp_path: Path) -> None:
    run(cluster, f"{TOOLS}.ConsoleProducer", "--topic", topic, "--reader-property", "parse.key=true", stdin="k\ta\nk\tb\nk\tc\n")
    partition = next(each for each, end in _latest(cluster, topic).items() if end == 3)
    printed = run(cluster, f"{TOOLS}.LogDirsCommand", "--describe", "--topic-list", topic)
    found = json.loads(printed.splitlines()[-1])
    sizes = [
        each["size"]
        for broker in found["brokers"]
        for directory in broker["logDirs"]
        for each in directory["partitions"]
        if each["partition"] == f"{topic}-{partition}"
    ]
    assert len(sizes) == 3
    assert min(sizes) == max(sizes) > 0
    producers = run(cluster, f"{TOOLS}.TransactionsCommand", "describe-producers", "--topic", topic, "--partition", str(partition))
    assert re.search(r"^\d+\s+0\s+", producers, re.MULTILINE)
    offsets = tmp_path / "offsets.json"
    offsets.write_text(json.dumps({"partitions": [{"topic": topic, "partition": partition, "offset": 2}], "version": 1}))
    assert "low_watermark: 2" in run(cluster, f"{TOOLS}.DeleteRecordsCommand", "--offset-json-file", str(offsets))
    assert _latest(cluster, topic, "earliest")[partition] == 2


@pytest.mark.slow
def test_kafka_features(cluster: RunningCluster) -> None:
    printed = run(cluster, f"{TOOLS}.FeatureCommand", "describe")
    assert re.search(r"Feature: metadata.version\s+SupportedMinVersion: .*FinalizedVersionLevel: \S+", printed)
    assert "Feature: kraft.version" in printed
