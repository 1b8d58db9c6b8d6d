"""Who may commit and fetch offsets (C3, KIP-1251)."""

import pytest
from tests.support.consumer_groups import Bench, Consumer, settled

from holdwater.kernel.errors import ErrorCode


class TestOffsets:
    def bench(self) -> Bench:
        """``a`` has partitions 0 and 1 since epoch 2, and is in epoch 3."""
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        settled(bench, a, b)
        return bench

    @pytest.mark.parametrize(
        ("member_id", "epoch", "instance_id", "version", "transactional", "error"),
        [
            ("a", 3, None, 9, False, ErrorCode.NONE),
            ("a", 2, None, 9, False, ErrorCode.STALE_MEMBER_EPOCH),
            ("a", 4, None, 9, False, ErrorCode.STALE_MEMBER_EPOCH),
            ("a", -1, None, 9, False, ErrorCode.STALE_MEMBER_EPOCH),
            ("z", 3, None, 9, False, ErrorCode.UNKNOWN_MEMBER_ID),
            ("", -1, None, 9, False, ErrorCode.UNKNOWN_MEMBER_ID),
            ("a", 3, None, 8, False, ErrorCode.UNSUPPORTED_VERSION),
            ("a", 3, None, 3, True, ErrorCode.NONE),
            ("", -1, None, 3, True, ErrorCode.NONE),
            ("", -1, "one", 3, True, ErrorCode.UNKNOWN_MEMBER_ID),
        ],
    )
    def test_commit(self, member_id: str, epoch: int, instance_id: str | None, version: int, transactional: bool, error: ErrorCode) -> None:
        assert self.bench().group.validate_commit(member_id, epoch, instance_id, version, transactional) == error

    def test_anybody_commits_to_an_empty_group(self) -> None:
        assert Bench().group.validate_commit("", -1, None, 2, False) == ErrorCode.NONE

    @pytest.mark.parametrize(
        ("member_id", "epoch", "partition", "covered"),
        [
            ("a", 2, 0, True),
            ("a", 1, 0, False),
            ("a", 2, 2, False),
            ("a", 4, 0, False),
            ("b", 3, 2, True),
            ("b", 2, 2, False),
            ("z", 3, 0, False),
        ],
    )
    def test_an_older_epoch_commits_what_it_has_had_ever_since(self, member_id: str, epoch: int, partition: int, covered: bool) -> None:
        assert self.bench().group.commit_covers(member_id, epoch, "orders", partition) is covered

    def test_what_is_being_given_up_may_be_committed(self) -> None:
        bench = Bench(topics={"orders": 4}, group_consumer_assignment_interval_ms="0")
        a, b = Consumer(bench, "a", ["orders"]), Consumer(bench, "b", ["orders"])
        a.settle()
        b.settle()
        a.beat()
        assert bench.group.validate_commit("a", 2, None, 9, False) == ErrorCode.NONE
        assert bench.group.commit_covers("a", 2, "orders", 3)
        a.beat()
        assert not bench.group.commit_covers("a", 2, "orders", 3), "it is given up"

    @pytest.mark.parametrize(
        ("member_id", "epoch", "error"),
        [
            (None, -1, ErrorCode.NONE),
            ("a", 3, ErrorCode.NONE),
            ("a", 2, ErrorCode.STALE_MEMBER_EPOCH),
            ("z", 3, ErrorCode.UNKNOWN_MEMBER_ID),
            ("", -1, ErrorCode.UNKNOWN_MEMBER_ID),
            (None, 0, ErrorCode.UNKNOWN_MEMBER_ID),
        ],
    )
    def test_fetch(self, member_id: str | None, epoch: int, error: ErrorCode) -> None:
        assert self.bench().group.validate_fetch(member_id, epoch) == error
