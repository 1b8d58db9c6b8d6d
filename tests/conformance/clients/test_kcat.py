"""kcat, the tool that everybody has at hand (an older librdkafka), against a live cluster."""

import json
import shutil
import subprocess

import pytest
from tests.support.cluster import RunningCluster

pytestmark = [pytest.mark.kcat, pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not installed")]


def kcat(cluster: RunningCluster, *arguments: str, stdin: str = "") -> str:
    """Run kcat; returns what it printed. It must succeed and have nothing to complain of."""
    done = subprocess.run(
        ["kcat", "-b", cluster.bootstrap, *arguments], input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "%3|" not in done.stderr, done.stderr
    assert "ERROR" not in done.stderr, done.stderr
    return done.stdout


def test_metadata_list(cluster: RunningCluster, topic: str) -> None:
    found = json.loads(kcat(cluster, "-L", "-J"))
    assert {broker["id"]: broker["name"] for broker in found["brokers"]} == {
        broker: f"127.0.0.1:{port}" for broker, port in cluster.ports.items()
    }
    (described,) = (each for each in found["topics"] if each["topic"] == topic)
    assert [len(partition["isrs"]) for partition in described["partitions"]] == [3, 3, 3]
    assert f'topic "{topic}" with 3 partitions' in kcat(cluster, "-L", "-t", topic)


@pytest.mark.parametrize("compression", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_produce_and_consume(cluster: RunningCluster, topic: str, compression: str) -> None:
    lines = [f"key-{number}:value {number}" for number in range(500)]
    kcat(cluster, "-P", "-t", topic, "-p", "1", "-K", ":", "-z", compression, "-X", "acks=all", stdin="\n".join(lines))
    found = kcat(cluster, "-C", "-t", topic, "-p", "1", "-o", "beginning", "-e", "-q", "-f", "%o %k:%s\n")
    assert found.splitlines() == [f"{offset} {line}" for offset, line in enumerate(lines)]


def test_idempotent_and_every_offset_that_can_be_named(cluster: RunningCluster, topic: str) -> None:
    kcat(cluster, "-P", "-t", topic, "-p", "0", "-X", "enable.idempotence=true", stdin="\n".join("abcdefghij"))
    for offset, expected in (("beginning", "abcdefghij"), ("3", "defghij"), ("-2", "ij"), ("end", "")):
        found = kcat(cluster, "-C", "-t", topic, "-p", "0", "-o", offset, "-e", "-q", "-f", "%s")
        assert found == expected
    stamps = kcat(cluster, "-C", "-t", topic, "-p", "0", "-o", "beginning", "-e", "-q", "-f", "%T\n").split()
    assert kcat(cluster, "-C", "-t", topic, "-p", "0", "-o", f"s@{stamps[-1]}", "-e", "-q", "-f", "%s").endswith("j")
    assert f"{topic} [0] offset 10" in kcat(cluster, "-Q", "-t", f"{topic}:0:-1")
    assert f"{topic} [0] offset 0" in kcat(cluster, "-Q", "-t", f"{topic}:0:-2")


def test_headers_and_null_values(cluster: RunningCluster, topic: str) -> None:
    kcat(cluster, "-P", "-t", topic, "-p", "2", "-Z", "-K", ":", "-H", "colour=blue", "-H", "colour=red", stdin="gone:\n")
    found = kcat(cluster, "-C", "-t", topic, "-p", "2", "-o", "beginning", "-e", "-q", "-J")
    message = json.loads(found)
    assert (message["key"], message["payload"]) == ("gone", None)
    assert message["headers"] == ["colour", "blue", "colour", "red"]
