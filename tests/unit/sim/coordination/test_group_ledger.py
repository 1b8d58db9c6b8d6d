"""What members of a group were told, by hand: each story is right, or wrong in one way that is found by its code."""

from collections.abc import Callable

import pytest

from holdwater.sim.coordination.groups import Commit, GroupLedger
from holdwater.sim.verdicts import SafetyViolation
from holdwater.sim.workloads.history import History

LEASE_MS = 5_000


def ledger(*, has_leases: bool = False) -> GroupLedger:
    made = GroupLedger("g", History(), has_leases=has_leases)
    made.handed(0, 0, 100)
    return made


def found(story: Callable[[], object]) -> str:
    """The code of what is wrong with a story, empty when nothing is."""
    try:
        story()
    except SafetyViolation as problem:
        return problem.code
    return ""


def accepted(made: GroupLedger, offset: int, sent_us: int, done_us: int, *, generation: int = 1, member_id: str = "a") -> Commit:
    commit = made.commit(0, offset, member_id, generation, sent_us)
    made.accepted(commit, done_us)
    return commit


class TestGenerations:
    def test_a_later_join_of_an_earlier_generation_is_wrong(self) -> None:
        made = ledger()
        made.synced("a", 5, [0], 100)
        assert found(lambda: made.joined("b", 4, asked_us=90)) == ""  # asked before anybody was told
        assert found(lambda: made.joined("b", 5, asked_us=200)) == ""
        assert found(lambda: made.joined("b", 4, asked_us=200)) == "C1"

    def test_beside_members_of_kip_848_each_classic_member_counts_for_itself(self) -> None:
        made = ledger(has_leases=True)
        made.synced("a", 5, [0], 100, instance_id="one")
        assert found(lambda: made.joined("b", 4, asked_us=200)) == ""  # its member epoch may be behind
        assert found(lambda: made.joined("a", 4, asked_us=90)) == ""  # asked before it was told
        assert found(lambda: made.joined("a", 5, asked_us=200)) == ""
        assert found(lambda: made.joined("a", 4, asked_us=200)) == "C1"

    def test_a_partition_has_one_owner_in_a_generation(self) -> None:
        made = ledger()
        made.synced("a", 5, [0, 1], 100)
        assert found(lambda: made.synced("b", 5, [2], 110)) == ""
        assert found(lambda: made.synced("b", 6, [0], 120)) == ""
        assert found(lambda: made.synced("b", 5, [1], 130)) == "C2"


