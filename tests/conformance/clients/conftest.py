"""Clusters of three brokers for all tests of this folder that do no harm to them; the others start their own.

``cluster`` has Kafka's stock settings and is ours. ``kafka`` is ours or Apache Kafka's, with groups and transactions that do not wait long: tests
that use it run on both, with the same expectations.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conformance.clients.java_clients import Programs, compiled
from tests.conformance.clients.targets import BOTH, QUICK_COORDINATORS, start
from tests.support.cluster import Brokers, RunningCluster, running

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a cluster run in one worker; a test with a cluster of its own may run in any."""
    for item in items:
        if _HERE not in item.path.parents:
            continue
        if "kafka" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group(f"groups-{item.callspec.params['kafka']}"))  # pyright: ignore[reportAttributeAccessIssue]
            continue
        chosen = getattr(getattr(item, "callspec", None), "params", {})
        shared = next((f"{item.path.stem}-{chosen[name]}" for name in ("target", "world") if name in chosen), None)
        if shared is None and "cluster" in getattr(item, "fixturenames", ()):
            shared = "clients"
        if shared is not None:
            item.add_marker(pytest.mark.xdist_group(shared))


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """Three brokers with Kafka's stock settings. At the end they must stop cleanly, and no answer may have been one that can't be encoded."""
    with running(tmp_path_factory.mktemp("cluster")) as started:
        yield started
    assert "can't be encoded" not in started.logs()


@pytest.fixture(scope="session", params=BOTH)
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Brokers]:
    """Three brokers that let groups and transactions go on quickly."""
    for brokers in start(request.param, tmp_path_factory.mktemp("kafka"), QUICK_COORDINATORS):
        yield brokers
        if isinstance(brokers, RunningCluster):
            assert "can't be encoded" not in brokers.logs()


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Programs:
    """The Java programs of this folder, compiled once."""
    return compiled(tmp_path_factory.mktemp("java"))


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """franz-go's program, built once. Skips where the modules can't be had; a program that does not build is a failure."""
    sources = _HERE / "franz"
    fetched = subprocess.run(["go", "mod", "download"], cwd=sources, capture_output=True, text=True, timeout=300, check=False)
    if fetched.returncode:
        pytest.skip(f"franz-go's modules can't be downloaded: {fetched.stderr.strip().splitlines()[-1]}")
    binary = tmp_path_factory.mktemp("franz") / "franz"
    built = subprocess.run(["go", "build", "-o", str(binary), "."], cwd=sources, capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0, built.stderr
    return binary


_numbers: dict[str, int] = {}


def _fresh_name(request: pytest.FixtureRequest) -> str:
    stem = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:100]
    _numbers[stem] = _numbers.get(stem, 0) + 1
    return f"{stem}-{_numbers[stem]}"


@pytest.fixture
def topic(cluster: RunningCluster, request: pytest.FixtureRequest) -> str:
    """A fresh topic with 3 partitions and 3 replicas."""
    name = _fresh_name(request)
    cluster.create_topic(name, partitions=3)
    return name


@pytest.fixture
def shared(kafka: Brokers, request: pytest.FixtureRequest) -> str:
    """A fresh topic of ``kafka`` with 6 partitions and 3 replicas; its name is free for a group and a transactional id too."""
    name = _fresh_name(request)
    kafka.create_topic(name, partitions=6)
    return name
