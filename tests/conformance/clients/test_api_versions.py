"""What ApiVersions promises: by our listeners, by the page that users read, and by Apache Kafka's listeners."""

import json
from pathlib import Path

import pytest
from tests.support.apache_kafka import ApacheCluster, require_apache_kafka
from tests.support.cluster import RunningCluster
from tests.support.requests import RawConnection

from holdwater.broker.apis import BROKER, CONTROLLER
from holdwater.broker.handlers.api_versions import served_versions
from holdwater.rpc import Connection
from holdwater.wire import messages as m
from holdwater.wire.codec.frames import API_TABLE

INVALID_REQUEST, UNSUPPORTED_VERSION, REBOOTSTRAP_REQUIRED = 42, 35, 129


def advertised(port: int) -> dict[int, tuple[int, int]]:
    with Connection("127.0.0.1", port) as connection:
        return connection.versions


@pytest.mark.parametrize("kind", [BROKER, CONTROLLER])
def test_a_listener_advertises_what_its_handlers_serve(cluster: RunningCluster, kind: str) -> None:
    ports = cluster.ports if kind == BROKER else cluster.controller_ports
    expected = {key: (low, high) for key, low, high in served_versions(kind)}
    for port in ports.values():
        assert advertised(port) == expected


@pytest.mark.java
@pytest.mark.slow
def test_the_same_versions_on_the_same_listeners_as_apache_kafka(tmp_path: Path) -> None:
    require_apache_kafka()
    with ApacheCluster(tmp_path / "apache", nodes=1) as apache:
        plan = json.loads((apache.folder / "plan.json").read_text())
        of_kafka = {BROKER: advertised(plan["ports"][0]), CONTROLLER: advertised(plan["controllers"][0])}
    for kind, theirs in of_kafka.items():
        ours = {key: (low, high) for key, low, high in served_versions(kind)}
        assert {key: theirs.get(key) for key in ours} == ours
        assert set(theirs) <= set(API_TABLE)


def test_old_clients_are_told_of_no_feature_that_they_cannot_read(cluster: RunningCluster) -> None:
    """Before version 4 a feature whose lowest level is 0 is left out (KAFKA-17011)."""
    with RawConnection(cluster.ports[1]) as connection:
        told = {version: connection.call(m.ApiVersionsRequest("t", "1"), version, m.ApiVersionsResponse) for version in (3, 4)}
    assert all(feature.min_version > 0 for feature in told[3].supported_features)
    assert "kraft.version" in {feature.name for feature in told[4].supported_features}
    assert {feature.name for feature in told[3].finalized_features} == {feature.name for feature in told[4].finalized_features}


@pytest.mark.parametrize(
    ("cluster_id", "node_id", "error"),
    [
        (None, -1, 0),
        ("own", 1, 0),
        ("own", 2, REBOOTSTRAP_REQUIRED),
        ("another", 1, REBOOTSTRAP_REQUIRED),
        ("own", -1, INVALID_REQUEST),
        (None, 1, INVALID_REQUEST),
    ],
)
def test_a_client_that_names_whom_it_means(cluster: RunningCluster, cluster_id: str | None, node_id: int, error: int) -> None:
    """KIP-1242: cluster and node come together, and a connection that reached somebody else is told so."""
    named = cluster.cluster_id if cluster_id == "own" else cluster_id
    with RawConnection(cluster.ports[1]) as connection:
        answer = connection.call(m.ApiVersionsRequest("t", "1", cluster_id=named, node_id=node_id), 5, m.ApiVersionsResponse)
    assert answer.error_code == error
    assert bool(answer.api_keys) == (error == 0)


@pytest.mark.parametrize("name", ["", "two words", "-dash", "dash-", "größe"])
def test_software_names_are_checked(cluster: RunningCluster, name: str) -> None:
    with RawConnection(cluster.ports[1]) as connection:
        assert connection.call(m.ApiVersionsRequest(name, "1"), 3, m.ApiVersionsResponse).error_code == INVALID_REQUEST
        assert connection.call(m.ApiVersionsRequest("name", "1.0-rc2"), 3, m.ApiVersionsResponse).error_code == 0
