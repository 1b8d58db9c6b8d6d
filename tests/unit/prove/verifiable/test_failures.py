"""Which of librdkafka's errors end the verifiable consumer, and what it says of them."""

import logging

import pytest
from confluent_kafka import KafkaError

from holdwater.prove.verifiable.failures import Log, ends_commits, failure


@pytest.mark.parametrize(
    "code",
    [
        KafkaError._ALL_BROKERS_DOWN,  # pyright: ignore[reportPrivateUsage]
        KafkaError._TRANSPORT,  # pyright: ignore[reportPrivateUsage]
        KafkaError._TIMED_OUT,  # pyright: ignore[reportPrivateUsage]
        KafkaError._PARTITION_EOF,  # pyright: ignore[reportPrivateUsage]
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.LEADER_NOT_AVAILABLE,
    ],
)
def test_what_passes(code: int) -> None:
    assert failure(KafkaError(code)) is None


@pytest.mark.parametrize(
    ("code", "next_step"),
    [
        (KafkaError._AUTO_OFFSET_RESET, "--reset-policy"),  # pyright: ignore[reportPrivateUsage]
        (KafkaError._AUTHENTICATION, "credentials"),  # pyright: ignore[reportPrivateUsage]
        (KafkaError.TOPIC_EXCEPTION, "1 to 249"),
        (KafkaError.INVALID_GROUP_ID, "--group-id"),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, "--assignment-strategy"),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "right"),
    ],
)
def test_what_ends_it(code: int, next_step: str) -> None:
    found = failure(KafkaError(code, "why"))
    assert found is not None
    assert str(found) == "why"
    assert next_step in found.next_step


def test_a_connection_lost_in_the_middle_of_a_login_passes() -> None:
    reason = "SASL PLAIN mechanism handshake failed: Local: Broker transport failure"
    assert failure(KafkaError(KafkaError._AUTHENTICATION, reason)) is None  # pyright: ignore[reportPrivateUsage]


def test_behind_a_fatal_error_is_another() -> None:
    name = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
    error = KafkaError(KafkaError._FATAL, f"Fatal error: {name}: Fatal consumer error: {name}")  # pyright: ignore[reportPrivateUsage]
    found = failure(error)
    assert found is not None
    assert str(found) == name
    assert "--group-instance-id" in found.next_step
    assert ends_commits(error)


def test_an_unknown_fatal_error_is_told_in_its_own_words() -> None:
    found = failure(KafkaError(KafkaError.UNKNOWN, "odd", fatal=True))
    assert found is not None
    assert (str(found), found.next_step) == ("odd", "start it again when that is put right")


def test_other_failed_commits_are_only_reported() -> None:
    assert not ends_commits(KafkaError(KafkaError.ILLEGAL_GENERATION))
    assert not ends_commits(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))


def test_fatal_errors_are_not_logged_beside_what_is_said_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log()
    log.log(logging.CRITICAL, "%s [%s] %s", "FATAL", "rdkafka#consumer-1", "fenced")
    log.log(logging.ERROR, "%s [%s] %s", "FAIL", "rdkafka#consumer-1", "refused")
    assert capsys.readouterr().err == "FAIL [rdkafka#consumer-1] refused\n"
