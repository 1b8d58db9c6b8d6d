"""Who grants a vote to whom, in which role; and when an election is won or lost."""

import pytest

from holdwater.core.quorum.roles import (
    TRANSITIONS,
    WITHIN_ONE_EPOCH,
    Answer,
    Candidate,
    Follower,
    Leader,
    Prospective,
    Resigned,
    Role,
    Tally,
    Unattached,
    grants_vote,
)
from holdwater.core.quorum.voters import Endpoint, ReplicaKey, Voter, VoterSet

A = ReplicaKey(1, b"a" * 16)
A_WITH_NEW_DISK = ReplicaKey(1, b"z" * 16)
B = ReplicaKey(2, b"b" * 16)
UNKNOWN_DISK = bytes(16)
THREE = VoterSet(Voter(i, bytes([i]) * 16) for i in (1, 2, 3))
FIVE = VoterSet(Voter(i, bytes([i]) * 16) for i in (1, 2, 3, 4, 5))
WHERE = Endpoint("CONTROLLER", "host", 1)


def tally() -> Tally:
    return Tally(THREE, 3)


ROLES: dict[str, Role] = {
    "unattached": Unattached(5, None, 0),
    "unattached, voted for A": Unattached(5, A, 0),
    "unattached, voted for A of unknown disk": Unattached(5, ReplicaKey(1, UNKNOWN_DISK), 0),
    "unattached, leader known": Unattached(5, None, 0, leader_id=2),
    "prospective": Prospective(5, None, 0, tally()),
    "prospective, voted for A": Prospective(5, A, 0, tally()),
    "prospective, leader known": Prospective(5, None, 0, tally(), leader_id=2),
    "candidate": Candidate(5, B, 0, tally()),
    "leader": Leader(5, B, 2, 0, 0),
    "follower, leader never heard": Follower(5, None, 2, WHERE, 0),
    "follower, leader heard": Follower(5, None, 2, WHERE, 0, heard=True),
    "resigned": Resigned(5, None, 0),
}


@pytest.mark.parametrize(
    ("role", "vote", "pre_vote"),
    [
        ("unattached", True, True),
        ("unattached, voted for A", True, True),
        ("unattached, voted for A of unknown disk", True, True),
        ("unattached, leader known", False, True),
        ("prospective", True, True),
        ("prospective, voted for A", True, True),
        ("prospective, leader known", False, True),
        ("candidate", False, True),
        ("leader", False, False),
        ("follower, leader never heard", False, True),
        ("follower, leader heard", False, False),
        ("resigned", False, True),
    ],
)
def test_who_grants_candidate_a_whose_log_is_as_good(role: str, vote: bool, pre_vote: bool) -> None:
    assert grants_vote(ROLES[role], A, log_is_up_to_date=True, pre_vote=False) is vote
    assert grants_vote(ROLES[role], A, log_is_up_to_date=True, pre_vote=True) is pre_vote


@pytest.mark.parametrize("role", ROLES)
def test_nobody_pre_votes_for_a_worse_log(role: str) -> None:
    assert not grants_vote(ROLES[role], A, log_is_up_to_date=False, pre_vote=True)


@pytest.mark.parametrize("role", [name for name in ROLES if "voted for A" not in name])
def test_nobody_votes_for_a_worse_log(role: str) -> None:
    assert not grants_vote(ROLES[role], A, log_is_up_to_date=False, pre_vote=False)


def test_a_vote_given_is_given_again_to_the_same_replica_only() -> None:
    voted = ROLES["unattached, voted for A"]
    assert grants_vote(voted, A, log_is_up_to_date=True, pre_vote=False)
    assert not grants_vote(voted, B, log_is_up_to_date=True, pre_vote=False)
    assert not grants_vote(voted, A_WITH_NEW_DISK, log_is_up_to_date=True, pre_vote=False)


def test_an_election_of_three_is_won_by_two_and_lost_by_two() -> None:
    election = Tally(THREE, 1)
    assert election.unanswered() == [2, 3]
    assert not election.is_won
    assert not election.is_lost
    election.record(2, Answer.REJECTED)
    assert not election.is_lost
    election.record(3, Answer.GRANTED)
    assert election.is_won
    assert not election.is_lost
    assert election.granted() == [1, 3]


def test_an_election_does_not_wait_for_the_dead_once_somebody_rejected() -> None:
    election = Tally(THREE, 1)
    election.record(3, Answer.UNREACHABLE)
    assert not election.is_lost, "the other may still grant"
    election.record(2, Answer.REJECTED)
    assert election.is_lost
    assert election.unanswered() == [3], "the dead one may come back"


def test_an_election_without_any_answer_is_not_lost() -> None:
    election = Tally(THREE, 1)
    election.record(2, Answer.UNREACHABLE)
    election.record(3, Answer.UNREACHABLE)
    assert not election.is_lost


def test_an_answer_counts_once() -> None:
    election = Tally(FIVE, 1)
    election.record(2, Answer.GRANTED)
    election.record(2, Answer.REJECTED)
    election.record(2, Answer.GRANTED)
    election.record(9, Answer.GRANTED)
    assert election.granted() == [1, 2]
    election.record(3, Answer.UNREACHABLE)
    election.record(3, Answer.GRANTED)
    assert election.is_won


def test_the_only_voter_has_won_already() -> None:
    assert Tally(VoterSet([Voter(1, A.directory_id)]), 1).is_won


def test_transitions_within_an_epoch_are_legal_transitions() -> None:
    for role, targets in WITHIN_ONE_EPOCH.items():
        assert all(target in TRANSITIONS[role] for target in targets)


def test_every_role_can_be_made_unattached_by_a_higher_epoch() -> None:
    assert all(Unattached in targets for targets in TRANSITIONS.values())
