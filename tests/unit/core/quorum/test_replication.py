"""Fetching: commitment, parked fetches, divergence, observers, what the leader tells."""

from dataclasses import replace

import pytest
from tests.support.quorum_cluster import CLUSTER_ID, Cluster, directory_id, endpoint

from holdwater.core.quorum import Endpoint, HighWatermarkAdvanced, NotLeader, Quorum, ReplicaKey, Reply, SendRequest, Voter, rpc
from holdwater.core.quorum.checkpoint import control_batch, control_messages
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import EpochEnd
from holdwater.wire.messages import DescribeQuorumRequest, FetchRequest, FetchResponse, LeaderChangeMessage, VotersRecord
from holdwater.wire.records import batches

UNSUPPORTED = 2**63 - 1


def led(seed: int = 2, **options: int) -> tuple[Cluster, int, list[int]]:
    """A converged cluster, its leader, the other voters."""
    cluster = Cluster(seed=seed, **options)  # type: ignore[arg-type]
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    assert leader is not None
    return cluster, leader, [n for n in cluster.voter_ids if n != leader]


def fetch(
    replica: int, epoch: int, offset: int, last_epoch: int, *, mark: int = 3, wait_ms: int = 500, max_bytes: int = 10_000
) -> FetchRequest:
    key = ReplicaKey(replica, directory_id(replica))
    return rpc.fetch_request(CLUSTER_ID, key, epoch, offset, last_epoch, 0, mark, wait_ms, max_bytes)


def answer(response: FetchResponse | None) -> FetchResponse.PartitionData:
    assert response is not None
    partition = rpc.read_fetch_response(response)
    assert partition is not None
    return partition


def replies(quorum: Quorum) -> dict[object, FetchResponse.PartitionData]:
    return {effect.tag: answer(effect.response) for effect in quorum.take_effects() if isinstance(effect, Reply)}


def test_the_first_records_of_a_leader_name_it_and_the_voters() -> None:
    cluster, leader, _ = led()
    first = cluster.machines[leader].log.batches[0]
    (position, header, _), *_ = batches(first.data)
    change, version, voters = (located.message for located in control_messages(first.data, position, header))
    assert isinstance(change, LeaderChangeMessage)
    assert change.leader_id == leader
    assert [voter.voter_id for voter in change.voters] == [1, 2, 3]
    assert len(change.granting_voters) >= 2
    assert version is not None
    assert isinstance(voters, VotersRecord)
    assert [voter.voter_directory_id for voter in voters.voters] == [directory_id(n) for n in (1, 2, 3)]


def test_a_leader_whose_endpoint_moved_says_so_in_its_first_records() -> None:
    cluster = Cluster(seed=2, voters=1)
    cluster.run_until(cluster.converged)
    cluster.kill(1)
    moved = (Endpoint("CONTROLLER", "elsewhere", 9001),)
    cluster.machines[1].config = replace(cluster.machines[1].config, endpoints=moved)
    cluster.start(1)
    assert cluster.quorum(1).voters.voters == (Voter(1, directory_id(1), moved),)
    assert cluster.machines[1].log.log_end_offset == 6, "leader change, kraft version, voters"
    cluster.kill(1)
    cluster.start(1)
    assert cluster.machines[1].log.log_end_offset == 7, "leader change alone"
    assert cluster.quorum(1).voters.voters == (Voter(1, directory_id(1), moved),)


def test_a_second_leader_does_not_name_the_voters_again() -> None:
    cluster, leader, _ = led()
    cluster.kill(leader)
    second = cluster.elect()
    last = cluster.machines[second].log.batches[-1]
    assert (last.base_offset, last.last_offset, last.epoch) == (3, 3, 2)


def test_nothing_commits_before_the_leaders_own_sync_and_one_follower() -> None:
    cluster, leader, (follower, _) = led()
    quorum = cluster.quorum(leader)
    now = cluster.now_ms
    assert quorum.append([b"a", b"b"], now, 0) == 4
    assert cluster.machines[leader].log.synced_end_offset == 3
    assert quorum.next_deadline() <= now, "the sync is due at once"
    quorum.tick(now, 0)
    assert cluster.machines[leader].log.synced_end_offset == 5
    assert quorum.high_watermark == 3
    quorum.take_effects()
    quorum.handle_fetch(fetch(follower, 1, 5, 1), "tag", now, 0)
    assert quorum.high_watermark == 5
    assert HighWatermarkAdvanced(5) in quorum.take_effects()


