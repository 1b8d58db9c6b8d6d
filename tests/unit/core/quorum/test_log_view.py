"""Where two metadata logs part, and what a follower is told."""

import pytest
from tests.support.quorum_storage import ListLog, MemorySnapshots

from holdwater.core.quorum.log_view import BOOTSTRAP_SNAPSHOT, MetadataLog
from holdwater.kernel.ports import EpochEnd, SnapshotId
from holdwater.wire.records import Record, build_batch, parse_header


def log_of(*runs: tuple[int, int], snapshot: SnapshotId | None = None, start: int = 0) -> MetadataLog:
    """A log of ``(epoch, record count)`` runs, one batch for each record, which starts at ``start``."""
    log = ListLog()
    snapshots = MemorySnapshots()
    if start:
        log.truncate_fully_and_start_at(start)
    for epoch, count in runs:
        for _ in range(count):
            batch = build_batch([Record(0, 0, None, b"v", [])])
            log.append_as_leader(batch, parse_header(batch), epoch, 0)
    if snapshot is not None:
        snapshots.write(snapshot, b"content")
    return MetadataLog(log, snapshots)


@pytest.mark.parametrize(
    ("offset", "epoch", "verdict"),
    [
        (0, 0, None),
        (3, 1, None),
        (5, 1, None),
        (6, 1, EpochEnd(1, 5)),
        (5, 2, EpochEnd(1, 5)),
        (8, 4, None),
        (9, 4, EpochEnd(4, 8)),
        (8, 9, EpochEnd(4, 8)),
        (4, 0, EpochEnd(0, 0)),
    ],
)
def test_a_follower_is_compared_with_a_log_of_epochs_1_and_4(offset: int, epoch: int, verdict: EpochEnd | None) -> None:
    assert log_of((1, 5), (4, 3)).compare(offset, epoch) == verdict


SNAPSHOT = SnapshotId(10, 3)


@pytest.mark.parametrize(
    ("offset", "epoch", "verdict"),
    [
        (0, 0, SNAPSHOT),
        (9, 3, SNAPSHOT),
        (10, 3, None),
        (10, 2, SNAPSHOT),
        (12, 5, None),
        (12, 3, EpochEnd(3, 10)),
        (12, 2, SNAPSHOT),
        (13, 5, EpochEnd(5, 12)),
    ],
)
def test_a_follower_behind_the_log_start_needs_the_snapshot(offset: int, epoch: int, verdict: EpochEnd | SnapshotId | None) -> None:
    assert log_of((5, 2), snapshot=SNAPSHOT, start=10).compare(offset, epoch) == verdict


def test_a_follower_at_the_log_start_of_unknown_epoch_gets_the_newest_snapshot() -> None:
    newer = SnapshotId(12, 5)
    log = log_of((5, 4), snapshot=SNAPSHOT, start=10)
    log.store_snapshot(newer, b"more")
    assert log.compare(10, 3) == newer


def test_an_empty_follower_is_given_a_snapshot_rather_than_the_log_but_never_the_bootstrap_one() -> None:
    assert log_of((1, 5), snapshot=SnapshotId(4, 1)).compare(0, 0) == SnapshotId(4, 1)
    assert log_of((1, 5), snapshot=BOOTSTRAP_SNAPSHOT).compare(0, 0) is None


@pytest.mark.parametrize(
    ("diverging", "offset"),
    [
        (EpochEnd(1, 3), 3),
        (EpochEnd(1, 9), 5),
        (EpochEnd(2, 7), 5),
        (EpochEnd(3, 6), 6),
        (EpochEnd(0, 0), 0),
    ],
)
def test_where_a_follower_of_epochs_1_and_3_cuts(diverging: EpochEnd, offset: int) -> None:
    assert log_of((1, 5), (3, 3)).truncation_offset(diverging) == offset


def test_the_last_epoch_is_the_snapshots_when_no_record_follows_it() -> None:
    assert log_of().last_epoch == 0
    assert log_of(snapshot=SNAPSHOT, start=10).last_epoch == 3
    assert log_of((5, 1), snapshot=SNAPSHOT, start=10).last_epoch == 5


@pytest.mark.parametrize(("epoch", "offset", "good"), [(4, 8, True), (4, 9, True), (5, 1, True), (4, 7, False), (3, 99, False)])
def test_which_log_is_as_good(epoch: int, offset: int, good: bool) -> None:
    assert log_of((1, 5), (4, 3)).is_up_to_date(epoch, offset) is good


@pytest.mark.parametrize("snapshot", [SnapshotId(10, 3), SnapshotId(10, 1)])
def test_a_log_that_ends_before_its_snapshot_starts_again_from_it(snapshot: SnapshotId) -> None:
    log = log_of((1, 5), snapshot=snapshot)
    assert (log.start_offset, log.end_offset, log.last_epoch) == (10, 10, snapshot.epoch)


def test_a_log_that_goes_on_after_its_snapshot_is_kept() -> None:
    log = log_of((1, 5), (2, 3), snapshot=SnapshotId(6, 2))
    assert (log.start_offset, log.end_offset) == (0, 8)


def test_a_log_start_that_came_back_lower_than_its_epochs_is_raised_again() -> None:
    """Storage checkpoints the log start now and then, and the leader epochs at once."""

    class Forgetful(ListLog):
        def epoch_at(self, offset: int) -> int:
            return super().epoch_at(offset) if offset >= 5 else -1

    whole = log_of((1, 5), (2, 3)).log
    assert isinstance(whole, ListLog)
    forgetful = Forgetful()
    forgetful.batches = whole.batches
    snapshots = MemorySnapshots()
    snapshots.write(SnapshotId(6, 2), b"content")
    log = MetadataLog(forgetful, snapshots)
    assert (log.start_offset, log.end_offset) == (6, 8)
    assert log_of((1, 5), (2, 3), snapshot=SnapshotId(6, 2)).start_offset == 0, "a log whose epochs are known is kept"


def test_what_a_killed_process_left_unsynced_is_synced_before_it_is_promised() -> None:
    log = log_of((1, 5))
    assert log.synced_end_offset == 5


def test_the_epoch_of_a_new_snapshot() -> None:
    log = log_of((1, 5), (4, 3))
    assert log.epoch_before(5) == 1
    assert log.epoch_before(6) == 4
    assert log_of(snapshot=SNAPSHOT, start=10).epoch_before(10) == 3