class TestMemberEpochs:
    def test_a_member_epoch_does_not_fall_unless_the_member_begins_anew(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 4, [], 0, LEASE_MS, 100)
        assert found(lambda: made.heartbeat_answered("a", 3, [], 50, LEASE_MS, 150)) == ""  # asked before it was told
        assert found(lambda: made.heartbeat_answered("a", 3, [], 200, LEASE_MS, 250)) == "C1"
        made.starts_over("a")
        assert found(lambda: made.heartbeat_answered("a", 3, [], 300, LEASE_MS, 350)) == ""

    @pytest.mark.parametrize(
        ("kept", "told_us", "code"),
        [
            pytest.param([0], 1_000_000, "C2", id="it has it still"),
            pytest.param([], 1_000_000, "", id="it gave it up"),
            pytest.param([0], 4_100_000, "", id="it may be fenced by now"),
        ],
    )
    def test_a_partition_moves_when_it_is_given_up_or_its_owner_may_be_fenced(self, kept: list[int], told_us: int, code: str) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 1, [0], 0, LEASE_MS, 100)
        made.gave_up("a", kept)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], told_us - 100, LEASE_MS, told_us)) == code

    def test_a_partition_may_move_when_the_owner_has_had_no_answer_for_as_long(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 1, [0], 4_000_000, LEASE_MS, 4_000_100, since_us=0)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], 4_100_000, LEASE_MS, 4_100_100)) == ""

    def test_what_a_coordinator_of_old_says_protects_nobody(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 1, [0], 0, 0, 100)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], 200, LEASE_MS, 300)) == ""

    def test_what_a_coordinator_of_old_says_proves_nothing(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("b", 2, [0], 6_000_000, LEASE_MS, 6_100_000)
        assert found(lambda: made.heartbeat_answered("a", 1, [0], 0, 0, 6_200_000)) == ""
        assert found(lambda: made.heartbeat_answered("a", 1, [0], 6_150_000, LEASE_MS, 6_300_000)) == "C2"

    @pytest.mark.parametrize("lease_ms", [0, LEASE_MS])
    def test_who_hears_late_what_was_given_up_may_have_it(self, lease_ms: int) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 1, [0], 0, LEASE_MS, 40)
        made.gave_up("a", [])
        made.heartbeat_answered("b", 2, [0], 50, lease_ms, 6_000_000)
        assert found(lambda: accepted(made, 10, 6_100_000, 6_200_000, member_id="b", generation=2)) == ""

    def test_old_news_protect_nobody_and_prove_nothing(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("b", 2, [0], 6_000_000, LEASE_MS, 6_100_000)
        assert found(lambda: made.heartbeat_answered("a", 1, [0], 0, LEASE_MS, 6_200_000)) == ""

    def promised(self) -> GroupLedger:
        """A member that its coordinator, which had committed nothing in its leader epoch, has told that it may have a partition."""
        made = ledger(has_leases=True)
        made.bound("old", 0)
        made.heartbeat_answered("a", 1, [0], 0, LEASE_MS, 100, by="new")
        return made

    def test_the_word_of_a_coordinator_that_has_committed_nothing_does_not_count_yet(self) -> None:
        made = self.promised()
        made.bound("newest", 150)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], 200, LEASE_MS, 300, by="newest")) == ""

    def test_its_word_counts_once_it_has_committed_something(self) -> None:
        made = self.promised()
        made.bound("new", 150)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], 200, LEASE_MS, 300, by="new")) == "C2"

    def test_its_word_proves_nothing_against_another(self) -> None:
        made = ledger(has_leases=True)
        made.bound("old", 0)
        made.heartbeat_answered("b", 2, [0], 0, LEASE_MS, 100, by="old")
        assert found(lambda: made.heartbeat_answered("a", 1, [0], 200, LEASE_MS, 300, by="new")) == ""
        made.bound("new", 350)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], 350, LEASE_MS, 400, by="new")) == "", "the first has it as before"

    @pytest.mark.parametrize(("told_us", "kept"), [pytest.param(200, [], id="given up"), pytest.param(4_000_200, [0], id="run out")])
    def test_what_was_given_up_or_has_run_out_counts_no_more(self, told_us: int, kept: list[int]) -> None:
        made = self.promised()
        made.gave_up("a", kept)
        made.bound("new", told_us)
        assert found(lambda: made.heartbeat_answered("b", 2, [0], told_us, LEASE_MS, told_us + 1, by="new")) == ""