def test_two_followers_are_a_majority_without_the_leaders_sync() -> None:
    cluster, leader, followers = led()
    quorum = cluster.quorum(leader)
    quorum.append([b"a"], cluster.now_ms, 0)
    quorum.handle_fetch(fetch(followers[0], 1, 4, 1), "a", cluster.now_ms, 0)
    assert quorum.high_watermark == 3
    quorum.handle_fetch(fetch(followers[1], 1, 4, 1), "b", cluster.now_ms, 0)
    assert quorum.high_watermark == 4
    assert cluster.machines[leader].log.synced_end_offset == 3


def test_a_record_of_an_earlier_epoch_commits_only_under_one_of_the_leaders_own() -> None:
    """Raft section 5.4.2, figure 8: a majority has the old record, and it may still be overwritten."""
    cluster, leader, (follower, other) = led(fetch_max_bytes=1)
    cluster.isolate(leader)
    cluster.append(1, leader)
    cluster.kill(follower)
    cluster.kill(other)
    cluster.run(100)
    cluster.heal()
    machine = cluster.machines[leader]
    assert (machine.log.log_end_offset, cluster.quorum(leader).high_watermark) == (4, 3)
    cluster.kill(leader)
    cluster.start(leader)
    cluster.start(follower)
    new_leader = cluster.elect()
    assert new_leader == leader, "only it has the record"
    start = cluster.machines[leader].leadership.epoch_start_offset
    assert start == 4
    seen = [line for line in cluster.trace if f" {leader} high watermark" in line]
    assert not any(line.endswith(" 4") for line in seen), "the old record never commits by itself"


# -- parked fetches --------------------------------------------------------------------------------------------------------------------


def test_a_fetch_at_the_end_is_parked_until_there_are_records() -> None:
    cluster, leader, (follower, _) = led()
    quorum = cluster.quorum(leader)
    assert quorum.handle_fetch(fetch(follower, 1, 3, 1), "tag", cluster.now_ms, 0) is None
    quorum.take_effects()
    quorum.append([b"a"], cluster.now_ms, 0)
    assert answer_records(replies(quorum)["tag"]) == [3]


def answer_records(partition: FetchResponse.PartitionData) -> list[int]:
    return [header.base_offset for _, header, _ in batches(partition.records or b"")]


def test_a_fetch_is_answered_when_its_wait_is_over() -> None:
    cluster, leader, (follower, _) = led()
    quorum = cluster.quorum(leader)
    now = cluster.now_ms
    assert quorum.handle_fetch(fetch(follower, 1, 3, 1, wait_ms=7), "tag", now, 0) is None
    quorum.take_effects()
    assert quorum.next_deadline() <= now + 7
    quorum.tick(now + 6, 0)
    assert "tag" not in replies(quorum)
    quorum.tick(now + 7, 0)
    partition = replies(quorum)["tag"]
    assert (partition.error_code, partition.high_watermark, partition.records) == (0, 3, b"")


def test_a_follower_whose_high_watermark_is_behind_is_answered_at_once() -> None:
    cluster, leader, (follower, other) = led()
    quorum = cluster.quorum(leader)
    assert answer(quorum.handle_fetch(fetch(follower, 1, 3, 1, mark=2), "tag", cluster.now_ms, 0)).high_watermark == 3
    # ... and so is a parked one, when the high watermark moves.
    quorum.append([b"a"], cluster.now_ms, 0)
    quorum.tick(cluster.now_ms, 0)
    assert quorum.handle_fetch(fetch(101, 1, 4, 1, mark=3), "observer", cluster.now_ms, 0) is None
    assert quorum.handle_fetch(fetch(102, 1, 4, 1, mark=UNSUPPORTED), "old observer", cluster.now_ms, 0) is None
    quorum.take_effects()
    quorum.handle_fetch(fetch(other, 1, 4, 1, mark=3), "voter", cluster.now_ms, 0)
    told = replies(quorum)
    assert told["observer"].high_watermark == 4
    assert "old observer" not in told, "before Fetch v18 nobody knows what it knows"


