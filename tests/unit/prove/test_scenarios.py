"""Choices that a scenario refuses, and what it chooses itself."""

import re

import pytest

from holdwater.prove.errors import UsageError
from holdwater.prove.scenarios.leader_election import build
from holdwater.prove.scenarios.options import Options

KEEPS = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}


@pytest.mark.parametrize("key", ["acks", "request.required.acks"])
@pytest.mark.parametrize("value", ["0", "00", "0x0", "-0", "+0", " 0", "08"])
def test_without_acknowledgements_there_is_nothing_to_judge(key: str, value: str) -> None:
    with pytest.raises(UsageError, match="acks=0"):
        build(Options(producer={key: value, "enable.idempotence": "false"}))


@pytest.mark.parametrize("key", ["acks", "request.required.acks"])
@pytest.mark.parametrize("value", ["1", "01", "-1", "all"])
def test_other_acks_are_left_as_they_are(key: str, value: str) -> None:
    assert build(Options(producer={key: value})).workload.producer[key] == value


@pytest.mark.parametrize(("replicas", "min_isr"), [(1, "1"), (2, "1"), (3, "2"), (4, "2")])
def test_one_replica_may_be_away(replicas: int, min_isr: str) -> None:
    assert build(Options(replication_factor=replicas)).topic.configs == KEEPS | {"min.insync.replicas": min_isr}


@pytest.mark.parametrize(("replicas", "min_isr", "next_step"), [
    (1, "2", "lower it with --topic-config min.insync.replicas=1"),
    (2, "2", "lower it with --topic-config min.insync.replicas=1, or give --replication-factor 3 or more"),
    (2, "3", "lower it with --topic-config min.insync.replicas=1, or give --replication-factor 4 or more"),
    (2, "+2", "lower it with --topic-config min.insync.replicas=1, or give --replication-factor 3 or more"),
    (3, "3", "lower it with --topic-config min.insync.replicas=2, or give --replication-factor 4 or more"),
    (3, " 4", "lower it with --topic-config min.insync.replicas=2, or give --replication-factor 5 or more"),
])  # fmt: skip
def test_a_topic_that_no_broker_may_leave(replicas: int, min_isr: str, next_step: str) -> None:
    with pytest.raises(UsageError, match=f"min.insync.replicas={re.escape(min_isr.strip())} and replication factor {replicas}") as refused:
        build(Options(replication_factor=replicas, topic_configs={"min.insync.replicas": min_isr}))
    assert refused.value.next_step.startswith(next_step)


@pytest.mark.parametrize(("replicas", "min_isr"), [(1, "1"), (2, "1"), (3, "1"), (4, "3"), (3, "many")])
def test_the_users_own_min_isr(replicas: int, min_isr: str) -> None:
    scenario = build(Options(replication_factor=replicas, topic_configs={"min.insync.replicas": min_isr}))
    assert scenario.topic.configs["min.insync.replicas"] == min_isr


@pytest.mark.parametrize(
    ("key", "value"),
    [("cleanup.policy", "compact"), ("cleanup.policy", "compact,delete"), ("retention.ms", "60000"), ("retention.bytes", "1073741824")],
)
def test_a_topic_that_may_lose_records_rightly(key: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"with {key}={value} the cluster may rightly remove") as refused:
        build(Options(topic_configs={key: value}))
    assert refused.value.next_step == f"leave out --topic-config {key}, which is {KEEPS[key]} for the topic of a run"


def test_the_users_other_settings_of_the_topic() -> None:
    given = {"segment.bytes": "1048576", "retention.ms": "-1"}
    assert build(Options(topic_configs=given)).topic.configs == KEEPS | {"min.insync.replicas": "2"} | given
