"""Groups of Java consumers with both protocols, alone and together with librdkafka's; the console consumer's groups."""

from pathlib import Path

import pytest
from tests.conformance.clients.java_clients import TOOLS, JavaMember, Programs, run_tool, wait_until
from tests.conformance.clients.librdkafka import PROTOCOLS, Member, fill
from tests.conformance.clients.targets import bootstrap
from tests.support.apache_kafka import require_apache_kafka, tool
from tests.support.cluster import Brokers

from holdwater.wire import messages as m

pytestmark = pytest.mark.java
_ASSIGNORS = "org.apache.kafka.clients.consumer"
FLAGS = {
    "cooperative-sticky": ["--assignment-strategy", f"{_ASSIGNORS}.CooperativeStickyAssignor", "--session-timeout", "6000"],
    "range": ["--assignment-strategy", f"{_ASSIGNORS}.RangeAssignor", "--session-timeout", "6000"],
    "roundrobin": ["--assignment-strategy", f"{_ASSIGNORS}.RoundRobinAssignor", "--session-timeout", "6000"],
    "sticky": ["--assignment-strategy", f"{_ASSIGNORS}.StickyAssignor", "--session-timeout", "6000"],
    "consumer": ["--group-protocol", "consumer"],
    "consumer-range": ["--group-protocol", "consumer", "--group-remote-assignor", "range"],
}
_GROUP_RESOURCE = 32


@pytest.fixture(autouse=True, scope="module")
def java() -> None:
    require_apache_kafka()


@pytest.mark.slow
@pytest.mark.parametrize("kind", FLAGS)
def test_members_join_leave_and_are_killed(kafka: Brokers, shared: str, kind: str) -> None:
    """Each message is consumed once: what was committed before the kill is not consumed again."""
    values = fill(kafka, shared, 60)
    with JavaMember(kafka, shared, shared, *FLAGS[kind]) as first, JavaMember(kafka, shared, shared, *FLAGS[kind]) as second:
        both = [first, second]
        wait_until(lambda: len(first.assigned) == len(second.assigned) == 3 and not first.assigned & second.assigned, both)
        wait_until(lambda: len(first.values) + len(second.values) == 60, both)
        values += fill(kafka, shared, 30)
        wait_until(lambda: len(first.values) + len(second.values) == 90 and _have_committed(both), both)
        first.kill()
        wait_until(lambda: len(second.assigned) == 6, [second])  # when the session of the other is over
        values += fill(kafka, shared, 30)
        wait_until(lambda: len(first.values) + len(second.values) >= 120, [second])
        with JavaMember(kafka, shared, shared, *FLAGS[kind]) as third:
            wait_until(lambda: len(second.assigned) == len(third.assigned) == 3, [second, third])
            second.stop()
            wait_until(lambda: len(third.assigned) == 6, [third])
            third.stop()
            assert sorted(first.values + second.values + third.values) == sorted(values)
        for member in both:
            assert all(event["success"] for event in member.commits), member.commits


def _have_committed(members: list[JavaMember]) -> bool:
    """Whether each member has committed everything that it was given, as far as this can be told from outside."""
    offsets: dict[tuple[str, int], int] = {}
    for member in members:
        for event in member.commits:
            for place in event["offsets"]:
                spot = (place["topic"], place["partition"])
                offsets[spot] = max(offsets.get(spot, 0), place["offset"])
    return sorted(offsets.values()) == [15] * 6


def _lengthen_sessions(kafka: Brokers, group: str) -> None:
    """A Java process may take longer to start than the sessions of this cluster last. A key of the one group, and it acts at once."""
    setting = m.IncrementalAlterConfigsRequest.AlterableConfig(name="consumer.session.timeout.ms", config_operation=0, value="40000")
    resource = m.IncrementalAlterConfigsRequest.AlterConfigsResource(resource_type=_GROUP_RESOURCE, resource_name=group, configs=[setting])
    with kafka.connect() as connection:
        answer = connection.call(m.IncrementalAlterConfigsRequest(resources=[resource]), m.IncrementalAlterConfigsResponse)
    assert [each.error_code for each in answer.responses] == [0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["range", "consumer"])
