"""Elections in a small cluster: first election, quick failover, pre-vote, votes on disk, disks that were lost."""

from itertools import pairwise

import pytest
from tests.support.quorum_cluster import CLUSTER_ID, Cluster, ProcessDied, directory_id, endpoint

from holdwater.core.quorum import ReplicaKey, rpc
from holdwater.kernel.errors import ErrorCode
from holdwater.kernel.ports import Vote
from holdwater.wire.messages import BeginQuorumEpochRequest, EndQuorumEpochRequest, VoteRequest


@pytest.mark.parametrize("voters", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("static", [False, True])
def test_a_fresh_quorum_elects_quickly(voters: int, static: bool) -> None:
    for seed in range(10):
        cluster = Cluster(seed=seed, voters=voters, static=static)
        cluster.elect()
        assert cluster.now_ms < 400
        cluster.run_until(cluster.converged)
        assert len(cluster.watch.leaders) == 1 or voters > 3


def test_a_voter_alone_among_three_leads_nothing() -> None:
    cluster = Cluster(seed=1, start=False)
    cluster.start(1)
    cluster.run(60_000)
    assert cluster.quorum(1).epoch == 0
    assert cluster.leader() is None


def test_two_of_three_elect() -> None:
    cluster = Cluster(seed=1, start=False)
    cluster.start(1)
    cluster.run(500)
    cluster.start(2)
    cluster.elect(3000)


@pytest.mark.parametrize("seed", range(20))
def test_a_killed_leader_is_replaced_within_a_few_hundred_ms(seed: int) -> None:
    cluster = Cluster(seed=seed)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    assert leader is not None
    cluster.kill(leader)
    begin_ms = cluster.now_ms
    cluster.run_until(lambda: cluster.leader() is not None)
    assert cluster.now_ms - begin_ms < 700
    cluster.start(leader)
    cluster.run_until(cluster.converged, 1000)
    cluster.watch.check_logs()


def test_a_silent_leader_is_replaced_after_the_fetch_timeout() -> None:
    cluster = Cluster(seed=3)
    cluster.run_until(cluster.converged)
    old = cluster.leader()
    assert old is not None
    cluster.isolate(old)
    begin_ms = cluster.now_ms
    cluster.run_until(lambda: cluster.leader() not in {old, None})
    assert 1400 < cluster.now_ms - begin_ms < 5000


def test_an_isolated_leader_resigns_after_check_quorum() -> None:
    cluster = Cluster(seed=3)
    cluster.run_until(cluster.converged)
    old = cluster.leader()
    assert old is not None
    cluster.isolate(old)
    begin_ms = cluster.now_ms
    cluster.run_until(lambda: not cluster.quorum(old).is_leader)
    assert 2400 < cluster.now_ms - begin_ms <= 3000
    assert cluster.quorum(old).role_name == "resigned"


def test_a_leader_fetched_from_by_a_majority_stays() -> None:
    cluster = Cluster(seed=3, voters=5)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    others = [n for n in cluster.running() if n != leader]
    cluster.isolate(others[0])
    cluster.isolate(others[1])
    cluster.run(20_000)
    assert cluster.leader() == leader
    assert len(cluster.watch.leaders) == 1


def test_a_rejoining_partitioned_voter_raises_no_epoch() -> None:
    cluster = Cluster(seed=5)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    follower = next(n for n in cluster.running() if n != leader)
    cluster.isolate(follower)
    cluster.run(30_000)
    cluster.append()
    cluster.heal()
    cluster.run_until(cluster.converged)
    assert (cluster.leader(), cluster.quorum(follower).epoch) == (leader, 1)


def test_a_voter_with_the_shorter_log_is_not_elected() -> None:
    for seed in range(10):
        cluster = Cluster(seed=seed)
        cluster.run_until(cluster.converged)
        leader = cluster.leader()
        assert leader is not None
        behind, ahead = [n for n in cluster.running() if n != leader]
        cluster.isolate(behind)
        cluster.append(3)
        cluster.run_until(lambda n=leader, c=cluster: c.quorum(n).high_watermark == c.machines[n].log.log_end_offset)
        cluster.kill(leader)
        cluster.heal()
        assert cluster.elect() == ahead


def test_first_elections_are_spread_over_the_quick_start_and_later_ones_are_not() -> None:
    cluster = Cluster(seed=1, start=False)
    drawn = []
    for node_id in (1, 2, 3):
        cluster.start(node_id)
        drawn.append(cluster.quorum(node_id).next_deadline())
    assert all(0 <= deadline <= 100 for deadline in drawn)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    follower = next(n for n in cluster.running() if n != leader)
    # A higher epoch makes it unattached; it has heard a leader in this life, so it waits at least an election timeout.
    request = rpc.vote_request(
        CLUSTER_ID, ReplicaKey(9, directory_id(9)), ReplicaKey(follower, directory_id(follower)), 7, 0, 0, pre_vote=False
    )
    cluster.quorum(follower).handle_vote(request, cluster.now_ms)
    assert cluster.quorum(follower).role_name == "unattached"
    assert 1000 <= cluster.quorum(follower).next_deadline() - cluster.now_ms < 2000


def test_a_follower_whose_fetch_timer_ran_out_grants_even_before_its_tick() -> None:
    cluster = Cluster(seed=2)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    follower, other = [n for n in cluster.running() if n != leader]
    quorum, log = cluster.quorum(follower), cluster.machines[follower].log
    receiver = ReplicaKey(follower, directory_id(follower))
    ask = rpc.vote_request(CLUSTER_ID, ReplicaKey(other, directory_id(other)), receiver, 1, 1, log.log_end_offset, pre_vote=True)
    assert not quorum.handle_vote(ask, cluster.now_ms).topics[0].partitions[0].vote_granted
    assert quorum.handle_vote(ask, cluster.now_ms + 2200).topics[0].partitions[0].vote_granted


# -- persist, then speak ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durable", [False, True])
def test_a_voter_that_dies_while_saving_its_vote_has_not_told_anybody(durable: bool) -> None:
    cluster = Cluster(seed=4, start=False)
    died: list[Vote] = []

    def die(vote: Vote) -> None:
        if vote.voted_id not in {-1, 1} and not died:
            died.append(vote)
            raise ProcessDied

    votes = cluster.machines[1].votes
    if durable:
        votes.after_save = die
    else:
        votes.before_save = die
    for node_id in (2, 3, 1):
        cluster.start(node_id)
    cluster.run_until(lambda: bool(died) or cluster.leader() == 1, 5000)
    assert died, "seed 4 makes node 1 vote for another"
    granted = [key for key in cluster.watch.votes if key[0] == 1]
    assert granted == []
    assert (votes.vote is not None and votes.vote.voted_id == died[0].voted_id) is durable
    cluster.start(1)
    cluster.run_until(cluster.converged)


def test_a_candidate_that_dies_while_saving_has_asked_nobody() -> None:
    cluster = Cluster(seed=1, start=False)
    died: list[Vote] = []

    def die(vote: Vote) -> None:
        if vote.voted_id == 1 and not died:
            died.append(vote)
            raise ProcessDied

    cluster.machines[1].votes.before_save = die
    for node_id in (1, 2, 3):
        cluster.start(node_id)
    cluster.run_until(lambda: bool(died), 5000)
    assert not [
        r for sender, _, r in cluster.seen_requests if sender == 1 and isinstance(r, VoteRequest) and not r.topics[0].partitions[0].pre_vote
    ]


def test_a_vote_survives_a_restart() -> None:
    cluster = Cluster(seed=1, start=False)
    cluster.start(1)
    quorum = cluster.quorum(1)
    mine = ReplicaKey(1, directory_id(1))

    def ask(candidate: int) -> bool:
        request = rpc.vote_request(CLUSTER_ID, ReplicaKey(candidate, directory_id(candidate)), mine, 5, 0, 0, pre_vote=False)
        return cluster.quorum(1).handle_vote(request, 0).topics[0].partitions[0].vote_granted

    assert ask(2)
    assert not ask(3)
    cluster.kill(1)
    cluster.start(1)
    assert cluster.quorum(1) is not quorum
    assert not ask(3)
    assert ask(2)


def test_a_restarted_leader_does_not_lead_its_epoch_again() -> None:
    cluster = Cluster(seed=2)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    assert leader is not None
    cluster.kill(leader)
    cluster.start(leader)
    assert cluster.quorum(leader).role_name == "resigned"
    assert cluster.quorum(leader).leader_id == -1
    cluster.run_until(cluster.converged)
    assert cluster.quorum(leader).epoch > 1


def test_epochs_on_disk_only_rise() -> None:
    cluster = Cluster(seed=6)
    epochs: list[int] = []
    cluster.machines[2].votes.after_save = lambda vote: epochs.append(vote.epoch)
    for _ in range(4):
        cluster.run_until(cluster.converged)
        leader = cluster.leader()
        assert leader is not None
        cluster.kill(leader)
        cluster.run(500)
        cluster.start(leader)
    cluster.run_until(cluster.converged)
    assert all(after >= before for before, after in pairwise(epochs))


# -- directory ids ---------------------------------------------------------------------------------------------------------------------


def test_a_voter_with_a_new_disk_neither_votes_nor_counts() -> None:
    cluster = Cluster(seed=7)
    cluster.run_until(cluster.converged)
    leader = cluster.leader()
    replaced, other = [n for n in cluster.running() if n != leader]
    cluster.kill(replaced)
    cluster.replace_disk(replaced)
    cluster.start(replaced)
    cluster.append(2)
    cluster.run_until(cluster.converged)
    assert not cluster.quorum(replaced).is_voter
    cluster.kill(other)
    last = cluster.append(2)
    cluster.run(1000)
    assert cluster.machines[replaced].log.log_end_offset == last + 1, "it gets the records"
    assert cluster.quorum(leader or 0).high_watermark <= last - 1, "and does not commit them"
    cluster.run(20_000)
    assert cluster.leader() is None


def test_a_vote_meant_for_the_lost_disk_is_refused() -> None:
    cluster = Cluster(seed=7)
    request = rpc.vote_request(CLUSTER_ID, ReplicaKey(2, directory_id(2)), ReplicaKey(1, directory_id(1, 5)), 9, 0, 0, pre_vote=False)
    answer = cluster.quorum(1).handle_vote(request, 0).topics[0].partitions[0]
    assert answer.error_code == ErrorCode.INVALID_VOTER_KEY
    assert not answer.vote_granted
    assert cluster.machines[1].votes.vote is not None
    assert cluster.machines[1].votes.vote.voted_id == -1


# -- requests that are refused ---------------------------------------------------------------------------------------------------------


def vote(epoch: int = 3, last_epoch: int = 0, end_offset: int = 0, *, sender: int = 2, pre_vote: bool = False) -> VoteRequest:
    receiver = ReplicaKey(1, directory_id(1))
    return rpc.vote_request(CLUSTER_ID, ReplicaKey(sender, directory_id(2)), receiver, epoch, last_epoch, end_offset, pre_vote=pre_vote)


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        (vote(epoch=3), ErrorCode.NONE),
        (vote(epoch=0), ErrorCode.INVALID_REQUEST),
        (vote(epoch=0, pre_vote=True), ErrorCode.FENCED_LEADER_EPOCH),
        (vote(epoch=3, last_epoch=3), ErrorCode.INVALID_REQUEST),
        (vote(epoch=3, last_epoch=3, pre_vote=True), ErrorCode.NONE),
        (vote(epoch=3, last_epoch=4, pre_vote=True), ErrorCode.INVALID_REQUEST),
        (vote(epoch=3, last_epoch=-1), ErrorCode.INVALID_REQUEST),
        (vote(epoch=3, end_offset=-1), ErrorCode.INVALID_REQUEST),
        (vote(epoch=3, sender=-1), ErrorCode.INVALID_REQUEST),
        (vote(epoch=3, sender=1), ErrorCode.INVALID_REQUEST),
    ],
)
def test_votes_are_checked(request_: VoteRequest, error: ErrorCode) -> None:
    cluster = Cluster(seed=1)
    cluster.quorum(1).handle_begin_quorum_epoch(begin(leader=3, epoch=2), 0)
    assert cluster.quorum(1).handle_vote(request_, 0).topics[0].partitions[0].error_code == error