class TestTheRightToCommit:
    def test_a_commit_of_an_old_generation_that_was_sent_after_the_next_was_told(self) -> None:
        made = ledger()
        made.synced("b", 2, [0], 100)
        assert found(lambda: accepted(made, 10, 90, 200)) == ""
        assert found(lambda: accepted(made, 10, 110, 200)) == "C3"
        assert found(lambda: accepted(made, 10, 110, 200, generation=2)) == ""

    def test_a_commit_of_who_has_joined_again_and_does_not_know_what_it_lost(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 1, [0], 0, LEASE_MS, 40)
        made.gave_up("a", [])
        made.heartbeat_answered("b", 2, [0], 50, LEASE_MS, 100)
        assert found(lambda: accepted(made, 10, 130, 200)) == "C3"
        made.told("a", 3, 120)
        assert found(lambda: accepted(made, 10, 130, 200, generation=3)) == ""
        assert found(lambda: accepted(made, 10, 130, 200)) == "C3"

    def test_a_commit_of_who_has_joined_again_before_another_had_it_and_was_not_told_yet_what_it_has_now(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("a", 1, [0], 0, LEASE_MS, 40)
        made.gave_up("a", [])
        made.told("a", 3, 60)
        made.heartbeat_answered("b", 3, [0], 70, LEASE_MS, 100)
        assert found(lambda: accepted(made, 10, 130, 200, generation=3)) == ""
        assert found(lambda: accepted(made, 10, 130, 200)) == "C3"

    def test_a_commit_of_a_partition_that_is_another_members_by_now(self) -> None:
        made = ledger(has_leases=True)
        made.heartbeat_answered("b", 2, [0], 50, LEASE_MS, 100)
        assert found(lambda: accepted(made, 10, 90, 200)) == ""
        assert found(lambda: accepted(made, 10, 110, 200)) == "C3"
        assert found(lambda: accepted(made, 10, 110, 200, member_id="b")) == ""

    @pytest.mark.parametrize("has_leases", [False, True])
    def test_a_commit_of_who_has_left(self, has_leases: bool) -> None:
        made = ledger(has_leases=has_leases)
        made.left("a", 100)
        assert found(lambda: accepted(made, 10, 90, 200)) == ""
        assert found(lambda: accepted(made, 10, 110, 200)) == "C3"


class TestCommittedOffsets:
    def test_the_last_acknowledged_one_is_told(self) -> None:
        made = ledger()
        first, second = accepted(made, 10, 0, 100), accepted(made, 20, 200, 300)
        assert found(lambda: made.fetched(0, 20, second.name, 400, 500)) == ""
        assert found(lambda: made.fetched(0, 10, first.name, 250, 500)) == ""  # asked before the second was acknowledged
        assert found(lambda: made.fetched(0, 10, first.name, 400, 500)) == "C4"
        assert found(lambda: made.fetched(0, -1, "", 400, 500)) == "C4"

    def test_one_without_an_answer_may_count_whenever(self) -> None:
        made = ledger()
        unknown = made.commit(0, 10, "a", 1, 0)
        accepted(made, 20, 200, 300)
        assert found(lambda: made.fetched(0, 10, unknown.name, 400, 500)) == ""

    def test_of_two_at_once_either_may_be_the_last(self) -> None:
        made = ledger()
        first, second = made.commit(0, 10, "a", 1, 0), made.commit(0, 20, "b", 1, 50)
        made.accepted(second, 100)
        made.accepted(first, 120)
        assert found(lambda: made.fetched(0, 10, first.name, 400, 500)) == ""
        assert found(lambda: made.fetched(0, 20, second.name, 400, 500)) == ""

    def test_a_lower_one_of_a_valid_member_counts(self) -> None:
        made = ledger()
        accepted(made, 20, 0, 100)
        lower = accepted(made, 10, 200, 300)
        assert found(lambda: made.fetched(0, 10, lower.name, 400, 500)) == ""

    def test_what_nobody_asked_for(self) -> None:
        made = ledger()
        commit = accepted(made, 10, 0, 100)
        assert found(lambda: made.fetched(0, 11, commit.name, 400, 500)) == "C4"
        assert found(lambda: made.fetched(0, 10, "another", 400, 500)) == "C4"

    def test_a_refused_one(self) -> None:
        made = ledger()
        commit = made.commit(0, 10, "a", 1, 0)
        made.refused(commit)
        assert found(lambda: made.fetched(0, 10, commit.name, 400, 500)) == "C3"
        made.repeats(commit)
        assert found(lambda: made.fetched(0, 10, commit.name, 400, 500)) == ""

    def test_a_coordinator_that_was_replaced_may_be_behind(self) -> None:
        made = ledger()
        first = accepted(made, 10, 0, 100)
        accepted(made, 20, 200, 300)
        assert found(lambda: made.fetched(0, 10, first.name, 400, 500, is_sure=False)) == ""
        assert found(lambda: made.fetched(0, 11, first.name, 400, 500, is_sure=False)) == "C4"

    def test_one_of_a_transaction_that_was_not_asked_to_commit(self) -> None:
        made = ledger()
        commit = made.commit(0, 10, "a", 1, 0)
        commit.sent_us = 1 << 62
        assert found(lambda: made.fetched(0, 10, commit.name, 400, 500)) == "C5"


class TestAtLeastOnce:
    def test_nothing_is_passed_over(self) -> None:
        made = ledger()
        assert found(lambda: made.handed(0, 100, 120)) == ""
        assert found(lambda: made.handed(0, 50, 60)) == ""
        assert found(lambda: made.handed(0, 121, 130)) == "C6"

    def test_a_committed_offset_is_not_above_what_was_handed_out(self) -> None:
        made = ledger()
        commit = accepted(made, 101, 0, 100)
        assert found(lambda: made.fetched(0, 101, commit.name, 400, 500)) == "C6"
