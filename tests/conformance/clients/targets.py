"""Who the raw-request tests speak to: our cluster, and, with the same expectations, Apache Kafka."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.apache_kafka import ApacheCluster, require_apache_kafka
from tests.support.cluster import Brokers, running

OURS = "holdwater"
APACHE = "apache-kafka"
BOTH = [OURS, pytest.param(APACHE, marks=[pytest.mark.java, pytest.mark.slow])]


def start(name: str, folder: Path) -> Iterator[Brokers]:
    """A fresh cluster of three brokers of the given kind."""
    if name == OURS:
        with running(folder) as cluster:
            yield cluster
        return
    require_apache_kafka()
    with ApacheCluster(folder / "apache", nodes=3) as apache:
        plan = json.loads((folder / "apache" / "plan.json").read_text())
        yield Brokers(dict(zip(apache.nodes, plan["ports"], strict=True)))