def test_a_static_member_comes_back_to_its_partitions(kafka: Brokers, shared: str, kind: str) -> None:
    _lengthen_sessions(kafka, shared)
    flags = [*FLAGS[kind], *(["--session-timeout", "40000"] if kind == "range" else []), "--group-instance-id"]
    with JavaMember(kafka, shared, shared, *flags, "one") as first, JavaMember(kafka, shared, shared, *flags, "two") as second:
        wait_until(lambda: len(first.assigned) == len(second.assigned) == 3, [first, second])
        before, told = set(first.assigned), list(second.rebalances)
        first.stop()
        with JavaMember(kafka, shared, shared, *flags, "one") as again:
            wait_until(lambda: again.assigned == before, [again, second])
            assert second.rebalances == told


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["range", "roundrobin", "cooperative-sticky", "consumer"])
def test_java_and_librdkafka_in_one_group(kafka: Brokers, shared: str, kind: str) -> None:
    values = fill(kafka, shared, 60)
    other = Member(kafka, shared, [shared], **PROTOCOLS[kind])
    other.until(lambda: len(other.assigned) == 6)
    with JavaMember(kafka, shared, shared, *FLAGS[kind]) as java:
        other.until(lambda: len(other.assigned) == len(java.assigned) == 3, 60)
        assert not java.assigned & set(other.assigned)
        other.until(lambda: len(other.taken) + len(java.values) >= 60)
        assert set(other.values + java.values) == set(values)
        java.stop()
        other.until(lambda: len(other.assigned) == 6)
    with JavaMember(kafka, shared, shared, *FLAGS[kind]) as java:
        other.until(lambda: len(other.assigned) == len(java.assigned) == 3, 60)
        other.leave()
        wait_until(lambda: len(java.assigned) == 6, [java])


PATTERNS = ["'': [-0, -1, -2, -3, -4, -5]", "'(-a|-b)': [-a-0, -b-0]", "'-[ab]': [-a-0, -b-0]", "'-b.*': [-b-0]", "'-none': []"]
_OFFSETS = ["3 a word", "OffsetMetadataTooLarge", "TimeoutException", "3 Optional[0] 9 of 2", "alter: UnknownMemberIdException", "1 of 1"]
TOLD = {
    "patterns": [*PATTERNS, "InvalidRegularExpression"],
    "changed classic": ["[-b-0]", "[]", "[-a-0]", "assigned 15, revoked 15", "Empty 0"],
    "changed consumer": ["[-b-0]", "[]", "[-a-0]", "assigned 9, revoked 9", "Empty 0"],
    "removed classic": ["closed: Stable [fixed]", "removed: Empty []", "UnknownMemberIdException", "deleted"],
    "removed consumer": ["closed: Reconciling [fixed]", "removed: Empty []", "UnknownMemberIdException", "deleted"],
    "offsets classic": _OFFSETS,
    "offsets consumer": _OFFSETS,
}


@pytest.mark.parametrize("story", [story if story == "patterns" else pytest.param(story, marks=pytest.mark.slow) for story in TOLD])
def test_what_the_java_consumer_is_told(kafka: Brokers, shared: str, programs: Programs, story: str) -> None:
    for tail in ("a", "b"):
        kafka.create_topic(f"{shared}-{tail}")
    assert programs.run(kafka, "Subscriptions", shared, *story.split()) == TOLD[story]


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_console_consumers_of_one_group_go_on_one_after_the_other(kafka: Brokers, shared: str, protocol: str) -> None:
    values = fill(kafka, shared, 30)
    common = ["--group", shared, "--command-property", f"group.protocol={protocol}", "--command-property", "auto.offset.reset=earliest"]
    read: list[str] = []
    for _ in range(3):
        found = run_tool(kafka, f"{TOOLS}.consumer.ConsoleConsumer", "--topic", shared, *common, "--max-messages", "10").split()
        assert len(found) == 10
        read += found
    assert sorted(read, key=int) == values
    flags = ["--include", f"{shared}.*", *common, "--timeout-ms", "3000"]
    nothing_left = run_tool(kafka, f"{TOOLS}.consumer.ConsoleConsumer", *flags)
    assert [line for line in nothing_left.splitlines() if line.isdigit()] == []


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_consumer_perf_test(kafka: Brokers, shared: str, protocol: str, tmp_path: Path) -> None:
    fill(kafka, shared, 600)
    properties = tmp_path / "consumer.properties"
    properties.write_text(f"group.protocol={protocol}\n")
    flags = ["--topic", shared, "--num-records", "600", "--group", shared, "--command-config", str(properties), "--timeout", "20000"]
    done = tool(f"{TOOLS}.ConsumerPerformance", "--bootstrap-server", bootstrap(kafka), *flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].split(", ")[4] == "600", done.stdout
