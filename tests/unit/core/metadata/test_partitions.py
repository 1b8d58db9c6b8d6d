"""ISR proposals, elections and directories, beyond what the stories tell."""

import pytest
from tests.support.metadata_bench import Bench, config_of, directory

from holdwater.core.metadata.partition import UNASSIGNED_DIRECTORY
from holdwater.kernel.errors import ErrorCode
from holdwater.wire.messages import AlterPartitionRequest, AssignReplicasToDirsRequest, ElectLeadersRequest


def bench_with_topic(**keys: str) -> Bench:
    bench = Bench(config_of(**keys))
    bench.start(1, 2, 3)
    bench.create("t", assignment=[[1, 2, 3], [2, 3, 1]])
    return bench


def test_version_2_proposes_without_broker_epochs() -> None:
    bench = bench_with_topic()
    proposal = AlterPartitionRequest.PartitionData(partition_index=0, leader_epoch=0, partition_epoch=0, new_isr=[1, 3])
    topic = AlterPartitionRequest.TopicData(topic_id=bench.image.topic_ids["t"], partitions=[proposal])
    request = AlterPartitionRequest(broker_id=1, broker_epoch=bench.epochs[1], topics=[topic])
    response = bench.submit(bench.controller.handle_alter_partition(request, 2))
    assert response.topics[0].partitions[0].isr == [1, 3]
    assert bench.partition("t").isr == (1, 3)


@pytest.mark.parametrize(
    ("topic_id", "number", "error"), [(b"x" * 16, 0, ErrorCode.UNKNOWN_TOPIC_ID), (None, 7, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)]
)
def test_unknown_partitions(topic_id: bytes | None, number: int, error: ErrorCode) -> None:
    bench = bench_with_topic()
    proposal = AlterPartitionRequest.PartitionData(partition_index=number)
    topic = AlterPartitionRequest.TopicData(topic_id=topic_id or bench.image.topic_ids["t"], partitions=[proposal])
    request = AlterPartitionRequest(broker_id=1, broker_epoch=bench.epochs[1], topics=[topic])
    response = bench.submit(bench.controller.handle_alter_partition(request, 3))
    assert response.topics[0].partitions[0].error_code == error


def test_a_leader_of_an_older_incarnation_is_refused_as_a_whole() -> None:
    bench = bench_with_topic()
    bench.epochs[1] -= 1
    assert bench.alter_isr("t", 0, [1]).error_code == ErrorCode.STALE_BROKER_EPOCH


def test_a_fenced_leader_s_proposal_comes_too_late() -> None:
    bench = bench_with_topic()
    bench.heartbeat(1, fence=True)
    response = bench.alter_isr("t", 0, [1], leader=1, leader_epoch=0, partition_epoch=0)
    assert response.error_code == ErrorCode.FENCED_LEADER_EPOCH


@pytest.mark.parametrize("isr", [[], [1, 1], [1, 9], [2, 3]])
def test_impossible_isrs(isr: list[int]) -> None:
    assert bench_with_topic().alter_isr("t", 0, isr).error_code == ErrorCode.INVALID_REQUEST


def test_a_member_that_restarted_since_the_leader_saw_it_is_not_taken_in() -> None:
    """KIP-903."""
    bench = bench_with_topic()
    old = bench.epochs[3]
    bench.alter_isr("t", 0, [1, 2])
    bench.mono_ms += 10_000
    bench.heartbeats(1, 2)
    bench.register(3, start=2)
    bench.heartbeat(3)
    assert bench.alter_isr("t", 0, [1, 2, 3], epochs={3: old}).error_code == ErrorCode.INELIGIBLE_REPLICA
    assert bench.alter_isr("t", 0, [1, 2, 3]).error_code == 0


def test_an_unchanged_proposal_is_answered_without_a_record() -> None:
    bench = bench_with_topic()
    before = len(bench.log)
    response = bench.alter_isr("t", 0, [1, 2, 3])
    assert (response.error_code, response.partition_epoch, response.leader_id) == (0, 0, 1)
    assert len(bench.log) == before


def elect(bench: Bench, kind: int, partitions: dict[str, list[int]] | None, version: int = 2) -> dict[tuple[str, int], ErrorCode]:
    wanted = None if partitions is None else [ElectLeadersRequest.TopicPartitions(name, numbers) for name, numbers in partitions.items()]
    response = bench.submit(
        bench.controller.handle_elect_leaders(ElectLeadersRequest(election_type=kind, topic_partitions=wanted), version)
    )
    return {
        (topic.topic, result.partition_id): ErrorCode(result.error_code)
        for topic in response.replica_election_results
        for result in topic.partition_result
    }


def test_preferred_elections_of_everything_skip_what_needs_none() -> None:
    bench = bench_with_topic()
    bench.heartbeat(1, fence=True)
    bench.heartbeat(1)
    assert bench.partition("t", 0).leader == 2
    assert elect(bench, 0, None) == {("t", 0): ErrorCode.PREFERRED_LEADER_NOT_AVAILABLE}
    bench.alter_isr("t", 0, [2, 3, 1])
    assert elect(bench, 0, None) == {("t", 0): ErrorCode.NONE}
    assert bench.partition("t", 0).leader == 1
    assert elect(bench, 0, None) == {}