def test_parked_fetches_are_told_when_the_leader_leads_no_more() -> None:
    cluster, leader, (follower, _) = led()
    quorum = cluster.quorum(leader)
    quorum.handle_fetch(fetch(follower, 1, 3, 1), "tag", cluster.now_ms, 0)
    quorum.take_effects()
    quorum.resign(cluster.now_ms)
    partition = replies(quorum)["tag"]
    assert partition.error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert partition.current_leader is not None
    assert partition.current_leader.leader_id == -1


def test_a_replica_has_one_parked_fetch_and_a_closed_connection_none() -> None:
    cluster, leader, (follower, _) = led()
    quorum = cluster.quorum(leader)
    quorum.handle_fetch(fetch(follower, 1, 3, 1), "first", cluster.now_ms, 0)
    quorum.take_effects()
    quorum.handle_fetch(fetch(follower, 1, 3, 1), "second", cluster.now_ms, 0)
    assert list(replies(quorum)) == ["first"]
    quorum.forget_fetch("second")
    quorum.append([b"a"], cluster.now_ms, 0)
    assert "second" not in replies(quorum)


def test_parked_fetches_are_bounded() -> None:
    cluster, leader, _ = led(parked_fetch_count_max=4)
    quorum = cluster.quorum(leader)
    parked = [quorum.handle_fetch(fetch(200 + n, 1, 3, 1), n, cluster.now_ms, 0) is None for n in range(10)]
    assert 0 < parked.count(True) <= 4
    assert parked[-1] is False


# -- refusals and answers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (fetch(101, 0, 3, 0), ErrorCode.FENCED_LEADER_EPOCH),
        (fetch(101, 9, 3, 1), ErrorCode.UNKNOWN_LEADER_EPOCH),
        (fetch(101, 1, -1, 1), ErrorCode.INVALID_REQUEST),
        (fetch(101, 1, 3, -1), ErrorCode.INVALID_REQUEST),
        (fetch(101, 1, 3, 2), ErrorCode.INVALID_REQUEST),
        (fetch(101, 1, 3, 1, wait_ms=-1), ErrorCode.INVALID_REQUEST),
    ],
)
def test_fetches_are_checked(request_: FetchRequest, error: ErrorCode) -> None:
    cluster, leader, _ = led()
    partition = answer(cluster.quorum(leader).handle_fetch(request_, "tag", cluster.now_ms, 0))
    assert partition.error_code == error
    assert partition.current_leader is not None
    assert (partition.current_leader.leader_id, partition.current_leader.leader_epoch) == (leader, 1)


def test_a_follower_says_who_leads_and_where() -> None:
    cluster, leader, (follower, _) = led()
    response = cluster.quorum(follower).handle_fetch(fetch(101, 1, 3, 1), "tag", cluster.now_ms, 0)
    assert answer(response).error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    assert response is not None
    assert [(node.node_id, node.host, node.port) for node in response.node_endpoints] == [(leader, *endpoint(leader)[1:])]


def test_a_fetch_of_anything_else_is_refused() -> None:
    cluster, leader, _ = led()
    quorum = cluster.quorum(leader)
    other = fetch(101, 1, 3, 1)
    other.topics[0].topic_id = bytes(15) + b"\x09"
    response = quorum.handle_fetch(other, "tag", cluster.now_ms, 0)
    assert response is not None
    assert response.error_code == ErrorCode.INVALID_REQUEST
    stranger = fetch(101, 1, 3, 1)
    stranger.cluster_id = "another"
    response = quorum.handle_fetch(stranger, "tag", cluster.now_ms, 0)
    assert response is not None
    assert response.error_code == ErrorCode.INCONSISTENT_CLUSTER_ID


def test_records_come_in_pieces_of_the_wanted_size() -> None:
    cluster, leader, _ = led()
    for _ in range(5):
        cluster.append(1, value=bytes(100))
    cluster.run(100)
    quorum = cluster.quorum(leader)
    small = answer(quorum.handle_fetch(fetch(101, 1, 3, 1, max_bytes=1), "tag", cluster.now_ms, 0))
    assert answer_records(small) == [3], "one batch at least"
    two = answer(quorum.handle_fetch(fetch(101, 1, 3, 1, max_bytes=2 * len(small.records or b"")), "tag", cluster.now_ms, 0))
    assert answer_records(two) == [3, 4]


