"""Registration and heartbeats, beyond what the stories tell."""

from typing import Any

import pytest
from tests.support.metadata_bench import CLUSTER_ID, Bench, config_of, directory, incarnation

from holdwater.core.metadata.features import SUPPORTED_FEATURES
from holdwater.core.metadata.registrations import Endpoint, VersionRange
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import (
    BrokerRegistrationRequest,
    ControllerRegistrationRequest,
    UnregisterControllerRequest,
)

KAFKA = {"metadata.version": VersionRange(7, 33), "eligible.leader.replicas.version": VersionRange(0, 1), "group.version": VersionRange(0, 1),
         "transaction.version": VersionRange(0, 2), "share.version": VersionRange(0, 2), "streams.version": VersionRange(0, 1)}  # fmt: skip


def request(**fields: Any) -> BrokerRegistrationRequest:
    features = [BrokerRegistrationRequest.Feature(name, low, high) for name, (low, high) in SUPPORTED_FEATURES.items()]
    plain = {"broker_id": 2, "cluster_id": CLUSTER_ID, "incarnation_id": incarnation(2), "features": features, "log_dirs": [directory(2)]}
    return BrokerRegistrationRequest(**(plain | fields))


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"cluster_id": "another"}, ErrorCode.INCONSISTENT_CLUSTER_ID),
        ({"broker_id": 1}, ErrorCode.DUPLICATE_BROKER_REGISTRATION),
        ({"is_migrating_zk_broker": True}, ErrorCode.BROKER_ID_NOT_REGISTERED),
        ({"log_dirs": []}, ErrorCode.INVALID_REGISTRATION),
        ({"log_dirs": [bytes(16)]}, ErrorCode.INVALID_REGISTRATION),
        ({"log_dirs": [bytes(15) + b"\x63"]}, ErrorCode.INVALID_REGISTRATION),
        ({"log_dirs": [directory(2), directory(2)]}, ErrorCode.INVALID_REGISTRATION),
        ({"log_dirs": [directory(1)]}, ErrorCode.INVALID_REGISTRATION),
        ({"features": []}, ErrorCode.INVALID_REGISTRATION),
    ],
)
def test_refused_registrations_write_nothing(fields: dict[str, Any], error: ErrorCode) -> None:
    bench = Bench()
    bench.start(1)
    before = len(bench.log)
    response = bench.submit(bench.controller.handle_broker_registration(request(**fields), bench.mono_ms))
    assert (ErrorCode(response.error_code), response.broker_epoch) == (error, -1)
    assert len(bench.log) == before


@pytest.mark.parametrize(
    ("features", "error"),
    [
        (KAFKA, ErrorCode.NONE),
        (KAFKA | {"metadata.version": VersionRange(7, 32)}, ErrorCode.UNSUPPORTED_VERSION),
        (KAFKA | {"transaction.version": VersionRange(0, 1)}, ErrorCode.UNSUPPORTED_VERSION),
        ({"metadata.version": VersionRange(7, 33)}, ErrorCode.UNSUPPORTED_VERSION),
        (KAFKA | {"share.version": VersionRange(1, 2)}, ErrorCode.UNSUPPORTED_VERSION),
        (KAFKA | {"something.new": VersionRange(0, 9)}, ErrorCode.NONE),
    ],
)
def test_a_broker_must_support_what_is_finalised(features: dict[str, VersionRange], error: ErrorCode) -> None:
    """An Apache Kafka 4.4 broker may join; an older one may not."""
    assert ErrorCode(Bench().register(2, features=features).error_code) is error


def test_the_registration_says_everything_about_the_broker() -> None:
    bench = Bench()
    bench.register(2, rack="east", directories=2)
    broker = bench.image.brokers[2]
    assert (broker.rack, broker.fenced, broker.directories) == ("east", True, (directory(2, 0), directory(2, 1)))
    assert broker.endpoints == (Endpoint("PLAINTEXT", "127.0.0.1", 9002, 0),)
    assert broker.endpoint("PLAINTEXT") == broker.endpoints[0]
    assert broker.endpoint("SSL") is None
    assert dict(broker.features) == dict(SUPPORTED_FEATURES)


def test_an_amended_registration_keeps_what_the_request_does_not_say() -> None:
    bench = Bench()
    bench.start(2)
    bench.heartbeat(2, cordoned=[directory(2)])
    before = bench.image.brokers[2]
    bench.register(2, rack="west")
    assert bench.image.brokers[2] == before._replace(rack="west")


def test_the_broker_epoch_is_where_its_records_begin() -> None:
    bench = Bench()
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    end = bench.end_offset
    bench.mono_ms += 10_000
    bench.heartbeat(1)
    bench.register(2, start=2)
    assert bench.epochs[2] == end
    assert [type(record.message).__name__ for _, record in bench.log[end:]] == ["PartitionChangeRecord", "RegisterBrokerRecord"]


