"""One cluster of three brokers for all tests of this folder that do no harm to it; the others start their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.cluster import RunningCluster, running

_HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share a cluster run in one worker; a test with a cluster of its own may run in any."""
    for item in items:
        if _HERE not in item.path.parents:
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


_numbers: dict[str, int] = {}


@pytest.fixture
def topic(cluster: RunningCluster, request: pytest.FixtureRequest) -> str:
    """A fresh topic with 3 partitions and 3 replicas."""
    stem = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:100]
    _numbers[stem] = _numbers.get(stem, 0) + 1
    name = f"{stem}-{_numbers[stem]}"
    cluster.create_topic(name, partitions=3)
    return name