def begin(leader: int, epoch: int) -> BeginQuorumEpochRequest:
    return rpc.begin_quorum_epoch_request(CLUSTER_ID, leader, epoch, ReplicaKey(1, directory_id(1)), (endpoint(leader),))


def end(leader: int, epoch: int, *successors: int) -> EndQuorumEpochRequest:
    keys = [ReplicaKey(n, directory_id(n)) for n in successors]
    return rpc.end_quorum_epoch_request(CLUSTER_ID, leader, epoch, keys, (endpoint(leader),))


def test_leaders_of_old_epochs_and_other_clusters_are_refused() -> None:
    quorum = Cluster(seed=1).quorum(1)
    assert quorum.handle_begin_quorum_epoch(begin(3, 2), 0).topics[0].partitions[0].error_code == ErrorCode.NONE
    assert (quorum.leader_id, quorum.epoch) == (3, 2)
    assert quorum.handle_begin_quorum_epoch(begin(2, 1), 0).topics[0].partitions[0].error_code == ErrorCode.FENCED_LEADER_EPOCH
    assert quorum.handle_end_quorum_epoch(end(2, 1), 0).topics[0].partitions[0].error_code == ErrorCode.FENCED_LEADER_EPOCH
    stranger = begin(2, 9)
    stranger.cluster_id = "another"
    assert quorum.handle_begin_quorum_epoch(stranger, 0).error_code == ErrorCode.INCONSISTENT_CLUSTER_ID
    for_old_disk = rpc.begin_quorum_epoch_request(CLUSTER_ID, 3, 2, ReplicaKey(1, directory_id(1, 4)), (endpoint(3),))
    assert quorum.handle_begin_quorum_epoch(for_old_disk, 0).topics[0].partitions[0].error_code == ErrorCode.INVALID_VOTER_KEY
    assert (quorum.leader_id, quorum.epoch) == (3, 2)


def test_the_best_successor_stands_at_once_and_the_next_later() -> None:
    first, second = Cluster(seed=1).quorum(1), Cluster(seed=1).quorum(1)
    for quorum in (first, second):
        quorum.handle_begin_quorum_epoch(begin(3, 2), 1000)
    first.handle_end_quorum_epoch(end(3, 2, 1, 2), 1000)
    second.handle_end_quorum_epoch(end(3, 2, 2, 1), 1000)
    assert first.next_deadline() == 1000
    assert 1020 <= second.next_deadline() <= 1150
    first.tick(1000, 0)
    assert first.role_name == "prospective"


def test_a_voter_without_pre_vote_is_done_without() -> None:
    cluster = Cluster(seed=1, start=False)
    cluster.start(1)
    quorum = cluster.quorum(1)
    while quorum.role_name != "prospective":
        quorum.tick(quorum.next_deadline(), 0)
    sent = next(effect for effect in quorum.take_effects() if type(effect).__name__ == "SendRequest")
    quorum.on_response(sent, rpc.VoteResponse(error_code=ErrorCode.UNSUPPORTED_VERSION), 200, 200)  # type: ignore[arg-type]
    assert quorum.role_name == "candidate"
    assert quorum.epoch == 1