@pytest.mark.parametrize(("proof", "eligible"), [("right", (2,)), ("wrong", ())])
def test_only_the_previous_broker_epoch_proves_a_clean_stop(proof: str, eligible: tuple[int, ...]) -> None:
    bench = Bench(config_of(min_insync_replicas="2"))
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    bench.heartbeat(2, fence=True)
    assert bench.partition("t").elr == (2,)
    bench.mono_ms += 10_000
    bench.register(2, start=2, previous_epoch=bench.epochs[2] - (proof == "wrong"))
    assert bench.partition("t").elr == eligible


def test_a_clean_stop_is_not_believed_of_a_broker_in_the_isr() -> None:
    """It never said that it would stop, but says now that it stopped well: it leaves the ISR and stays eligible."""
    bench = Bench(config_of(min_insync_replicas="2"))
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    bench.mono_ms += 20_000
    bench.register(2, start=2, previous_epoch=bench.epochs[2])
    assert (bench.partition("t").isr, bench.partition("t").elr) == ((1,), (2,))


@pytest.mark.parametrize(("broker_id", "epoch"), [(2, None), (1, 0)])
def test_heartbeats_of_strangers_and_of_the_past_change_nothing(broker_id: int, epoch: int | None) -> None:
    """M9."""
    bench = Bench()
    bench.start(1)
    before = (len(bench.log), bench.controller.next_deadline())
    bench.mono_ms += 50
    response = bench.heartbeat(broker_id, epoch=epoch)
    assert response.error_code == ErrorCode.STALE_BROKER_EPOCH
    assert (len(bench.log), bench.controller.next_deadline()) == before


def test_a_broker_with_two_directories_loses_one() -> None:
    bench = Bench()
    bench.start(1)
    bench.start(2, directories=2)
    bench.create("t", assignment=[[1, 2], [2, 1]])
    assert bench.partition("t", 0).directories == (directory(1), bytes(15) + b"\x01")
    bench.heartbeat(2, offline=[directory(2, 1)])
    assert bench.image.brokers[2].directories == (directory(2, 0),)
    assert bench.partition("t", 1).leader == 2, "nothing is known to lie on the lost directory"


def test_a_shutdown_without_leaderships_is_granted_at_once() -> None:
    bench = Bench()
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    response = bench.heartbeat(2, shut_down=True)
    assert (response.should_shut_down, response.is_fenced) == (True, True)
    assert bench.partition("t").isr == (1,)
    assert bench.register(2, start=2, previous_epoch=bench.epochs[2]).error_code == 0, "its id is free at once"


def test_the_only_broker_may_stop_though_nobody_takes_over() -> None:
    bench = Bench()
    bench.start(1)
    bench.create("t", 1, 1)
    assert not bench.heartbeat(1, shut_down=True).should_shut_down
    assert bench.partition("t").leader == -1
    assert bench.heartbeat(1, shut_down=True).should_shut_down


def test_a_broker_that_is_stopping_is_not_unfenced_again() -> None:
    bench = Bench()
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    bench.heartbeat(1, shut_down=True)
    bench.tick(10_000)
    assert bench.heartbeat(1).is_fenced
    assert bench.image.brokers[1].in_controlled_shutdown


def test_a_shutdown_goes_on_under_the_next_controller() -> None:
    bench = Bench()
    bench.start(1, 2)
    bench.create("t", assignment=[[1, 2]])
    bench.heartbeat(1, shut_down=True)
    bench.new_controller()
    assert bench.heartbeat(1, shut_down=True).should_shut_down


def test_controllers_register_and_are_forgotten() -> None:
    bench = Bench()
    wanted = ControllerRegistrationRequest(
        controller_id=5,
        incarnation_id=incarnation(5),
        listeners=[ControllerRegistrationRequest.Listener("CONTROLLER", "h", 9093, 0)],
        features=[ControllerRegistrationRequest.Feature("metadata.version", 33, 33)],
    )
    assert bench.submit(bench.controller.handle_controller_registration(wanted)).error_code == 0
    assert bench.image.controllers[5].endpoints == (Endpoint("CONTROLLER", "h", 9093, 0),)

    def unregister(controller_id: int) -> ErrorCode:
        asked = UnregisterControllerRequest(controller_id=controller_id)
        return ErrorCode(bench.submit(bench.controller.handle_unregister_controller(asked)).error_code)

    assert unregister(5) is ErrorCode.NONE
    assert unregister(5) is ErrorCode.CONTROLLER_ID_NOT_REGISTERED
    bench.submit(bench.controller.handle_controller_registration(ControllerRegistrationRequest(controller_id=1)))
    assert unregister(1) is ErrorCode.INVALID_REQUEST, "it is a voter"
