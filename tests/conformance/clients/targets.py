"""Who the tests speak to: our cluster, and, with the same expectations, Apache Kafka."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.support.apache_kafka import ApacheCluster, require_apache_kafka
from tests.support.cluster import Brokers, running

OURS = "holdwater"
APACHE = "apache-kafka"
BOTH = [OURS, pytest.param(APACHE, marks=[pytest.mark.java, pytest.mark.slow])]

# What would make tests of groups and transactions wait: shorter than stock, and the same for both.
QUICK_COORDINATORS = {
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "group.consumer.heartbeat.interval.ms": "300",
    "group.consumer.min.heartbeat.interval.ms": "100",
    "group.consumer.session.timeout.ms": "4000",
    "group.consumer.min.session.timeout.ms": "1000",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "offsets.topic.num.partitions": "6",
    "transaction.state.log.num.partitions": "6",
}


def start(name: str, folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Brokers]:
    """A fresh cluster of three brokers of the given kind."""
    if name == OURS:
        with running(folder, settings=settings) as cluster:
            yield cluster
        return
    require_apache_kafka()
    with ApacheCluster(folder / "apache", nodes=3, settings=settings) as apache:
        plan = json.loads((folder / "apache" / "plan.json").read_text())
        yield Brokers(dict(zip(apache.nodes, plan["ports"], strict=True)))


def bootstrap(brokers: Brokers) -> str:
    """All brokers of a cluster, as clients want them named."""
    return ",".join(f"127.0.0.1:{port}" for port in brokers.ports.values())