def test_a_diverging_follower_is_told_where() -> None:
    cluster, leader, _ = led()
    cluster.kill(leader)
    second = cluster.elect()
    partition = answer(cluster.quorum(second).handle_fetch(fetch(101, 2, 9, 1), "tag", cluster.now_ms, 0))
    assert partition.diverging_epoch is not None
    assert (partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset) == (1, 3)
    assert not partition.records


def test_what_an_old_leader_wrote_alone_is_cut_away() -> None:
    cluster, leader, _ = led()
    cluster.isolate(leader)
    cluster.append(5, leader)
    cluster.run_until(lambda: cluster.leader() not in {leader, None})
    epoch = cluster.quorum(cluster.leader() or 0).epoch
    cluster.append(2)
    cluster.run(200)
    cluster.heal()
    cluster.run_until(cluster.converged)
    epochs = [(batch.base_offset, batch.epoch) for batch in cluster.machines[leader].log.batches]
    assert epochs == [(0, 1), (3, epoch), (4, epoch)]


def test_only_the_leader_appends() -> None:
    cluster, leader, (follower, _) = led()
    with pytest.raises(NotLeader):
        cluster.quorum(follower).append([b"a"], cluster.now_ms, 0)
    with pytest.raises(NotLeader):
        cluster.quorum(leader).append([b"a"], cluster.now_ms, 0, leader_epoch=7)
    with pytest.raises(ValueError, match="at least one record"):
        cluster.quorum(leader).append([], cluster.now_ms, 0)
    assert cluster.quorum(leader).append([b"a"], cluster.now_ms, 0, leader_epoch=1) == 3


def test_a_batch_has_a_limit() -> None:
    cluster, leader, _ = led(batch_max_bytes=500)
    with pytest.raises(ValueError, match="at most 500 are"):
        cluster.quorum(leader).append([bytes(500)], cluster.now_ms, 0)
    assert cluster.machines[leader].log.log_end_offset == 3


def test_a_voter_set_counts_when_it_is_appended_and_no_more_when_it_is_cut_away() -> None:
    cluster = Cluster(seed=1, start=False)
    cluster.start(1)
    quorum = cluster.quorum(1)
    mine = ReplicaKey(1, directory_id(1))
    quorum.handle_begin_quorum_epoch(rpc.begin_quorum_epoch_request(CLUSTER_ID, 2, 4, mine, (endpoint(2),)), 0)
    view = rpc.LeaderView(2, 4, endpoint(2))
    before = quorum.voters
    moved = before.replaced(Voter(3, directory_id(3), (endpoint(77),)))
    batch = control_batch([moved.to_record()], 0, leader_epoch=3)
    quorum.on_response(sent(quorum), rpc.fetch_response(view, 0, records=batch, high_watermark=0), 1, 1)
    assert quorum.voters == moved
    quorum.on_response(sent(quorum), rpc.fetch_response(view, 0, diverging=EpochEnd(2, 0)), 2, 2)
    assert cluster.machines[1].log.log_end_offset == 0
    assert quorum.voters == before


def test_an_observer_that_asked_two_takes_the_first_answer_only() -> None:
    """Its leader does not answer, so it asks another controller as well; then both answer."""
    cluster = Cluster(seed=1, observers=1, start=False)
    cluster.start(101)
    quorum = cluster.quorum(101)
    view = rpc.LeaderView(2, 4, endpoint(2))
    quorum.on_response(cluster_sent(cluster), rpc.fetch_response(view, ErrorCode.FENCED_LEADER_EPOCH), 0, 0)
    assert (quorum.role_name, quorum.leader_id) == ("follower", 2)
    quorum.take_effects()
    quorum.on_disconnected(2, 0, 0)
    to_other = sent(quorum)
    assert to_other.peer != 2
    quorum.tick(30, 0)
    to_leader = sent(quorum)
    assert to_leader.peer == 2
    batch = control_batch([LeaderChangeMessage(version=0, leader_id=2)], 0, leader_epoch=4)
    quorum.on_response(to_leader, rpc.fetch_response(view, 0, records=batch), 31, 0)
    assert cluster.machines[101].log.log_end_offset == 1
    quorum.on_response(to_other, rpc.fetch_response(view, 0, diverging=EpochEnd(0, 0)), 32, 0)
    assert cluster.machines[101].log.log_end_offset == 1


def cluster_sent(cluster: Cluster) -> SendRequest:
    """The one request that the observer sent when it started, taken off the network."""
    event = next(event for event in cluster._heap if event.action == cluster._arrive)
    return event.arguments[3]


