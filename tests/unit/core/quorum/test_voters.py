"""Replica keys, voter sets, and their history by offset."""

import pytest

from holdwater.core.quorum.voters import Endpoint, ReplicaKey, Voter, VoterHistory, VoterSet

STATIC = VoterSet([Voter(7, bytes(16))])
OLD = VoterSet([Voter(1, b"a" * 16), Voter(2, b"b" * 16)])
NEW = VoterSet([Voter(1, b"a" * 16), Voter(3, b"c" * 16)])


def test_a_voter_with_a_new_disk_is_another_replica() -> None:
    assert OLD.has(ReplicaKey(1, b"a" * 16))
    assert not OLD.has(ReplicaKey(1, b"x" * 16))
    assert not OLD.has(ReplicaKey(3, b"a" * 16))


def test_a_static_voter_is_known_by_its_id() -> None:
    assert STATIC.has(ReplicaKey(7, b"anything at all."))


@pytest.mark.parametrize(("size", "majority"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_majority(size: int, majority: int) -> None:
    assert VoterSet(Voter(i, bytes([i]) * 16) for i in range(size)).majority == majority


def test_voters_are_ordered_and_distinct() -> None:
    assert [voter.id for voter in VoterSet([Voter(2, b""), Voter(1, b"")]).voters] == [1, 2]
    with pytest.raises(ValueError, match="share an id"):
        VoterSet([Voter(1, b"a" * 16), Voter(1, b"b" * 16)])


def test_a_record_states_the_whole_set() -> None:
    voters = VoterSet([Voter(1, b"a" * 16, (Endpoint("CONTROLLER", "h", 1), Endpoint("OTHER", "i", 2)), 0, 1), Voter(2, b"b" * 16)])
    assert VoterSet.from_record(voters.to_record()) == voters


def test_replaced_keeps_the_others() -> None:
    moved = Voter(2, b"b" * 16, (Endpoint("CONTROLLER", "elsewhere", 9),))
    assert OLD.replaced(moved).voters == (OLD.voters[0], moved)


def test_history_follows_the_log_and_its_truncation() -> None:
    history = VoterHistory(STATIC.voters)
    assert history.current == STATIC
    assert history.current_offset is None
    history.add_version(-1, 1)
    history.add_voters(-1, OLD)
    history.add_voters(10, NEW)
    assert (history.current, history.current_offset, history.kraft_version) == (NEW, 10, 1)
    assert history.voters_at(10) == OLD
    assert history.voters_at(11) == NEW
    assert history.version_at(0) == 1
    history.truncate_to(11)
    assert history.current == NEW
    history.truncate_to(10)
    assert (history.current, history.current_offset) == (OLD, -1)
    history.clear()
    assert (history.current, history.kraft_version) == (STATIC, 0)