def test_elections_by_name() -> None:
    bench = bench_with_topic()
    assert elect(bench, 0, {"t": [0, 9], "none": [0]}) == {
        ("t", 0): ErrorCode.ELECTION_NOT_NEEDED,
        ("t", 9): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
        ("none", 0): ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
    for broker_id in (1, 2, 3):
        bench.heartbeat(broker_id, fence=True)
    assert elect(bench, 1, {"t": [0]}) == {("t", 0): ErrorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE}


def test_an_unknown_kind_of_election_is_refused_and_version_0_knows_only_preferred() -> None:
    bench = bench_with_topic()
    request = ElectLeadersRequest(election_type=5, topic_partitions=None)
    assert bench.submit(bench.controller.handle_elect_leaders(request, 1)).error_code == ErrorCode.INVALID_REQUEST
    assert bench.submit(bench.controller.handle_elect_leaders(request, 0)).error_code == 0


def assign(bench: Bench, broker_id: int, where: bytes, topic_id: bytes, number: int) -> ErrorCode:
    request = AssignReplicasToDirsRequest
    topic = request.TopicData(topic_id=topic_id, partitions=[request.PartitionData(partition_index=number)])
    wanted = request(
        broker_id=broker_id, broker_epoch=bench.epochs.get(broker_id, -1), directories=[request.DirectoryData(id=where, topics=[topic])]
    )
    response = bench.submit(bench.controller.handle_assign_replicas_to_dirs(wanted))
    return ErrorCode(response.error_code or response.directories[0].topics[0].partitions[0].error_code)


def test_replicas_find_their_directory() -> None:
    bench = Bench()
    bench.start(1, directories=2)
    bench.start(2)
    bench.create("t", assignment=[[1, 2]])
    bench.create("u", assignment=[[2]])
    t, u = bench.image.topic_ids["t"], bench.image.topic_ids["u"]
    assert bench.partition("t").directory(1) == UNASSIGNED_DIRECTORY
    assert assign(bench, 1, directory(1, 1), t, 0) is ErrorCode.NONE
    assert bench.partition("t").directory(1) == directory(1, 1)
    assert bench.partition("t").directory(2) == directory(2)
    assert assign(bench, 1, directory(1, 1), b"x" * 16, 0) is ErrorCode.UNKNOWN_TOPIC_ID
    assert assign(bench, 1, directory(1, 1), t, 5) is ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    assert assign(bench, 1, directory(1, 1), u, 0) is ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert assign(bench, 9, directory(9), t, 0) is ErrorCode.STALE_BROKER_EPOCH


def test_a_replica_on_an_offline_directory_leaves_isr_and_elr() -> None:
    bench = Bench(config_of(min_insync_replicas="2"))
    bench.start(1, directories=2)
    bench.start(2)
    bench.create("t", assignment=[[1, 2]])
    assert assign(bench, 1, directory(1, 7), bench.image.topic_ids["t"], 0) is ErrorCode.NONE
    found = bench.partition("t")
    assert (found.isr, found.elr, found.leader) == ((2,), (), 2)


def test_a_replica_that_begins_anew_in_another_directory_is_not_eligible() -> None:
    bench = Bench(config_of(min_insync_replicas="2"))
    bench.start(1, directories=2)
    bench.start(2)
    bench.create("t", assignment=[[1, 2]])
    topic_id = bench.image.topic_ids["t"]
    assign(bench, 1, directory(1, 1), topic_id, 0)
    bench.heartbeat(1, fence=True)
    assert bench.partition("t").elr == (1,)
    bench.mono_ms += 10_000
    bench.heartbeat(2)
    bench.register(1, start=2, previous_epoch=bench.epochs[1], directories=1)
    assert bench.partition("t").elr == (1,), "a clean stop keeps it eligible"
    assign(bench, 1, directory(1, 0), topic_id, 0)
    assert bench.partition("t").elr == (), "but the disk it was on is gone"


def test_a_replica_whose_directory_is_gone_joins_no_isr_before_it_said_where_it_lies_now() -> None:
    bench = Bench()
    bench.start(1)
    bench.start(2, directories=2)
    bench.create("t", assignment=[[1, 2]])
    topic_id = bench.image.topic_ids["t"]
    assign(bench, 2, directory(2, 1), topic_id, 0)
    bench.mono_ms += 10_000
    bench.heartbeat(1)
    bench.register(2, start=2, directories=1)
    bench.heartbeat(2)
    assert bench.alter_isr("t", 0, [1, 2]).error_code == ErrorCode.INELIGIBLE_REPLICA
    assign(bench, 2, directory(2, 0), topic_id, 0)
    assert bench.alter_isr("t", 0, [1, 2]).error_code == 0


def test_an_amended_registration_that_lacks_a_directory_takes_its_replicas_out() -> None:
    bench = Bench(config_of(min_insync_replicas="2"))
    bench.start(1)
    bench.start(2, directories=2)
    bench.create("t", assignment=[[2, 1]])
    assign(bench, 2, directory(2, 1), bench.image.topic_ids["t"], 0)
    bench.register(2, directories=1)
    found = bench.partition("t")
    assert (found.isr, found.elr, found.leader) == ((1,), (), 1)
    assert not bench.image.brokers[2].fenced