def sent(quorum: Quorum) -> SendRequest:
    """The request that just went out."""
    return next(effect for effect in reversed(quorum.take_effects()) if isinstance(effect, SendRequest))


# -- observers -------------------------------------------------------------------------------------------------------------------------


def test_observers_follow_and_do_not_count() -> None:
    cluster, leader, followers = led(observers=3)
    for follower in followers:
        cluster.kill(follower)
    cluster.append(2)
    cluster.run(1000)
    assert cluster.machines[101].log.log_end_offset == 5
    assert cluster.quorum(leader).high_watermark == 3
    assert cluster.quorum(101).role_name == "follower"


def test_an_observer_finds_the_new_leader_quickly() -> None:
    for seed in range(10):
        cluster, leader, _ = led(seed=seed, observers=1)
        cluster.kill(leader)
        cluster.elect()
        begin_ms = cluster.now_ms
        cluster.run_until(cluster.converged)
        assert cluster.now_ms - begin_ms < 400


def test_an_observer_that_finds_nobody_asks_ever_more_rarely() -> None:
    cluster = Cluster(seed=1, observers=1, start=False)
    cluster.start(101)
    cluster.run(60_000)
    asked = len(cluster.seen_requests)
    assert 60 < asked < 400
    for node_id in (1, 2, 3):
        cluster.start(node_id)
    cluster.run_until(cluster.converged, 3000)


def test_a_pure_observer_never_stands() -> None:
    cluster, leader, followers = led(observers=1)
    for node_id in (leader, *followers):
        cluster.kill(node_id)
    cluster.run(20_000)
    assert cluster.quorum(101).epoch == 1
    assert cluster.quorum(101).role_name == "follower"


# -- DescribeQuorum --------------------------------------------------------------------------------------------------------------------

DESCRIBE = DescribeQuorumRequest(
    topics=[
        DescribeQuorumRequest.TopicData(
            topic_name="__cluster_metadata", partitions=[DescribeQuorumRequest.PartitionData(partition_index=0)]
        )
    ]
)


def test_the_leader_describes_the_quorum() -> None:
    cluster, leader, (follower, _) = led(observers=1)
    cluster.append(2)
    cluster.run_until(cluster.converged)
    cluster.run(100)
    response = cluster.quorum(leader).handle_describe_quorum(DESCRIBE, cluster.now_ms, cluster.wall_ms)
    partition = response.topics[0].partitions[0]
    assert (partition.error_code, partition.leader_id, partition.leader_epoch, partition.high_watermark) == (0, leader, 1, 5)
    assert [(v.replica_id, v.replica_directory_id, v.log_end_offset) for v in partition.current_voters] == [
        (n, directory_id(n), 5) for n in (1, 2, 3)
    ]
    rows = {row.replica_id: row for row in partition.current_voters}
    assert rows[leader].last_caught_up_timestamp == cluster.wall_ms
    assert cluster.wall_ms - 200 < rows[follower].last_fetch_timestamp < cluster.wall_ms
    assert rows[follower].last_caught_up_timestamp > cluster.wall_ms - 200
    assert [row.replica_id for row in partition.observers] == [101]
    assert [(node.node_id, node.listeners[0].port) for node in response.nodes] == [(n, 9000 + n) for n in (1, 2, 3)]


def test_a_silent_observer_is_forgotten() -> None:
    cluster, leader, _ = led(observers=1)
    cluster.kill(101)
    cluster.run(301_000)
    described = cluster.quorum(leader).handle_describe_quorum(DESCRIBE, cluster.now_ms, cluster.wall_ms)
    assert described.topics[0].partitions[0].observers == []


def test_others_do_not_describe_the_quorum() -> None:
    cluster, _, (follower, _) = led()
    response = cluster.quorum(follower).handle_describe_quorum(DESCRIBE, 0, 0)
    assert response.topics[0].partitions[0].error_code == ErrorCode.NOT_LEADER_OR_FOLLOWER
    unknown = cluster.quorum(follower).handle_describe_quorum(
        DescribeQuorumRequest(topics=[DescribeQuorumRequest.TopicData(topic_name="t", partitions=[DescribeQuorumRequest.PartitionData()])]),
        0,
        0,
    )
    assert unknown.topics[0].partitions[0].error_code == ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
