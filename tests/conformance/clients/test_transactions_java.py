"""Transactions of the Java 4.4 producer, which uses transactions version 2: each commit and abort gives it the next producer epoch.

The program tells what it was allowed and what readers see; the same is expected of our cluster and of Apache Kafka.
"""

import json
import re
import subprocess

import pytest
from tests.conformance.clients.java_clients import TOOLS, Programs, run_tool
from tests.conformance.clients.librdkafka import fill, read_all
from tests.conformance.clients.targets import bootstrap
from tests.support.apache_kafka import require_apache_kafka, tool_command
from tests.support.cluster import Brokers

pytestmark = pytest.mark.java

_OFFSETS = [
    "aborted: 0",
    "committed: 4",
    "offsets of a member that has left: CommitFailedException",
    "abort: done",
    "committed: input-0 kept-0",
    "everything: input-0 gone-0 kept-0",
    "ends: 6 6",
]
TOLD: dict[str, list[str]] = {
    "ends": [
        "Ongoing epoch 0 partitions 6",
        "Ongoing epoch 1 partitions 6",
        "Ongoing epoch 2 partitions 6",
        "Ongoing epoch 3 partitions 6",
        "CompleteCommit epoch 4 partitions 0",
        "committed: kept-1-0 kept-3-0",
        "everything: gone-0-0 kept-1-0 gone-2-0 kept-3-0 open-0",
        "ends: 8 9",
        "committed: kept-1-0 kept-3-0",
        "everything: gone-0-0 kept-1-0 gone-2-0 kept-3-0 open-0",
        "ends: 10 10",
    ],
    "fencing": [
        "committed:",
        "everything: lost-0",
        "ends: 2 2",
        "send of the first: InvalidProducerEpochException",
        "commit of the first: InvalidProducerEpochException",
        "commit of the second: done",
        "send of the second: InvalidProducerEpochException",
        "commit of the second: InvalidProducerEpochException",
        "committed: kept-0",
        "everything: lost-0 kept-0",
        "ends: 4 4",
    ],
    "offsets classic": _OFFSETS,
    "offsets consumer": _OFFSETS,
    "timeout": [
        "committed:",
        "everything: given-up-0",
        "ends: 2 2",
        "commit: InvalidTxnStateException",
        "abort: KafkaException",
        "begin: KafkaException",
        "committed: kept-0",
        "everything: given-up-0 kept-0",
        "ends: 4 4",
    ],
    "fence-by-admin": [
        "commit: ProducerFencedException",
        "committed:",
        "everything: lost-0",
        "ends: 2 2",
        "open: 1 from 2",
        "committed:",
        "everything: lost-0 open-0",
        "ends: 4 4",
    ],
}
_QUICK = ("fencing",)


@pytest.mark.parametrize("story", [story if story in _QUICK else pytest.param(story, marks=pytest.mark.slow) for story in TOLD])
def test_what_the_java_producer_is_told(kafka: Brokers, shared: str, programs: Programs, story: str) -> None:
    assert programs.run(kafka, "Transactions", shared, *story.split()) == TOLD[story]


@pytest.mark.slow
@pytest.mark.parametrize("group_mode", [True, False])
def test_kafkas_own_transactional_copier(kafka: Brokers, shared: str, group_mode: bool) -> None:
    """With aborts here and there; what it aborts it copies again."""
    require_apache_kafka()
    kafka.create_topic(f"{shared}-out", partitions=6)
    fill(kafka, shared, 600)
    for partition in range(1 if group_mode else 2):
        flags = ["--broker-list", bootstrap(kafka), "--input-topic", shared, "--output-topic", f"{shared}-out", "--consumer-group", shared]
        flags += ["--input-partition", str(partition), "--transactional-id", f"{shared}-{partition}", "--transaction-size", "50"]
        flags += ["--max-messages", "600" if group_mode else "100", "--enable-random-aborts", *(["--group-mode"] if group_mode else [])]
        command = tool_command(f"{TOOLS}.TransactionalMessageCopier", *flags)
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert told[-1]["remaining"] == 0
    copied = [value for values in read_all(kafka, f"{shared}-out").values() for value in values]
    assert sorted(copied, key=int) == [str(number) for number in range(600) if group_mode or number % 6 < 2]


@pytest.mark.slow
def test_producer_perf_test_with_transactions(kafka: Brokers, shared: str) -> None:
    require_apache_kafka()
    flags = ["--num-records", "5000", "--record-size", "100", "--throughput", "-1", "--transactional-id", shared]
    printed = run_tool(kafka, f"{TOOLS}.ProducerPerformance", "--topic", shared, *flags, "--transaction-duration-ms", "100")
    assert re.search(r"^5000 records sent", printed, re.MULTILINE)
    committed, everything = read_all(kafka, shared), read_all(kafka, shared, isolation="read_uncommitted")
    assert sum(map(len, committed.values())) == sum(map(len, everything.values())) == 5000
