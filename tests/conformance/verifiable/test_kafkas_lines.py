"""Our verifiable clients beside Kafka's own on one Apache Kafka: the same events, with the same fields in the same order."""

import json
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from tests.support.apache_kafka import ApacheCluster, tool_command

pytestmark = [pytest.mark.java, pytest.mark.xdist_group("apache-kafka")]

JAVA = {
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
}
LIMIT_S = 120
_BEGIN = '{"timestamp"'


def command(whose: str, name: str, cluster: ApacheCluster, *arguments: str) -> list[str]:
    given = ["--bootstrap-server", cluster.bootstrap(), *arguments]
    return tool_command(JAVA[name], *given) if whose == "java" else [sys.executable, "-m", "holdwater.cli.main", name, *given]


def lines(text: str) -> list[dict[str, Any]]:
    """What is JSON of it; Java's log shares the stream, and its last line may end where an event begins."""
    return [json.loads(line[line.index(_BEGIN) :]) for line in text.splitlines() if _BEGIN in line]


def events(whose: str, name: str, cluster: ApacheCluster, *arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(command(whose, name, cluster, *arguments), capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return lines(done.stdout)


def shapes(said: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The fields of each kind of event, in order."""
    return {event["name"]: tuple(event) for event in said}


def values(said: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((str(event["key"]), event["value"]) for event in said if event["name"] == "producer_send_success")


def topic(cluster: ApacheCluster, name: str) -> str:
    admin = AdminClient({"bootstrap.servers": cluster.bootstrap()})
    admin.create_topics([NewTopic(name, num_partitions=2, replication_factor=3)])[name].result(60)
    return name


@pytest.mark.parametrize(
    "arguments",
    [
        ("--max-messages", "4"),
        ("--max-messages", "3", "--value-prefix", "7", "--repeating-keys", "2", "--acks", "1", "--throughput", "50"),
    ],
)
def test_the_producers_say_the_same(apache_kafka: ApacheCluster, arguments: tuple[str, ...]) -> None:
    name = topic(apache_kafka, f"producer-{len(arguments)}")
    said = {whose: events(whose, "verifiable-producer", apache_kafka, "--topic", name, *arguments) for whose in ("java", "ours")}
    assert shapes(said["ours"]) == shapes(said["java"])
    assert [event["name"] for event in said["ours"]] == [event["name"] for event in said["java"]]
    assert values(said["ours"]) == values(said["java"])
    totals = [{k: v for k, v in said[whose][-1].items() if k not in ("timestamp", "avg_throughput")} for whose in said]
    assert totals[0] == totals[1]


@pytest.mark.parametrize(
    "arguments",
    [(), ("--verbose",), ("--enable-autocommit",), ("--group-protocol", "consumer")],
    ids=lambda given: "".join(given) or "plain",
)
def test_the_consumers_say_the_same(apache_kafka: ApacheCluster, arguments: tuple[str, ...]) -> None:
    name = topic(apache_kafka, f"consumer{''.join(arguments)}")
    events("ours", "verifiable-producer", apache_kafka, "--topic", name, "--max-messages", "6", "--repeating-keys", "6")
    said = {
        whose: events(
            whose, "verifiable-consumer", apache_kafka, "--topic", name, "--group-id", f"{whose}-{name}", "--max-messages", "6", *arguments
        )
        for whose in ("java", "ours")
    }
    assert shapes(said["ours"]) == shapes(said["java"])
    # How many polls it took is chance; everything around them is not.
    around = {"startup_complete", "partitions_assigned", "partitions_revoked", "shutdown_complete", "shutdown_requested"}
    order = {whose: [event["name"] for event in said[whose] if event["name"] in around] for whose in said}
    assert order["ours"] == order["java"]
    ends = {whose: consumed(said[whose]) for whose in said}
    assert ends["ours"] == ends["java"]
    assert sum(end + 1 for end in ends["ours"].values()) == 6


def consumed(said: list[dict[str, Any]]) -> dict[int, int]:
    """The last offset of each partition."""
    parts = [part for event in said if event["name"] == "records_consumed" for part in event["partitions"]]
    assert all(tuple(part) == ("topic", "partition", "count", "minOffset", "maxOffset") for part in parts)
    return {part["partition"]: part["maxOffset"] for part in sorted(parts, key=lambda part: part["maxOffset"])}


@pytest.mark.parametrize("name", ["verifiable-producer", "verifiable-consumer"])
def test_they_end_alike_on_a_signal(apache_kafka: ApacheCluster, name: str) -> None:
    wanted = topic(apache_kafka, f"signal-{name}")
    ended: dict[str, tuple[int, list[str]]] = {}
    for whose in ("java", "ours"):
        extra = ("--throughput", "20") if name == "verifiable-producer" else ("--group-id", f"signal-{whose}")
        process = subprocess.Popen(command(whose, name, apache_kafka, "--topic", wanted, *extra), stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        # The first event after the start shows that it is at work.
        first = [process.stdout.readline() for _ in range(2)]
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=LIMIT_S)
        names = [event["name"] for event in lines("".join(first) + rest)]
        ended[whose] = (process.returncode % 256, [one for one in names if one in ("shutdown_requested", "shutdown_complete", "tool_data")])
    assert ended["ours"] == ended["java"]
    assert ended["ours"][0] == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    "arguments",
    [
        ("--reset-policy", "none"),
        ("--reset-policy", "none", "--group-protocol", "consumer"),
        ("--topic", "bad/topic"),
        ("--topic", "bad/topic", "--group-protocol", "consumer"),
        ("--session-timeout", "5000"),
        ("--group-protocol", "consumer", "--group-remote-assignor", "nosuch"),
    ],
    ids=" ".join,
)
def test_the_consumers_end_alike_on_what_they_do_not_get_over(apache_kafka: ApacheCluster, arguments: tuple[str, ...]) -> None:
    """But for the exit code: Kafka's tool ends with 0, as if nothing were wrong."""
    name = topic(apache_kafka, f"ends{''.join(arguments).replace('/', '_')}")
    said: dict[str, list[dict[str, Any]]] = {}
    for whose in ("java", "ours"):
        given = ("--topic", name, "--group-id", f"{whose}-{name}", *arguments)
        done = subprocess.run(command(whose, "verifiable-consumer", apache_kafka, *given), capture_output=True, text=True, timeout=LIMIT_S)
        assert done.returncode == (1 if whose == "ours" else 0), done.stderr
        # An assignment of nothing comes before the end or not, as the clock has it.
        said[whose] = [event for event in lines(done.stdout) if event.get("partitions") != []]
    assert shapes(said["ours"]) == shapes(said["java"])
    assert [event["name"] for event in said["ours"]] == [event["name"] for event in said["java"]]
    assert said["ours"][-2]["name"] == "shutdown_complete"
