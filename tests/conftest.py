"""Fixtures that several folders share. A real Apache Kafka is started once per test process, and only when a test asks for it."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from tests.support.apache_kafka import ApacheCluster, require_apache_kafka

# The same examples everywhere, so that a change is judged and not the day's luck; HOLDWATER_HYPOTHESIS=random (make test-all) looks for new ones.
settings.register_profile("same", derandomize=True)
settings.register_profile("random", print_blob=True)
settings.load_profile(os.environ.get("HOLDWATER_HYPOTHESIS", "same"))


# Shorter than stock, so that a killed broker fits into a test; prove's bounds follow, since they are computed from what the brokers tell.
QUICKER = {"broker.session.timeout.ms": "4000", "broker.heartbeat.interval.ms": "1000"}


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Make ``xdist_group`` count under pytest 9.2, whose node ids pytest-xdist 3.8 writes its suffix into no more (it sets ``_nodeid``)."""
    if not getattr(config.option, "loadgroup", False):
        return
    try:
        from _pytest.nodeid import coerce_node_id
    except ImportError:  # an older pytest, with which pytest-xdist does it itself
        return
    for item in items:
        group = item.get_closest_marker("xdist_group")
        if group is not None and "@" not in item.nodeid.rpartition("]")[2]:
            item._id = coerce_node_id(f"{item.nodeid}@{group.args[0]}")


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApacheCluster]:
    """Three nodes of Apache Kafka; mark tests that use it ``java`` and group them ``apache-kafka``, so that one process runs them all."""
    require_apache_kafka()
    with ApacheCluster(tmp_path_factory.mktemp("apache") / "kafka", settings=QUICKER) as cluster:
        yield cluster
